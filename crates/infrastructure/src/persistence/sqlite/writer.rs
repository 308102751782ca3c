//! The connection that writes, and what makes sure that a commit is one.
//!
//! `SQLite` undoes a transaction by itself when the disk or the memory is used up. The driver's own
//! count of open transactions does not follow: the connection would begin every later transaction
//! as a savepoint inside one that nobody commits, and report success. So a connection is only used
//! again when the driver counts none, and only what `SQLite` says was committed counts as such.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use sqlx::{
    Connection, Sqlite,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use super::connect;
use crate::persistence::fault::StoreError;

/// The one connection that may write.
pub(in crate::persistence) struct Writer {
    pub(in crate::persistence) db: DatabaseConnection,
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub(super) async fn open(options: SqliteConnectOptions) -> Result<Self, DbErr> {
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let db = connect(options, 1, move |pool| count_commits(only_idle(pool), &counter)).await?;
        Ok(Self { db, commits })
    }

    /// Begins a transaction with the write lock taken, so that what it reads cannot change under
    /// it, and it cannot fail for having read too early.
    pub(in crate::persistence) async fn begin(&self) -> Result<Change, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.db.begin_with_options(options).await?;
        // Nobody else commits for as long as this transaction has the only connection.
        let before = self.commits.load(Ordering::Acquire);
        Ok(Change { transaction, commits: Arc::clone(&self.commits), before })
    }
}

/// A change under way: undone unless it is committed.
pub(in crate::persistence) struct Change {
    pub(in crate::persistence) transaction: DatabaseTransaction,
    commits: Arc<AtomicU64>,
    before: u64,
}

impl Change {
    pub(in crate::persistence) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        if self.commits.load(Ordering::Acquire) == self.before {
            return Err(StoreError::Uncommitted);
        }
        Ok(())
    }
}

/// Counts what `SQLite` itself commits: the end of a savepoint is not among it.
fn count_commits(pool: PoolOptions<Sqlite>, commits: &Arc<AtomicU64>) -> PoolOptions<Sqlite> {
    let commits = Arc::clone(commits);
    pool.after_connect(move |connection, _| {
        let commits = Arc::clone(&commits);
        Box::pin(async move {
            connection.lock_handle().await?.set_commit_hook(move || {
                commits.fetch_add(1, Ordering::Release);
                true
            });
            Ok(())
        })
    })
}

/// Keeps connections out of use that are inside a transaction: the pool closes them, which undoes
/// the transaction, and opens others.
fn only_idle(pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
    pool.after_release(|connection, _| {
        Box::pin(async move {
            // Answered after everything that was asked for, such as a commit that nobody waits for
            // any more, or the undoing of a transaction that was dropped.
            connection.ping().await?;
            Ok(is_idle(connection))
        })
    })
    .before_acquire(|connection, _| Box::pin(async move { Ok(is_idle(connection)) }))
}

fn is_idle(connection: &SqliteConnection) -> bool {
    let idle = !connection.is_in_transaction();
    if !idle {
        tracing::warn!(
            event = "database_connection_replaced",
            "a connection came back inside a transaction and is replaced"
        );
    }
    idle
}
