//! Between rows and the domain: for each kind one `restore(row)` and one `row(&value)`, so that
//! what is written reads back equal.

pub(super) mod jobs;
pub(super) mod submissions;
pub(super) mod transcriptions;
pub(super) mod transcripts;
pub(super) mod users;

/// A count as a column holds it. No real count comes near the limit.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
