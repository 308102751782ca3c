//! Why the schema was not read or changed.

use std::error::Error as _;

use sea_orm_migration::sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Why the schema was not read or changed. Where it was to be changed, it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database refused, or did not answer.
    #[error("the schema could not be read or changed")]
    Database(#[source] DbErr),
    /// Somebody else kept what was to be changed.
    #[error(
        "the schema is in use, by another migration or a long transaction; nothing was changed, \
         try again"
    )]
    Busy(#[source] DbErr),
    /// A newer version has changed the schema.
    #[error(
        "the schema has steps that this version does not know, so it changes nothing ({}); use \
         the version that took them",
        .0.join(", ")
    )]
    Newer(Vec<String>),
    /// There are fewer steps than were to be taken back.
    #[error("cannot take {asked} back: {applied} applied; nothing was changed")]
    TooMany {
        /// How many were asked for.
        asked: u32,
        /// How many there are.
        applied: usize,
    },
}

impl From<DbErr> for MigrationError {
    fn from(error: DbErr) -> Self {
        if is_busy(&error) { Self::Busy(error) } else { Self::Database(error) }
    }
}

impl MigrationError {
    /// Whether the database refuses whoever asks: the user, the password, or the name of the
    /// database is wrong, and waiting mends none of them.
    pub fn is_refusal(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let Some(SqlxError::Database(error)) = sqlx(error) else { return false };
        error.code().is_some_and(|code| is_refusal(&code))
    }

    /// Whether the database cannot be reached for now: it is not there, or about to start or stop.
    pub fn is_away(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match sqlx(error) {
            Some(SqlxError::Io(_) | SqlxError::PoolTimedOut) => true,
            // It starts or stops, or has no connection to spare.
            Some(SqlxError::Database(error)) => error.code().is_some_and(|code| {
                code.starts_with("08") || code.starts_with("57P0") || code == "53300"
            }),
            _ => matches!(error, DbErr::ConnectionAcquire(_)),
        }
    }
}

/// Whether a server answers, and will not answer otherwise by itself: it does not know the user, or
/// the database, or refuses the password.
fn is_refusal(code: &str) -> bool {
    code.starts_with("28") || code == "3D000"
}

/// Whether somebody else holds a lock.
fn is_busy(error: &DbErr) -> bool {
    let Some(SqlxError::Database(error)) = sqlx(error) else { return false };
    error.code().is_some_and(|code| says_busy(&code))
}

/// PostgreSQL's `lock_not_available`, which has five characters as all its codes do, and SQLite's
/// busy and locked, of which the low byte counts.
fn says_busy(code: &str) -> bool {
    match code.len() {
        5 => code == "55P03",
        _ => code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
    }
}

fn sqlx(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => error.source().and_then(|source| source.downcast_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_refusal, says_busy};

    #[test]
    fn a_refusal_is_not_taken_for_a_lock() {
        for (code, busy) in [
            ("55P03", true),
            ("5", true),
            ("6", true),
            ("261", true),
            ("517", true),
            ("1", false),
            ("42501", false),
            ("40001", false),
            ("10762", false),
        ] {
            assert_eq!(says_busy(code), busy, "{code}");
        }
    }

    #[test]
    fn wrong_names_and_passwords_are_not_waited_for() {
        for (code, refusal) in
            [("28P01", true), ("28000", true), ("3D000", true), ("57P03", false), ("53300", false)]
        {
            assert_eq!(is_refusal(code), refusal, "{code}");
        }
    }
}
