//! Speech recognition by an engine outside.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{CallbackDigest, CallbackToken, FailureCode, Transcript, TranscriptionOptions};

/// What an engine can do and needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it needs the audio; without, fetching and uploading are skipped.
    pub needs_audio: bool,
    /// Whether submitting the same job twice does no harm.
    pub resubmission_is_harmless: bool,
    /// Whether the number of jobs there is limited (`PROVIDER_CONCURRENCY`).
    pub limited_concurrency: bool,
}

/// What is submitted.
#[derive(Debug, Clone)]
pub struct SubmitRequest<'a> {
    /// The audio at the engine; `None` for an engine that needs none.
    pub upload_url: Option<&'a str>,
    /// What the user asked for.
    pub options: &'a TranscriptionOptions,
    /// The token for the engine to call back with; ignored by one that calls nobody back.
    pub callback: &'a CallbackToken,
    /// How long the call may take, answer included.
    pub timeout: std::time::Duration,
}

/// The engine's answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitAnswer {
    /// The engine's name for the job.
    pub provider_id: String,
    /// How long to wait before asking for the first time.
    pub check_after: TimeDelta,
}

/// A submission whose answer was lost.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The audio at the engine: of this submission alone.
    pub upload_url: Option<&'a str>,
    /// What is kept of the token that went with it.
    pub callback: Option<CallbackDigest>,
    /// When it was written down; the request left later.
    pub since: DateTime<Utc>,
    /// Under which name a callback says that the engine keeps it; to be asked for first, and to be
    /// believed only if what is found there fits.
    pub hinted_id: Option<&'a str>,
}

/// The engine's answer to "how far are you?".
#[derive(Debug, Clone, PartialEq)]
pub enum PollAnswer {
    /// It still works.
    Pending {
        /// How long to wait before asking again.
        check_after: TimeDelta,
    },
    /// The result can be read.
    Finished,
    /// It failed.
    Failed(SpeechError),
}

/// Why an engine did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .code.as_str())]
pub struct SpeechError {
    /// What the user is told, and what decides on a retry. For a submission,
    /// [`FailureCode::SubmissionUnknown`] unless it is certain that the engine did not take it.
    pub code: FailureCode,
    /// When the engine wants to be asked again.
    pub retry_after: Option<TimeDelta>,
    /// The engine's own words, if it had any; may be shown to the user.
    pub detail: Option<String>,
}

/// An engine that turns speech into text. Every call has a deadline of its own; none is retried
/// inside.
#[async_trait]
pub trait SpeechToText: Send + Sync {
    /// The name under which jobs are kept, such as `assemblyai`.
    fn name(&self) -> &'static str;

    /// What it can do and needs.
    fn capabilities(&self) -> Capabilities;

    /// Brings audio to the engine, streaming it from the disk, and returns the engine's name for
    /// it. Free to repeat.
    async fn upload(&self, audio: &Path) -> Result<String, SpeechError>;

    /// Asks for a transcript. May cost money: called once for each intent.
    ///
    /// # Errors
    /// MUST be [`FailureCode::SubmissionUnknown`] whenever the engine may have accepted the job:
    /// after a time-out, a reset, a 5xx or an answer that cannot be read. Anything else promises
    /// that it did not.
    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError>;

    /// Looks for submissions among the jobs that the engine has accepted: for each the engine's
    /// name, or `None` if a complete listing back to `since` lacks it.
    ///
    /// # Errors
    /// MUST fail rather than answer `None` from a listing that was cut short or cannot be read.
    /// Not called where submitting twice is harmless.
    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError>;

    /// Asks how far a job is. `polls` counts the earlier calls, `since` is when it was submitted,
    /// `jitter` is in `[0, 1)`; they decide the next `check_after`.
    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError>;

    /// Reads the result of a finished job. `video_url` is what the user sent: the mock repeats it.
    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError>;

    /// Erases a job and its audio at the engine; one that is gone already is no error.
    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError>;
}
