//! A speech engine with a fault.

use std::{path::Path, sync::Arc};

use application::ports::{
    Capabilities, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{FailureCode, Transcript};

use super::Faults;
use crate::fakes::speech_error;

/// Passes every call on, except where [`Faults`] says otherwise. A call that fails before it did
/// anything is one for which the engine could not be reached.
pub struct FaultySpeech {
    inner: Arc<dyn SpeechToText>,
    faults: Arc<Faults>,
}

impl FaultySpeech {
    /// Passes calls on to `inner`.
    pub fn new(inner: Arc<dyn SpeechToText>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    /// A call whose outcome can be asked for again.
    async fn call<T>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, SpeechError>>,
    ) -> Result<T, SpeechError> {
        self.faults.around(operation, work, unreachable, async || unreachable()).await
    }
}

fn unreachable() -> SpeechError {
    speech_error(FailureCode::ProviderUnavailable)
}

#[async_trait]
impl SpeechToText for FaultySpeech {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        self.call("speech.upload", self.inner.upload(audio)).await
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        let lost = async || speech_error(FailureCode::SubmissionUnknown);
        self.faults.around("speech.submit", self.inner.submit(request), unreachable, lost).await
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.call("speech.find", self.inner.find(wanted)).await
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        self.call("speech.poll", self.inner.poll(provider_id, polls, since, jitter)).await
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        self.call("speech.result", self.inner.result(provider_id, video_url)).await
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.call("speech.erase", self.inner.erase(provider_id)).await
    }
}
