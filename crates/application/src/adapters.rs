//! The one place where ports become use cases.

use std::sync::Arc;

use domain::AddressPolicy;

use crate::{
    Accounts, Callbacks, Limits, Transcriptions, Uploads,
    limits::Quotas,
    ports::{
        Clock, Entropy, EventBus, HealthProbe, Ids, JobStore, MediaSource, ObjectStore,
        PasswordHasher, RateLimiter, SpeechToText, TokenIssuer, TranscriptionRepository,
        UserRepository,
    },
    uploads::UploadLimits,
};

/// One adapter for each port. The server fills it from the settings; a test fills it with fakes
/// and replaces the one it is about.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct Adapters {
    pub users: Arc<dyn UserRepository>,
    pub transcriptions: Arc<dyn TranscriptionRepository>,
    pub jobs: Arc<dyn JobStore>,
    pub speech: Arc<dyn SpeechToText>,
    pub media: Arc<dyn MediaSource>,
    pub objects: Arc<dyn ObjectStore>,
    pub limiter: Arc<dyn RateLimiter>,
    pub events: Arc<dyn EventBus>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub tokens: Arc<dyn TokenIssuer>,
    pub health: Arc<dyn HealthProbe>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub entropy: Arc<dyn Entropy>,
}

/// The use cases that a transport offers.
pub struct Services {
    /// Accounts and who is calling.
    pub accounts: Accounts,
    /// Transcriptions.
    pub transcriptions: Transcriptions,
    /// What the speech engine calls back about.
    pub callbacks: Callbacks,
    /// Files that users hand in.
    pub uploads: Uploads,
    /// How often a caller may call.
    pub limits: Limits,
    /// Whether the service can do its work.
    pub health: Arc<dyn HealthProbe>,
    /// Time, for transports that must tell it.
    pub clock: Arc<dyn Clock>,
    /// Identifiers, for requests.
    pub ids: Arc<dyn Ids>,
}

impl Adapters {
    /// Builds the use cases.
    pub fn services(
        &self,
        quotas: Quotas,
        policy: AddressPolicy,
        uploads: UploadLimits,
    ) -> Services {
        Services {
            accounts: Accounts::new(self),
            transcriptions: Transcriptions::new(self, policy),
            callbacks: Callbacks::new(self),
            uploads: Uploads::new(self, uploads),
            limits: Limits::new(Arc::clone(&self.limiter), quotas),
            health: Arc::clone(&self.health),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
        }
    }
}
