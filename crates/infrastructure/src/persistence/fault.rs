//! What goes wrong with a database, sorted into what passes and what does not.
//!
//! No text made here holds a value of a row or of a statement: it may be logged.

use std::{future::Future, time::Duration};

use application::ports::PortFailure;
use domain::InvalidTransition;
use sea_orm::{DbErr, RuntimeErr, SqlxError};
use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

use super::postgres::is_broken_code;

/// How long a call may take as a whole, waiting for the write lock included.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A row that no value of the domain can have written.
#[derive(Debug, thiserror::Error)]
#[error("row {id} of {table} is corrupt: {why}")]
pub(super) struct CorruptRow {
    pub(super) table: &'static str,
    pub(super) id: Uuid,
    pub(super) why: &'static str,
}

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("the database refused")]
    Database(#[from] DbErr),
    #[error(transparent)]
    Corrupt(#[from] CorruptRow),
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    #[error("the database reported success and committed nothing")]
    Uncommitted,
    #[error("{0}")]
    Broken(&'static str),
}

/// Why a call ends early: the answer that its port has for it, or a failure.
pub(super) enum Stop<E> {
    Refused(E),
    Failed(StoreError),
}

impl<E, F: Into<StoreError>> From<F> for Stop<E> {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

/// What is logged of a database's error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(String);

/// Runs one call of a port under its deadline.
pub(super) async fn bounded<T, E: From<PortFailure>>(
    operation: &'static str,
    work: impl Future<Output = Result<T, Stop<E>>> + Send,
) -> Result<T, E> {
    within(CALL_TIMEOUT, operation, work).await
}

/// Runs a call under a deadline of its own.
pub(super) async fn within<T, E: From<PortFailure>>(
    limit: Duration,
    operation: &'static str,
    work: impl Future<Output = Result<T, Stop<E>>> + Send,
) -> Result<T, E> {
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Stop::Refused(refusal))) => Err(refusal),
        Ok(Err(Stop::Failed(failure))) => Err(port_failure(operation, failure).into()),
        Err(_) => Err(PortFailure::transient(operation, "the database took too long").into()),
    }
}

fn port_failure(operation: &'static str, failure: StoreError) -> PortFailure {
    match failure {
        StoreError::Database(error) if passes(&error) => {
            PortFailure::transient(operation, describe(&error))
        }
        StoreError::Database(error) => PortFailure::permanent(operation, describe(&error)),
        // Its connection is replaced.
        StoreError::Uncommitted => PortFailure::transient(operation, failure),
        other => PortFailure::permanent(operation, other),
    }
}

/// Whether trying again may help: somebody else writes, the pool is used up, the disk is full or
/// fails, memory or file handles are short, the connection broke and is replaced.
fn passes(error: &DbErr) -> bool {
    let connecting = matches!(error, DbErr::Conn(_));
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_ref() {
            SqlxError::Database(error) if is_postgres(&**error) => {
                // An error of a new connection is one of the server or of what it is told: nothing
                // that a caller could have done better.
                connecting || error.code().is_some_and(|code| passes_on_postgres(&code))
            }
            SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed
            | SqlxError::Protocol(_)
            | SqlxError::Tls(_)
            | SqlxError::Io(_) => true,
            SqlxError::Database(error) => {
                // The low byte of an extended result code is the primary one.
                const BUSY_LOCKED_NOMEM_IOERR_FULL_CANTOPEN: [i32; 6] = [5, 6, 7, 10, 13, 14];
                let code = error.code().and_then(|code| code.parse::<i32>().ok());
                code.is_some_and(|code| {
                    BUSY_LOCKED_NOMEM_IOERR_FULL_CANTOPEN.contains(&(code & 0xff))
                })
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_postgres(error: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some()
}

/// Whether an error of this `SQLSTATE` passes. The first two characters are its class.
fn passes_on_postgres(code: &str) -> bool {
    const CLASSES: [&str; 4] = [
        // The connection, or another transaction that had to go first.
        "08", "40", // Memory, disk or connections are used up; the machine fails.
        "53", "58",
    ];
    // A lock, or the statement, was waited for too long.
    const CODES: [&str; 2] = ["55P03", "57014"];
    is_broken_code(code)
        || CLASSES.contains(&code.get(..2).unwrap_or_default())
        || CODES.contains(&code)
}

/// Whether a row is there and a column of it holds what its type cannot.
pub(super) fn unreadable(error: &DbErr) -> bool {
    match error {
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            matches!(error.as_ref(), SqlxError::ColumnDecode { .. } | SqlxError::Decode(_))
        }
        _ => false,
    }
}

fn describe(error: &DbErr) -> Fault {
    Fault(match error {
        DbErr::ConnectionAcquire(error) => error.to_string(),
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_ref() {
            // The text of a server may repeat a value.
            SqlxError::Database(error) if is_postgres(&**error) => {
                let code = error.code().unwrap_or_default();
                match error.constraint() {
                    Some(constraint) => format!("error {code} at constraint {constraint}"),
                    None => format!("error {code}"),
                }
            }
            // SQLite names tables, columns and constraints, never values.
            SqlxError::Database(error) => error.to_string(),
            SqlxError::Io(error) => format!("input or output failed: {}", error.kind()),
            SqlxError::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
            SqlxError::PoolTimedOut => "no connection became free in time".to_owned(),
            SqlxError::PoolClosed => "the database is closed".to_owned(),
            _ => "the driver failed".to_owned(),
        },
        DbErr::RecordNotInserted => "nothing was inserted".to_owned(),
        DbErr::RecordNotUpdated => "nothing was updated".to_owned(),
        DbErr::Type(_) | DbErr::Json(_) => "a column cannot be read".to_owned(),
        _ => "the mapping failed".to_owned(),
    })
}
