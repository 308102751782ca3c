//! The speech engine, watched: what it has accepted is erased there before the process ends, since
//! nobody will remember it afterwards.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use application::ports::{
    Capabilities, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::Transcript;

/// How long one erasure may take.
const ERASE_TIMEOUT: Duration = Duration::from_secs(20);

/// A speech engine of which every accepted job is remembered until it is erased.
pub(super) struct Witness {
    speech: Arc<dyn SpeechToText>,
    accepted: Mutex<BTreeSet<String>>,
}

impl Witness {
    pub(super) fn new(speech: Arc<dyn SpeechToText>) -> Self {
        Self { speech, accepted: Mutex::default() }
    }

    /// Erases what is still at the engine; what cannot be erased is named in the log.
    pub(super) async fn erase_rest(&self) {
        let rest = self.accepted().clone();
        for id in rest {
            let erased = tokio::time::timeout(ERASE_TIMEOUT, self.erase(&id)).await;
            if !matches!(erased, Ok(Ok(()))) {
                tracing::error!(
                    event = "provider_copy_not_erased",
                    provider.id = %id,
                    "a copy at the speech engine could not be erased; erase it by hand"
                );
            }
        }
    }

    fn accepted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SpeechToText for Witness {
    fn name(&self) -> &'static str {
        self.speech.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.speech.capabilities()
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        self.speech.upload(audio).await
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        let answer = self.speech.submit(request).await?;
        self.accepted().insert(answer.provider_id.clone());
        Ok(answer)
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        let found = self.speech.find(wanted).await?;
        self.accepted().extend(found.iter().flatten().cloned());
        Ok(found)
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        self.speech.poll(provider_id, polls, since, jitter).await
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        self.speech.result(provider_id, video_url).await
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.speech.erase(provider_id).await?;
        self.accepted().remove(provider_id);
        Ok(())
    }
}
