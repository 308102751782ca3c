//! Time, identifiers and chance of the machine.

use application::ports::{Clock, Entropy, Ids};
use aws_lc_rs::rand;
use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter behind the Clock port")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// `UUIDv7`s that rise within one process, also within one millisecond.
#[derive(Debug, Clone, Copy, Default)]
pub struct UuidV7Ids;

impl Ids for UuidV7Ids {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter behind the Ids port")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// The random generator of AWS-LC, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl OsEntropy {
    fn bytes<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        // Going on with predictable secrets would be worse than ending.
        rand::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

impl Entropy for OsEntropy {
    fn secret(&self) -> [u8; 32] {
        Self::bytes()
    }

    fn unit(&self) -> f64 {
        // The 53 bits that a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit into the mantissa")]
        let numerator = (u64::from_le_bytes(Self::bytes()) >> 11) as f64;
        numerator / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use super::{OsEntropy, SystemClock, UuidV7Ids};
    use application::ports::{Clock, Entropy, Ids};

    #[test]
    fn instants_are_cut_to_microseconds() {
        for _ in 0..100 {
            assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
        }
    }

    #[test]
    fn identifiers_rise() {
        let ids: Vec<_> = (0..10_000).map(|_| UuidV7Ids.next()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn secrets_differ_and_units_lie_in_the_unit_interval() {
        assert_ne!(OsEntropy.secret(), OsEntropy.secret());
        let units: Vec<f64> = (0..1_000).map(|_| OsEntropy.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!(units.iter().any(|unit| *unit < 0.5) && units.iter().any(|unit| *unit >= 0.5));
    }
}
