//! Transcriptions on the wire.

use std::collections::BTreeMap;

use application::ports::Found;
use domain::{Failure, Source, Transcription, TranscriptionState};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{instant, seconds};

/// What is to be transcribed, and how.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
pub(crate) struct TranscriptionRequest {
    /// The address of one `YouTube` video in any of its forms, or an http or https URL of a media
    /// file on a public address.
    #[schema(max_length = 2048, example = "https://www.youtube.com/watch?v=dQw4w9WgXcQ")]
    video_url: String,
    /// `auto`, which is the default, or a BCP 47 tag such as `fr`.
    #[schema(example = "auto")]
    language: Option<String>,
    /// Whether speakers are told apart; by default they are not.
    #[schema(example = true)]
    speaker_labels: Option<bool>,
    /// How many speakers there are; needs `speaker_labels`.
    #[schema(minimum = 1, maximum = 30, example = 2)]
    speakers_expected: Option<u8>,
    /// Words and phrases to expect: at most 100, each of at most 100 characters and 6 words.
    #[schema(max_items = 100, example = json!(["SaaS-IA"]))]
    keyterms: Option<Vec<String>>,
    /// Pairs of text to read back later: at most 20, keys of at most 40 and values of at most 500
    /// characters.
    #[schema(example = json!({"project": "demo"}))]
    metadata: Option<BTreeMap<String, String>>,
}

/// A recording to be transcribed, and how.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read part by part")]
pub(crate) struct UploadRequest {
    /// The recording. What counts is what is in it: neither its name nor its type are looked at.
    /// The name becomes the title of the source.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// `auto`, which is the default, or a BCP 47 tag such as `fr`.
    #[schema(example = "auto")]
    language: Option<String>,
    /// Whether speakers are told apart; by default they are not.
    #[schema(example = true)]
    speaker_labels: Option<bool>,
    /// How many speakers there are; needs `speaker_labels`.
    #[schema(minimum = 1, maximum = 30, example = 2)]
    speakers_expected: Option<u8>,
    /// Words and phrases to expect, as one JSON array: at most 100, each of at most 100 characters
    /// and 6 words.
    #[schema(value_type = Option<String>, content_media_type = "application/json",
        example = "[\"SaaS-IA\"]")]
    keyterms: Option<Vec<String>>,
    /// Pairs of text to read back later, as a JSON object: at most 20, keys of at most 40 and
    /// values of at most 500 characters.
    #[schema(value_type = Option<String>, content_media_type = "application/json",
        example = "{\"project\": \"demo\"}")]
    metadata: Option<BTreeMap<String, String>>,
}

/// A transcription with its text.
#[derive(Serialize, ToSchema)]
#[schema(as = Transcription)]
pub(crate) struct TranscriptionBody {
    /// Everything but the text.
    #[serde(flatten)]
    item: TranscriptionItem,
    /// The text, once completed.
    #[schema(required = true, example = json!(null))]
    text: Option<String>,
}

/// A transcription as lists show it: without its text.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionItem {
    /// Which one.
    #[schema(example = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192")]
    id: Uuid,
    /// Whose.
    #[schema(example = "01938e5a-0000-7c9e-8f2a-4d5e6f708192")]
    user_id: Uuid,
    /// The source as it was sent; `null` for a file that was handed in.
    #[schema(required = true, example = "https://youtu.be/dQw4w9WgXcQ")]
    video_url: Option<String>,
    /// The source as it was understood.
    source: SourceBody,
    /// The language asked for.
    #[schema(example = "auto")]
    language: String,
    /// The language recognised or used.
    #[schema(required = true, example = json!(null))]
    language_detected: Option<String>,
    /// `pending`, `processing`, `completed`, `failed` or `canceled`; others may follow.
    #[schema(example = "pending")]
    status: &'static str,
    /// What is being done: `fetching`, `uploading`, `submitting`, `transcribing` or `storing`;
    /// others may follow.
    #[schema(required = true, example = json!(null))]
    stage: Option<&'static str>,
    /// How far that is, where it is known.
    #[schema(required = true, minimum = 0.0, maximum = 1.0, example = json!(null))]
    progress: Option<f64>,
    /// How sure the engine is of the whole, if it says.
    #[schema(required = true, minimum = 0.0, maximum = 1.0, example = json!(null))]
    confidence: Option<f64>,
    /// The length of the recording, as the engine measured it.
    #[schema(required = true, minimum = 0.0, example = json!(null))]
    duration_seconds: Option<f64>,
    /// The engine that does it.
    #[schema(example = "mock")]
    engine: String,
    /// Why it failed.
    #[schema(required = true, example = json!(null))]
    error: Option<TranscriptionFailure>,
    /// How often it was begun again after a failure or a crash.
    #[schema(example = 0)]
    retry_count: u32,
    /// The pairs that were sent with it.
    #[schema(example = json!({"project": "demo"}))]
    metadata: BTreeMap<String, String>,
    /// When it was accepted.
    #[schema(format = DateTime, example = "2026-11-22T17:05:09.123456Z")]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2026-11-22T17:05:09.123456Z")]
    updated_at: String,
    /// When work began.
    #[schema(required = true, format = DateTime, example = json!(null))]
    started_at: Option<String>,
    /// When the transcript was there.
    #[schema(required = true, format = DateTime, example = json!(null))]
    completed_at: Option<String>,
    /// Where to go from here.
    links: TranscriptionLinks,
}

