//! What goes over the wire, as far as this service needs it.

use application::ports::SpeechError;
use domain::{FailureCode, Transcript, TranscriptionOptions, Utterance, Word};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{classify::failure, language};

/// What the engine puts in the place of the audio of a deleted job.
pub(super) const DELETED: &str = "deleted_by_user";
/// Longest address of an upload, in bytes.
const MAX_URL: usize = 2048;

/// The answer to an upload.
#[derive(Debug, Deserialize)]
pub(super) struct Uploaded {
    upload_url: String,
}

impl Uploaded {
    /// The engine's name for the audio.
    pub(super) fn url(self) -> Result<String, SpeechError> {
        let web = |url: &Url| matches!(url.scheme(), "http" | "https");
        if self.upload_url.len() <= MAX_URL && Url::parse(&self.upload_url).is_ok_and(|u| web(&u)) {
            Ok(self.upload_url)
        } else {
            Err(failure(FailureCode::ProviderProtocol))
        }
    }
}

/// The order for a job.
#[derive(Serialize)]
pub(super) struct JobRequest<'a> {
    audio_url: &'a str,
    speech_models: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    language_detection: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    speaker_labels: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    speakers_expected: Option<u8>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    keyterms_prompt: &'a [String],
    /// Holds a secret: not to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
}

impl<'a> JobRequest<'a> {
    pub(super) fn new(
        audio_url: &'a str,
        speech_models: &'a [String],
        options: &'a TranscriptionOptions,
        webhook_url: Option<String>,
    ) -> Self {
        let language_code = language::code(&options.language);
        Self {
            audio_url,
            speech_models,
            // Leaving both out would mean American English.
            language_detection: language_code.is_none(),
            language_code,
            speaker_labels: options.speaker_labels,
            speakers_expected: options.speakers_expected.filter(|_| options.speaker_labels),
            keyterms_prompt: options.keyterms.as_slice(),
            webhook_url,
        }
    }
}

/// The answer to an order.
#[derive(Debug, Deserialize)]
pub(super) struct Created {
    pub(super) id: String,
}

/// A job, without its transcript.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    id: String,
    status: String,
    error: Option<String>,
    audio_url: Option<String>,
}

/// Where a job stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Working,
    Completed,
    Deleted,
    Failed(Option<String>),
}

impl Progress {
    /// Where it stands, if it is the job that was asked for: a confused cache between us and the
    /// engine must not hand out another's text.
    pub(super) fn of(self, provider_id: &str) -> Result<Standing, SpeechError> {
        if self.id != provider_id {
            return Err(failure(FailureCode::ProviderProtocol));
        }
        match self.status.as_str() {
            "queued" | "processing" => Ok(Standing::Working),
            "completed" if self.audio_url.is_some_and(|url| url.contains(DELETED)) => {
                Ok(Standing::Deleted)
            }
            "completed" => Ok(Standing::Completed),
            "error" => Ok(Standing::Failed(self.error)),
            _ => Err(failure(FailureCode::ProviderProtocol)),
        }
    }
}

/// A completed job.
#[derive(Debug, Deserialize)]
pub(super) struct Job {
    text: String,
    words: Vec<Span>,
    utterances: Option<Vec<Span>>,
    confidence: Option<f64>,
    audio_duration: Option<f64>,
    language_code: Option<String>,
}

/// A word or an utterance; times are in milliseconds.
#[derive(Debug, Deserialize)]
struct Span {
    text: String,
    start: f64,
    end: f64,
    confidence: Option<f64>,
    speaker: Option<String>,
}

impl Job {
    /// The transcript; what the engine does not report stays absent.
    ///
    /// # Errors
    /// `provider_protocol` for times that are none.
    pub(super) fn transcript(self) -> Result<Transcript, SpeechError> {
        let mut words = Vec::with_capacity(self.words.len());
        for span in self.words {
            let (start_ms, end_ms) = span.times()?;
            let confidence = span.confidence.filter(|c| is_share(*c));
            words.push(Word {
                text: span.text,
                start_ms,
                end_ms,
                confidence,
                speaker: span.speaker,
            });
        }
        words.sort_by_key(|word| word.start_ms);
        let mut utterances = Vec::new();
        for span in self.utterances.unwrap_or_default() {
            let (start_ms, end_ms) = span.times()?;
            utterances.push(Utterance {
                start_ms,
                end_ms,
                confidence: span.confidence.filter(|c| is_share(*c)),
                speaker: span.speaker,
                text: span.text,
            });
        }
        Ok(Transcript {
            text: self.text,
            language: self.language_code.as_deref().and_then(language::tag),
            confidence: self.confidence.filter(|c| is_share(*c)),
            duration_ms: self.audio_duration.map(|seconds| millis(seconds * 1000.0)).transpose()?,
            words,
            utterances,
        })
    }
}

impl Span {
    /// Beginning and end; an end before the beginning is the beginning.
    fn times(&self) -> Result<(u64, u64), SpeechError> {
        let (start, end) = (millis(self.start)?, millis(self.end)?);
        Ok((start, end.max(start)))
    }
}

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn millis(value: f64) -> Result<u64, SpeechError> {
    // A thousand days; far beyond any recording.
    if !(0.0..=86_400_000_000.0).contains(&value) {
        return Err(failure(FailureCode::ProviderProtocol));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked just above"
    )]
    Ok(value.round() as u64)
}
