//! What arrived at the engine, and what it took.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use domain::{CallbackDigest, TranscriptionOptions};

/// A method of [`SpeechToText`](application::ports::SpeechToText) that goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpeechMethod {
    /// `SpeechToText::upload`.
    Upload,
    /// `SpeechToText::submit`.
    Submit,
    /// `SpeechToText::find`.
    Find,
    /// `SpeechToText::poll`.
    Poll,
    /// `SpeechToText::result`.
    Result,
    /// `SpeechToText::erase`.
    Erase,
}

/// A call that arrived at the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the method")]
pub enum SpeechCall {
    /// `SpeechToText::upload`.
    Upload { audio: PathBuf },
    /// `SpeechToText::submit`.
    Submit { upload_url: Option<String>, options: TranscriptionOptions, timeout: Duration },
    /// `SpeechToText::find` for so many submissions.
    Find { wanted: usize },
    /// `SpeechToText::poll`.
    Poll { provider_id: String, polls: u32, since: DateTime<Utc> },
    /// `SpeechToText::result`.
    Result { provider_id: String, video_url: String },
    /// `SpeechToText::erase`.
    Erase { provider_id: String },
}

impl SpeechCall {
    /// Which method was called.
    pub fn method(&self) -> SpeechMethod {
        match self {
            Self::Upload { .. } => SpeechMethod::Upload,
            Self::Submit { .. } => SpeechMethod::Submit,
            Self::Find { .. } => SpeechMethod::Find,
            Self::Poll { .. } => SpeechMethod::Poll,
            Self::Result { .. } => SpeechMethod::Result,
            Self::Erase { .. } => SpeechMethod::Erase,
        }
    }
}

/// A job that the engine accepted, and that its owner would be billed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedJob {
    /// The engine's name for it.
    pub provider_id: String,
    /// The audio it was given.
    pub upload_url: Option<String>,
    /// What is kept of the token that it would call back with.
    pub callback: CallbackDigest,
    /// Whether its list shows it.
    pub listed: bool,
    /// Whether it was erased.
    pub erased: bool,
}
