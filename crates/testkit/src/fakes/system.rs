//! Time, identifiers and chance that repeat.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use application::ports::{Clock, Entropy, Ids};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::Uuid;

use super::lock;

/// 2026-01-01T00:00:00Z in seconds: where clocks and identifiers begin.
const EPOCH_SECONDS: u32 = 1_767_225_600;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that stands at `now`, cut to microseconds.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(now.trunc_subsecs(6)))
    }

    /// Moves the clock; backwards too, as clocks of machines do.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = lock(&self.0);
        *now = (*now + by).trunc_subsecs(6);
    }

    /// Sets the clock.
    pub fn set(&self, now: DateTime<Utc>) {
        *lock(&self.0) = now.trunc_subsecs(6);
    }
}

impl Default for ManualClock {
    /// Stands at midnight of 1 January 2026, UTC.
    fn default() -> Self {
        Self::at(DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::from(EPOCH_SECONDS)))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *lock(&self.0)
    }
}

/// Identifiers that rise by one, in the shape of a `UUIDv7`.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl Ids for SequentialIds {
    fn next(&self) -> Uuid {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let mut counter = [0; 10];
        counter[2..].copy_from_slice(&number.to_be_bytes());
        let millis = u64::from(EPOCH_SECONDS) * 1_000 + number;
        uuid::Builder::from_unix_timestamp_millis(millis, &counter).into_uuid()
    }
}

/// Numbers that follow from a seed, and a chance that is always the same.
#[derive(Debug)]
pub struct FixedEntropy {
    seed: AtomicU64,
    unit: Mutex<f64>,
}

impl FixedEntropy {
    /// Secrets that follow from `seed`; the chance is one half.
    pub fn seeded(seed: u64) -> Self {
        Self { seed: AtomicU64::new(seed), unit: Mutex::new(0.5) }
    }

    /// Sets what [`Entropy::unit`] returns.
    ///
    /// # Panics
    /// Outside of `[0, 1)`, which the port promises.
    pub fn set_unit(&self, unit: f64) {
        assert!((0.0..1.0).contains(&unit), "a chance is in [0, 1)");
        *lock(&self.unit) = unit;
    }

    /// `SplitMix64` (Steele, Lea and Flood 2014): a full period, no state but a counter.
    fn word(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.seed.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Default for FixedEntropy {
    fn default() -> Self {
        Self::seeded(0)
    }
}

impl Entropy for FixedEntropy {
    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        for chunk in secret.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.word().to_be_bytes());
        }
        secret
    }

    fn unit(&self) -> f64 {
        *lock(&self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::{FixedEntropy, ManualClock, SequentialIds};
    use application::ports::{Clock, Entropy, Ids};
    use chrono::TimeDelta;

    #[test]
    fn identifiers_rise_and_are_of_version_7() {
        let ids = SequentialIds::default();
        let made: Vec<_> = (0..1_000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn the_clock_keeps_whole_microseconds() {
        let clock = ManualClock::default();
        let before = clock.now();
        clock.advance(TimeDelta::nanoseconds(1_999));
        assert_eq!(clock.now() - before, TimeDelta::microseconds(1));
    }

    #[test]
    fn secrets_repeat_with_the_seed_and_differ_within_it() {
        let (one, other) = (FixedEntropy::seeded(7), FixedEntropy::seeded(7));
        let first = one.secret();
        assert_eq!(first, other.secret());
        assert_ne!(first, one.secret());
    }
}
