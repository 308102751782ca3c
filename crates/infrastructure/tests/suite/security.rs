//! Passwords, tokens, limits and the cache of accounts.

#![cfg(test)]

mod cache;
mod limits;
mod passwords;
mod tokens;

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use application::ports::{Clock, Ids};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A clock that moves only when told.
struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    fn at_noon() -> Self {
        Self(Mutex::new(noon()))
    }

    fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Identifiers that count up.
#[derive(Default)]
struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

fn noon() -> DateTime<Utc> {
    "2026-03-04T12:00:00Z".parse().unwrap()
}