/// The source as it was understood.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct SourceBody {
    /// `youtube`, `media` or `upload`; others may follow.
    #[schema(example = "youtube")]
    kind: &'static str,
    /// The id of a `YouTube` video.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "dQw4w9WgXcQ")]
    id: Option<String>,
    /// The title, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
    /// The length, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0.0)]
    duration_seconds: Option<f64>,
}

/// Why a transcription failed.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionFailure {
    /// A stable word for programs; others may follow.
    #[schema(example = "source_forbidden")]
    code: &'static str,
    /// A sentence for people.
    #[schema(example = "The URL leads to an address from which this service does not fetch.")]
    message: String,
    /// What was being done.
    #[schema(example = "fetching")]
    stage: &'static str,
    /// Whether a new transcription with the same options may succeed.
    #[schema(example = false)]
    retriable: bool,
}

/// Paths of what can be done with a transcription.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionLinks {
    /// The transcription itself.
    #[serde(rename = "self")]
    #[schema(example = "/api/transcription/01938e5a-7b3c-7c9e-8f2a-4d5e6f708192")]
    itself: String,
    /// Its words and speakers, once completed.
    #[schema(example = "/api/transcription/01938e5a-7b3c-7c9e-8f2a-4d5e6f708192/transcript")]
    transcript: String,
    /// The same in another format; `{format}` stands for `txt`, `srt`, `vtt`, `json`, `md` or
    /// `tsv`.
    #[schema(example = "/api/transcription/01938e5a-7b3c-7c9e-8f2a-4d5e6f708192/export/{format}")]
    exports: String,
    /// Calls it off.
    #[schema(example = "/api/transcription/01938e5a-7b3c-7c9e-8f2a-4d5e6f708192/cancel")]
    cancel: String,
}

/// A page of transcriptions, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct TranscriptionPage {
    /// The transcriptions.
    pub(crate) items: Vec<TranscriptionItem>,
    /// Whether there are more.
    #[schema(example = false)]
    pub(crate) has_more: bool,
    /// What to send as `cursor` for the next page.
    #[schema(required = true, example = json!(null))]
    pub(crate) next_cursor: Option<String>,
    /// How many there are on all pages; only with `include=total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1)]
    pub(crate) total: Option<u64>,
}

impl TranscriptionBody {
    /// One without text: just accepted, or just called off.
    pub(crate) fn without_text(transcription: &Transcription) -> Self {
        Self { item: TranscriptionItem::from(transcription), text: None }
    }
}

impl From<Found> for TranscriptionBody {
    fn from(found: Found) -> Self {
        Self { item: TranscriptionItem::from(&found.transcription), text: found.text }
    }
}

impl From<&Transcription> for TranscriptionItem {
    fn from(transcription: &Transcription) -> Self {
        let parts = transcription.parts();
        let state = Standing::from(&parts.state);
        Self {
            id: parts.id.as_uuid(),
            user_id: parts.owner.as_uuid(),
            video_url: parts.video_url.clone(),
            source: SourceBody {
                kind: parts.source.kind(),
                id: match &parts.source {
                    Source::YouTube(id) => Some(id.as_str().to_owned()),
                    Source::Media(_) | Source::Upload(_) => None,
                },
                title: parts.facts.title.clone(),
                duration_seconds: parts.facts.duration_ms.map(seconds),
            },
            language: parts.options.language.as_str().to_owned(),
            language_detected: state.language_detected,
            status: transcription.status().as_str(),
            stage: state.stage,
            progress: state.progress,
            confidence: state.confidence,
            duration_seconds: state.duration_seconds,
            engine: parts.engine.clone(),
            error: state.error,
            retry_count: parts.retry_count,
            metadata: parts.metadata.as_map().clone(),
            created_at: instant(parts.created_at),
            updated_at: instant(parts.updated_at),
            started_at: parts.state.started_at().map(instant),
            completed_at: state.completed_at,
            links: TranscriptionLinks::of(parts.id.as_uuid()),
        }
    }
}

impl TranscriptionLinks {
    fn of(id: Uuid) -> Self {
        let itself = format!("/api/transcription/{id}");
        Self {
            transcript: format!("{itself}/transcript"),
            exports: format!("{itself}/export/{{format}}"),
            cancel: format!("{itself}/cancel"),
            itself,
        }
    }
}

impl From<&Failure> for TranscriptionFailure {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code().as_str(),
            message: failure.message(),
            stage: failure.stage().as_str(),
            retriable: failure.retriable(),
        }
    }
}

/// The members that depend on where a transcription stands.
#[derive(Default)]
struct Standing {
    language_detected: Option<String>,
    stage: Option<&'static str>,
    progress: Option<f64>,
    confidence: Option<f64>,
    duration_seconds: Option<f64>,
    error: Option<TranscriptionFailure>,
    completed_at: Option<String>,
}

impl From<&TranscriptionState> for Standing {
    fn from(state: &TranscriptionState) -> Self {
        match state {
            TranscriptionState::Pending | TranscriptionState::Canceled { .. } => Self::default(),
            TranscriptionState::Processing { stage, progress, .. } => {
                Self { stage: Some(stage.as_str()), progress: *progress, ..Self::default() }
            }
            TranscriptionState::Completed { completed_at, facts, .. } => Self {
                language_detected: facts.language_detected.as_ref().map(|l| l.as_str().to_owned()),
                confidence: facts.confidence,
                duration_seconds: facts.duration_ms.map(seconds),
                completed_at: Some(instant(*completed_at)),
                ..Self::default()
            },
            TranscriptionState::Failed { failure, .. } => {
                Self { error: Some(failure.into()), ..Self::default() }
            }
        }
    }
}
