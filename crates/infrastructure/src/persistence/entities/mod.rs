//! The tables as they are stored, and nothing else. No type of this module leaves the adapter.
//!
//! Instants are `DateTime<Utc>`, which sqlx writes to `SQLite` as RFC 3339 in UTC with 0, 3, 6 or
//! 9 digits of a second's fraction. Comparing such texts byte by byte still orders them by time,
//! because the `+` that ends a shorter fraction sorts before `.` and before every digit (a test
//! below holds this); so one type serves here and on databases with a true timestamp.

pub(super) mod attempts;
pub(super) mod erasures;
pub(super) mod jobs;
pub(super) mod pauses;
pub(super) mod sched_clock;
pub(super) mod submissions;
pub(super) mod tenant_sched;
pub(super) mod transcriptions;
pub(super) mod transcripts;
pub(super) mod users;

#[cfg(test)]
mod drift;
#[cfg(test)]
mod tests;
