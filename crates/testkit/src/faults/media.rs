//! A source of audio with a fault.

use std::sync::Arc;

use application::ports::{AudioFile, FetchError, MediaSource, PortFailure, Progress};
use async_trait::async_trait;
use domain::{FailureCode, Source, TranscriptionId};

use super::{Faults, jobs::failure};
use crate::fakes::fetch_error;

/// Passes every call on, except where [`Faults`] says otherwise.
pub struct FaultyMedia {
    inner: Arc<dyn MediaSource>,
    faults: Arc<Faults>,
}

impl FaultyMedia {
    /// Passes calls on to `inner`.
    pub fn new(inner: Arc<dyn MediaSource>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

fn unreachable() -> FetchError {
    fetch_error(FailureCode::SourceUnreachable)
}

#[async_trait]
impl MediaSource for FaultyMedia {
    async fn fetch(
        &self,
        job: TranscriptionId,
        source: &Source,
        progress: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        // The port promises that nothing is kept after an error.
        let lost = async || match self.inner.discard(job).await {
            Ok(()) => unreachable(),
            Err(failure) => FetchError { detail: failure.to_string(), ..unreachable() },
        };
        let fetch = self.inner.fetch(job, source, progress);
        self.faults.around("media.fetch", fetch, unreachable, lost).await
    }

    async fn discard(&self, job: TranscriptionId) -> Result<(), PortFailure> {
        let refused = || failure("media.discard");
        let lost = async || failure("media.discard");
        self.faults.around("media.discard", self.inner.discard(job), refused, lost).await
    }

    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.inner.kept().await
    }
}
