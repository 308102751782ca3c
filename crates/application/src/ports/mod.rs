//! The ports: every trait behind which the outside world stands.
//!
//! Every method is one atomic change: an adapter opens and closes its own transaction, and none
//! crosses a port. A port's error has a variant for each thing that a use case does differently;
//! the rest is [`PortFailure`]. Absence is `Ok(None)`. Each MUST of a port that keeps or
//! moves something has a case in its contract
//! suite, which anyone can run over an adapter of their own (crate `testkit`).

mod events;
mod health;
mod jobs;
mod limits;
mod media;
mod objects;
mod security;
mod speech;
mod system;
mod transcriptions;
mod users;

use std::{error::Error, fmt};

pub use events::{EventBus, Hint, Hints};
pub use health::{Check, HealthProbe};
pub use jobs::{
    CancelOutcome, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError, Erasure, IntentError,
    JobStore, Lease, NewSubmission, Pause, Resolution, StepEffects, TickReport,
};
pub use limits::{Budget, RateLimiter, Taken};
pub use media::{AudioFile, FetchError, MediaSource, Progress};
pub use objects::{BrokenOff, ByteStream, ObjectStore, PutError, StoredObject};
pub use security::{HashError, IssuedToken, PasswordHasher, TokenError, TokenIssuer, Verified};
pub use speech::{
    Capabilities, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
pub use system::{Clock, Entropy, Ids};
pub use transcriptions::{Found, TitledTranscript, TranscriptionRepository};
pub use users::{InsertUserError, UserRepository};

/// A failure of the outside world that a use case can only report.
#[derive(Debug)]
pub struct PortFailure {
    operation: &'static str,
    transient: bool,
    source: Box<dyn Error + Send + Sync>,
}

impl PortFailure {
    /// A failure that may pass: a connection, a time-out, a lock.
    pub fn transient(
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { operation, transient: true, source: source.into() }
    }

    /// A failure that trying again does not mend: corrupt data, a mistake of ours.
    pub fn permanent(
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { operation, transient: false, source: source.into() }
    }

    /// What was being done, as `port.method`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

impl fmt::Display for PortFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.operation)
    }
}

impl Error for PortFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}
