//! Time, identifiers and chance: what would otherwise make a test unrepeatable.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The current instant. MUST be cut to whole microseconds, which is what databases keep.
    fn now(&self) -> DateTime<Utc>;
}

/// Makes identifiers.
pub trait Ids: Send + Sync {
    /// A new `UUIDv7`. MUST never be the same twice.
    fn next(&self) -> Uuid;
}

/// Makes unpredictable numbers.
pub trait Entropy: Send + Sync {
    /// 256 bits fit for a secret.
    fn secret(&self) -> [u8; 32];

    /// A number in `[0, 1)`, for spreading delays.
    fn unit(&self) -> f64;
}
