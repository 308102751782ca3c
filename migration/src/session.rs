//! How the database is spoken to while its schema is read or changed.

use std::time::Duration;

use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::MigrationError;

/// How long a connection may take to be made. A server that is not there is tried again meanwhile.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a change is begun with on PostgreSQL, in force for its transaction alone, so that it also
/// works through a pooler that lends connections for a transaction.
const BEGINNING: [&str; 5] = [
    "SET LOCAL statement_timeout = '10min'",
    // Another migration may just run: it is waited for, and then there is nothing left to do.
    "SET LOCAL lock_timeout = '60s'",
    "SELECT pg_advisory_xact_lock(4712)",
    // Whoever waits for a table holds up all who come after, so a step rather gives up early.
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL idle_in_transaction_session_timeout = '10min'",
];

/// Connects to the database at `url`, for nothing but its schema.
///
/// # Errors
/// [`MigrationError`] when it cannot be reached within ten seconds.
pub async fn connect(url: &str) -> Result<DatabaseConnection, MigrationError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

/// Begins a change of the schema, after those that others have begun.
pub(crate) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        // What the one before has committed must be seen, whatever the database's default is.
        isolation_level: is_postgres.then_some(IsolationLevel::ReadCommitted),
        // A transaction that reads first and is overtaken by another writer cannot go on.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    if is_postgres {
        for statement in BEGINNING {
            transaction.execute_unprepared(statement).await?;
        }
    }
    Ok(transaction)
}
