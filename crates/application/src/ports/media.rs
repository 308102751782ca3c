//! Bringing the audio of a source here.

use std::path::PathBuf;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{FailureCode, Source, SourceFacts, TranscriptionId};

use super::PortFailure;

/// A local file with the audio of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What is known of the source.
    pub facts: SourceFacts,
}

/// Why there is no audio. `detail` is for the log, never for the user: it could tell what the
/// service can reach.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", .code.as_str())]
pub struct FetchError {
    /// What the user is told.
    pub code: FailureCode,
    /// When the other side wants to be asked again.
    pub retry_after: Option<TimeDelta>,
    /// What really happened.
    pub detail: String,
}

/// Is told how far a fetch is.
pub trait Progress: Send + Sync {
    /// Takes a share, 0 to 1. Called as often as the fetch likes; cheap, and never waits.
    fn at(&self, share: f64);
}

/// For whom nobody waits.
impl Progress for () {
    fn at(&self, _: f64) {}
}

/// Turns sources into local audio files, one for each job.
#[async_trait]
pub trait MediaSource: Send + Sync {
    /// Fetches `source` for `job`. What a former attempt left is used or replaced. Dropping the
    /// future ends the fetch; what it left is replaced by the next one, or goes with
    /// [`Self::discard`].
    ///
    /// # Errors
    /// [`FetchError`]; then nothing is kept.
    async fn fetch(
        &self,
        job: TranscriptionId,
        source: &Source,
        progress: &dyn Progress,
    ) -> Result<AudioFile, FetchError>;

    /// Removes what is kept for `job`; nothing kept is no error.
    async fn discard(&self, job: TranscriptionId) -> Result<(), PortFailure>;

    /// The jobs for which something is kept.
    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure>;
}
