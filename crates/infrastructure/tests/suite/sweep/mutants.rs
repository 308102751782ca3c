//! Engines that lack a safeguard, to show that the checker would notice.

mod unfenced;

use std::{path::Path, sync::Arc, time::Duration};

use application::{
    EngineConfig,
    ports::{
        Capabilities, JobStore, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest,
        Wanted,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{SettlePolicy, Transcript};
use infrastructure::persistence::Store;

use super::world::config;
use unfenced::Unfenced;

/// What an engine lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Nothing.
    None,
    /// It never takes a lease for lost: neither by itself, nor when the store says so.
    NoFence,
    /// It sends an open intent again.
    SendsAgain,
    /// It looks for a lost submission for less long than a process may stand still.
    GivesUpEarly,
}

impl Mutant {
    const ALL: [Self; 4] = [Self::None, Self::NoFence, Self::SendsAgain, Self::GivesUpEarly];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::NoFence => "no-fence",
            Self::SendsAgain => "sends-again",
            Self::GivesUpEarly => "gives-up-early",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }

    /// How the engine works.
    pub(super) fn config(self) -> EngineConfig {
        match self {
            Self::None | Self::SendsAgain => config(),
            // So that its own fence never falls.
            Self::NoFence => EngineConfig { lease: Duration::from_mins(1), ..config() },
            Self::GivesUpEarly => {
                let window = TimeDelta::milliseconds(2_500);
                let settle = SettlePolicy { window, ..SettlePolicy::default() };
                EngineConfig { settle, ..config() }
            }
        }
    }

    /// How the engine works that takes over from one that stands still.
    pub(super) fn config_of_another(self) -> EngineConfig {
        match self {
            Self::None | Self::SendsAgain | Self::NoFence => config(),
            Self::GivesUpEarly => self.config(),
        }
    }

    /// The store as the engine sees it.
    pub(super) fn jobs(self, jobs: Arc<dyn JobStore>, store: &Arc<Store>) -> Arc<dyn JobStore> {
        match self {
            Self::None | Self::SendsAgain | Self::GivesUpEarly => jobs,
            Self::NoFence => Arc::new(Unfenced { jobs, store: store.clone() }),
        }
    }

    /// The speech engine as the engine sees it.
    pub(super) fn speech(self, speech: Arc<dyn SpeechToText>) -> Arc<dyn SpeechToText> {
        match self {
            Self::None | Self::NoFence | Self::GivesUpEarly => speech,
            Self::SendsAgain => Arc::new(Careless(speech)),
        }
    }
}

/// Says that to submit twice does no harm.
struct Careless(Arc<dyn SpeechToText>);

#[async_trait]
impl SpeechToText for Careless {
    fn capabilities(&self) -> Capabilities {
        Capabilities { resubmission_is_harmless: true, ..self.0.capabilities() }
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        self.0.upload(audio).await
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        self.0.submit(request).await
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.0.find(wanted).await
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        self.0.poll(provider_id, polls, since, jitter).await
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        self.0.result(provider_id, video_url).await
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.0.erase(provider_id).await
    }
}
