//! What goes over the wire: one type for every JSON object, and nothing else.
//!
//! Bodies of requests describe themselves here, but are read by [`crate::body`], which collects
//! every fault.

pub(crate) mod accounts;
pub(crate) mod callbacks;
pub(crate) mod health;
pub(crate) mod problem;
pub(crate) mod transcript;
pub(crate) mod transcriptions;

use chrono::{DateTime, SecondsFormat, Utc};

/// RFC 3339 in UTC, with `Z` and six digits.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Seconds of a number of milliseconds.
#[expect(clippy::cast_precision_loss, reason = "no recording lasts 285,000 years")]
pub(crate) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}
