//! The schema, one file a step, each up and down, the same on every database.
//!
//! Every change of the schema runs in one transaction, one at a time: a step that fails leaves
//! nothing behind, and processes that start together wait for each other.

mod error;
mod session;
mod steps;
mod usage;

use std::collections::BTreeSet;

use sea_orm_migration::{
    SchemaManager,
    prelude::{DbErr, MigrationTrait, MigratorTrait, SchemaManagerConnection},
    sea_orm::{DatabaseConnection, DatabaseTransaction, EntityTrait},
    seaql_migrations,
};

pub use error::MigrationError;
pub use sea_orm_migration::sea_orm::DatabaseConnection as Connection;
pub use session::connect;
pub use usage::{has_accounts, is_served};

/// The table in which the steps that were taken are written down.
const RECORD: &str = "seaql_migrations";

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        steps::all()
    }
}

/// The steps of this program against those that a database has, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Taken, in the order in which they are taken.
    pub applied: Vec<String>,
    /// Not taken yet, in the order in which they will be.
    pub pending: Vec<String>,
    /// Taken by another version: this one does not know them.
    pub unknown: Vec<String>,
}

/// How many steps are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// The last ones.
    Steps(u32),
    /// All of them.
    All,
}

/// Takes every pending step, and says how many there were.
///
/// # Errors
/// [`MigrationError`]; the schema is as it was.
pub async fn up(db: &DatabaseConnection) -> Result<usize, MigrationError> {
    let transaction = session::begin(db).await?;
    let waiting = known(&transaction).await?.pending.len();
    Migrator::up(SchemaManagerConnection::Transaction(&transaction), None).await?;
    transaction.commit().await?;
    Ok(waiting)
}

/// Takes steps back, with the data in them, and says how many.
///
/// # Errors
/// [`MigrationError`], also when there are fewer; the schema is as it was.
pub async fn down(db: &DatabaseConnection, back: Back) -> Result<usize, MigrationError> {
    let transaction = session::begin(db).await?;
    let applied = known(&transaction).await?.applied.len();
    let count = match back {
        Back::All => applied,
        Back::Steps(asked) => match usize::try_from(asked) {
            Ok(asked) if asked <= applied => asked,
            _ => return Err(MigrationError::TooMany { asked, applied }),
        },
    };
    take_back(&transaction, count).await?;
    transaction.commit().await?;
    Ok(count)
}

/// Takes every step back, with all data, and takes them anew. What is not of this schema stays.
///
/// # Errors
/// [`MigrationError`]; the schema is as it was.
pub async fn fresh(db: &DatabaseConnection) -> Result<usize, MigrationError> {
    let transaction = session::begin(db).await?;
    let applied = known(&transaction).await?.applied.len();
    take_back(&transaction, applied).await?;
    Migrator::up(SchemaManagerConnection::Transaction(&transaction), None).await?;
    let taken = known(&transaction).await?.applied.len();
    transaction.commit().await?;
    Ok(taken)
}

/// Looks at the schema. Changes nothing, and needs no right to.
///
/// # Errors
/// [`MigrationError`] when it cannot be read.
pub async fn status(db: &DatabaseConnection) -> Result<Status, MigrationError> {
    Ok(look(SchemaManagerConnection::Connection(db)).await?)
}

async fn take_back(transaction: &DatabaseTransaction, count: usize) -> Result<(), DbErr> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    Migrator::down(SchemaManagerConnection::Transaction(transaction), Some(count)).await
}

/// The status of a schema that may be changed: one that a newer version has changed may not.
async fn known(transaction: &DatabaseTransaction) -> Result<Status, MigrationError> {
    let status = look(SchemaManagerConnection::Transaction(transaction)).await?;
    if status.unknown.is_empty() { Ok(status) } else { Err(MigrationError::Newer(status.unknown)) }
}

async fn look(db: SchemaManagerConnection<'_>) -> Result<Status, DbErr> {
    let manager = SchemaManager::new(db);
    let taken: BTreeSet<String> = if manager.has_table(RECORD).await? {
        let rows = seaql_migrations::Entity::find().all(manager.get_connection()).await?;
        rows.into_iter().map(|row| row.version).collect()
    } else {
        BTreeSet::new()
    };
    let ours: Vec<String> = steps::all().iter().map(|step| step.name().to_owned()).collect();
    let unknown = taken.iter().filter(|name| !ours.contains(name)).cloned().collect();
    let (applied, pending) = ours.into_iter().partition(|name| taken.contains(name));
    Ok(Status { applied, pending, unknown })
}
