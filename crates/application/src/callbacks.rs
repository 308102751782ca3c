//! A speech engine calls back about a job that it keeps for us.
//!
//! A callback is a hint and nothing more: it makes the engine be asked sooner. What it says is
//! never stored as a fact, and without it every job ends just the same.

use std::sync::Arc;

use domain::CallbackToken;

use crate::{
    Adapters,
    ports::{EventBus, Hint, JobStore, PortFailure},
};

/// The longest name for a job at the engine that is remembered, in bytes: nobody who calls may
/// fill the database.
const MAX_PROVIDER_ID: usize = 128;

/// Takes in callbacks of a speech engine.
pub struct Callbacks {
    jobs: Arc<dyn JobStore>,
    events: Arc<dyn EventBus>,
}

impl Callbacks {
    /// The use case over the given ports.
    pub fn new(adapters: &Adapters) -> Self {
        Self { jobs: Arc::clone(&adapters.jobs), events: Arc::clone(&adapters.events) }
    }

    /// Takes in that the engine called with this token, and perhaps under which name it keeps the
    /// job. `false` for a token that belongs to no submission.
    ///
    /// # Errors
    /// [`PortFailure`] of the job store; the engine may call again.
    pub async fn hear(&self, token: &str, provider_id: Option<&str>) -> Result<bool, PortFailure> {
        let Some(token) = CallbackToken::parse(token) else {
            return Ok(false);
        };
        let provider_id = provider_id.filter(|id| is_plausible(id));
        let Some(job) = self.jobs.hear(&token.digest(), provider_id).await? else {
            return Ok(false);
        };
        tracing::info!(event = "callback_heard", job.id = %job, "the speech engine called back");
        self.events.publish(Hint::Ready);
        self.events.publish(Hint::Changed(job));
        Ok(true)
    }
}

/// Whether this can be an engine's name for a job; it goes into the path of a request later.
fn is_plausible(provider_id: &str) -> bool {
    !provider_id.is_empty()
        && provider_id.len() <= MAX_PROVIDER_ID
        && provider_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
