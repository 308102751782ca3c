//! Who uses the database: asked before its data is taken away.

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement},
};

use crate::MigrationError;

/// The sessions of processes of the service, but our own.
const SESSIONS: &str = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
     AND application_name LIKE 'saas-ia-%' AND pid <> pg_backend_pid() LIMIT 1";

/// Whether anybody has an account.
///
/// # Errors
/// [`MigrationError`] when it cannot be read.
pub async fn has_accounts(db: &DatabaseConnection) -> Result<bool, MigrationError> {
    if !SchemaManager::new(db).has_table("users").await? {
        return Ok(false);
    }
    finds(db, "SELECT 1 FROM users LIMIT 1").await
}

/// Whether processes of the service have a server open. A file has a lock of its own against that.
///
/// # Errors
/// [`MigrationError`] when it cannot be read.
pub async fn is_served(db: &DatabaseConnection) -> Result<bool, MigrationError> {
    match db.get_database_backend() {
        DbBackend::Postgres => finds(db, SESSIONS).await,
        _ => Ok(false),
    }
}

async fn finds(db: &DatabaseConnection, query: &str) -> Result<bool, MigrationError> {
    let statement = Statement::from_string(db.get_database_backend(), query);
    Ok(db.query_one_raw(statement).await?.is_some())
}
