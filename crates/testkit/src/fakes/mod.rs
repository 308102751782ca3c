//! In-memory fakes of every port, scriptable where a test needs the outside world to misbehave.
//!
//! [`adapters`] makes one of each over one [`ManualClock`]; a test replaces the one it is about:
//!
//! ```
//! # use std::sync::Arc;
//! # use application::Adapters;
//! # use testkit::fakes::{self, Down};
//! let fakes = fakes::adapters();
//! let without_database = Adapters { jobs: Arc::new(Down), ..fakes.adapters() };
//! ```

mod bus;
mod down;
mod gate;
mod health;
mod limits;
mod media;
mod objects;
mod security;
mod speech;
mod system;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use application::Adapters;

use crate::memory::InMemoryStore;

pub use bus::LocalBus;
pub use down::Down;
pub use gate::Gate;
pub use health::FixedHealth;
pub use limits::{UnlimitedLimiter, WindowLimiter};
pub use media::{MediaCall, ScriptedMedia, fetch_error};
pub use objects::InMemoryObjects;
pub use security::{PlainHasher, PlainTokens};
pub use speech::{
    AcceptedJob, ScriptedSpeech, SpeechCall, SpeechMethod, small_transcript, speech_error,
};
pub use system::{FixedEntropy, ManualClock, SequentialIds};

/// One fake of each port, to be scripted and looked into by a test.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the fake of its type")]
pub struct Fakes {
    pub store: Arc<InMemoryStore>,
    pub speech: Arc<ScriptedSpeech>,
    pub media: Arc<ScriptedMedia>,
    pub objects: Arc<InMemoryObjects>,
    pub limiter: Arc<UnlimitedLimiter>,
    pub events: Arc<LocalBus>,
    pub hasher: Arc<PlainHasher>,
    pub tokens: Arc<PlainTokens>,
    pub health: Arc<FixedHealth>,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<SequentialIds>,
    pub entropy: Arc<FixedEntropy>,
}

/// One fake of each port; the store takes its time from the same clock as the rest.
pub fn adapters() -> Fakes {
    let clock = Arc::new(ManualClock::default());
    Fakes {
        store: Arc::new(InMemoryStore::new(clock.clone())),
        speech: Arc::default(),
        media: Arc::default(),
        objects: Arc::new(InMemoryObjects::at(clock.clone())),
        limiter: Arc::default(),
        events: Arc::default(),
        hasher: Arc::default(),
        tokens: Arc::default(),
        health: Arc::default(),
        clock,
        ids: Arc::default(),
        entropy: Arc::default(),
    }
}

impl Fakes {
    /// The fakes as the adapters of the application.
    pub fn adapters(&self) -> Adapters {
        Adapters {
            users: self.store.clone(),
            transcriptions: self.store.clone(),
            jobs: self.store.clone(),
            speech: self.speech.clone(),
            media: self.media.clone(),
            objects: self.objects.clone(),
            limiter: self.limiter.clone(),
            events: self.events.clone(),
            hasher: self.hasher.clone(),
            tokens: self.tokens.clone(),
            health: self.health.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            entropy: self.entropy.clone(),
        }
    }
}

/// Locks what a fake keeps. A test that panicked while it held the lock has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
