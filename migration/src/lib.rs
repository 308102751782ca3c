//! The schema, one file a step, each up and down, the same on every database.
//!
//! Every change of the schema runs in one transaction: a step that fails leaves nothing behind,
//! and two processes that start together do not disturb each other.

mod steps;

use sea_orm_migration::{
    prelude::{DbErr, MigrationTrait, MigratorTrait, SchemaManagerConnection},
    sea_orm::{
        ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
        TransactionOptions, TransactionTrait,
    },
};

/// Why the schema was not read or changed.
#[derive(Debug, thiserror::Error)]
#[error("the schema could not be read or changed")]
pub struct MigrationError(#[from] DbErr);

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        steps::all()
    }
}

/// Connects to the database at `url`, for nothing but its schema.
///
/// # Errors
/// [`MigrationError`] when it cannot be reached.
pub async fn connect(url: &str) -> Result<DatabaseConnection, MigrationError> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

/// Applies every pending step, and says how many there were.
///
/// # Errors
/// [`MigrationError`]; the schema is as it was.
pub async fn up(db: &DatabaseConnection) -> Result<usize, MigrationError> {
    let transaction = begin(db).await?;
    let waiting = Migrator::get_pending_migrations(&transaction).await?.len();
    Migrator::up(SchemaManagerConnection::Transaction(&transaction), None).await?;
    transaction.commit().await?;
    Ok(waiting)
}

/// Takes back the last `steps` steps, with the data in them.
///
/// # Errors
/// [`MigrationError`]; the schema is as it was.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<(), MigrationError> {
    let transaction = begin(db).await?;
    Migrator::down(SchemaManagerConnection::Transaction(&transaction), Some(steps)).await?;
    Ok(transaction.commit().await?)
}

/// Every step in order, and whether it is applied. Changes nothing.
///
/// # Errors
/// [`MigrationError`]; also when the database holds a step that this program does not know.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, MigrationError> {
    let pending = pending(db).await?;
    Ok(steps::all()
        .iter()
        .map(|step| (step.name().to_owned(), !pending.iter().any(|name| name == step.name())))
        .collect())
}

/// The names of the steps that are not applied. Changes nothing.
///
/// # Errors
/// [`MigrationError`]; also when the database holds a step that this program does not know.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, MigrationError> {
    let pending = Migrator::get_pending_migrations_read_only(db).await?;
    Ok(pending.iter().map(|step| step.name().to_owned()).collect())
}

async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // SQLite must take the write lock at once: a transaction that reads first and is overtaken
    // by another writer cannot go on. Other databases ignore the mode.
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await
}
