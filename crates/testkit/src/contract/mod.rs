//! What every adapter of a port must do, as ordinary functions that anyone can run over an adapter
//! of their own, and macros that make one test of each.
//!
//! ```text
//! testkit::job_store_contract!(sqlite, crate::a_fresh_store());
//! ```
//! The expression is an `async` block or call, evaluated anew for every case. For
//! [`job_store_contract`](crate::job_store_contract) and
//! [`transcription_repository_contract`](crate::transcription_repository_contract) it yields
//! [`Stores`]; for [`user_repository_contract`](crate::user_repository_contract) a pair of the
//! repository and whatever must live as long; for
//! [`rate_limiter_contract`](crate::rate_limiter_contract) a pair of the limiter and its
//! [`TestClock`]; the other macros say it themselves. A case panics where the adapter breaks its promise.

pub mod events;
pub mod jobs;
pub mod limits;
mod macros;
pub mod media;
pub mod objects;
mod samples;
pub mod security;
pub mod speech;
mod stores;
pub mod transcriptions;
pub mod users;

use std::sync::{Mutex, PoisonError};

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};

pub use samples::{a_submission, a_transcript, a_transcription, a_user};
pub use stores::Stores;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    /// A clock that stands at some noon.
    pub fn at_noon() -> Self {
        Self(Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_454) + TimeDelta::hours(12)))
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
