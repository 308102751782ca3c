//! A job, and how it is told as JSON.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::Word;
use serde_json::{Map, Value, json};

use crate::fixtures::Recording;

/// What stands in the place of a deleted job's audio.
pub(super) const DELETED_AUDIO: &str = "http://deleted_by_user";
/// What stands in the place of a deleted job's text.
const DELETED_TEXT: &str = "Deleted by user.";
/// How sure the server says it is where nobody measured it: its own invention.
const CONFIDENCE: f64 = 0.99;

/// How a job ends.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    /// With the text of a recording.
    Text(&'static Recording),
    /// With an error.
    Error(String),
}

/// A job that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) audio_url: String,
    pub(super) params: Map<String, Value>,
    pub(super) accepted: Instant,
    pub(super) created: DateTime<Utc>,
    pub(super) processing: Duration,
    pub(super) list_lag: Duration,
    pub(super) ending: Ending,
    pub(super) deleted: bool,
    pub(super) webhook_status: Option<u16>,
}

impl Job {
    /// The word of its status now.
    pub(super) fn status(&self) -> &'static str {
        let elapsed = self.accepted.elapsed();
        match &self.ending {
            _ if elapsed < self.processing / 2 => "queued",
            _ if elapsed < self.processing => "processing",
            Ending::Text(_) => "completed",
            Ending::Error(_) => "error",
        }
    }

    /// The recording, once the job is completed and not deleted.
    pub(super) fn recording(&self) -> Option<&'static Recording> {
        match &self.ending {
            Ending::Text(recording) if self.status() == "completed" && !self.deleted => {
                Some(*recording)
            }
            _ => None,
        }
    }

    /// The text of its error, once it has failed.
    pub(super) fn error(&self) -> Option<&str> {
        match &self.ending {
            Ending::Error(text) if self.status() == "error" => Some(text),
            _ => None,
        }
    }

    /// The answer to create, get and delete.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "id": self.id,
            "status": self.status(),
            "audio_url": self.audio_url,
            "text": null,
            "words": null,
            "utterances": null,
            "confidence": null,
            "audio_duration": null,
            "language_code": self.language(),
            "language_confidence": null,
            "language_detection": self.flag("language_detection"),
            "speech_models": self.params.get("speech_models"),
            "speech_model_used": null,
            "punctuate": true,
            "format_text": true,
            "speaker_labels": self.flag("speaker_labels"),
            "throttled": false,
            "webhook_url": self.params.get("webhook_url"),
            "webhook_status_code": self.webhook_status,
            "webhook_auth": self.params.contains_key("webhook_auth_header_name"),
        });
        if self.deleted {
            body["audio_url"] = DELETED_AUDIO.into();
            body["text"] = DELETED_TEXT.into();
        } else if let Some(recording) = self.recording() {
            self.add_transcript(&mut body, recording);
        } else if let Some(error) = self.error() {
            body["error"] = error.into();
        }
        body
    }

    fn add_transcript(&self, body: &mut Value, recording: &Recording) {
        let speaker = self.flag("speaker_labels").then_some("A");
        let words = recording.words();
        let told: Vec<Value> = words.iter().map(|word| tell(word, speaker)).collect();
        body["text"] = recording.text.into();
        body["confidence"] = mean(&words).into();
        // Whole seconds, as the real server has them.
        body["audio_duration"] = recording.duration_ms().div_ceil(1000).into();
        body["speech_model_used"] =
            self.params.get("speech_models").map_or(Value::Null, |models| models[0].clone());
        if self.flag("language_detection") {
            body["language_confidence"] = CONFIDENCE.into();
        }
        if speaker.is_some() {
            body["utterances"] = json!([{
                "speaker": speaker,
                "text": recording.text,
                "start": words.first().map(|word| word.start_ms),
                "end": words.last().map(|word| word.end_ms),
                "confidence": mean(&words),
                "words": told,
            }]);
        }
        body["words"] = told.into();
    }

    fn language(&self) -> Value {
        match self.params.get("language_code") {
            Some(code) if code.is_string() => code.clone(),
            _ if self.flag("language_detection") => "en".into(),
            _ => "en_us".into(),
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.params.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// A word as JSON.
pub(super) fn tell(word: &Word, speaker: Option<&str>) -> Value {
    json!({
        "text": word.text,
        "start": word.start_ms,
        "end": word.end_ms,
        "confidence": word.confidence.unwrap_or(CONFIDENCE),
        "speaker": speaker,
    })
}

/// The mean confidence of the words.
pub(super) fn mean(words: &[Word]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few words")]
    let count = words.len().max(1) as f64;
    words.iter().map(|word| word.confidence.unwrap_or(CONFIDENCE)).sum::<f64>() / count
}
