//! One store over one database, whichever it is.
//!
//! What differs between databases ends here: how a connection is had, how a change begins, and
//! what time it is.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use application::ports::{Clock, PortFailure};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement,
};

use super::{
    fault::{Stop, StoreError, within},
    postgres::{self, PostgresConfig, PostgresServer},
    sqlite::{self, SqliteConfig, SqliteFile},
};

/// How long a sign of life may take, waiting for those who write included.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Which database, and how it is used.
#[derive(Debug, Clone)]
pub enum DatabaseConfig {
    /// A file, for one process.
    Sqlite(SqliteConfig),
    /// A server, for any number of processes.
    Postgres(Box<PostgresConfig>),
}

impl From<SqliteConfig> for DatabaseConfig {
    fn from(config: SqliteConfig) -> Self {
        Self::Sqlite(config)
    }
}

impl From<PostgresConfig> for DatabaseConfig {
    fn from(config: PostgresConfig) -> Self {
        Self::Postgres(config.into())
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process uses this database: it holds the lock on {}", .0.display())]
    InUse(PathBuf),
    /// A file or its directory cannot be made or opened.
    #[error("cannot open {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there, and is not a database that can be used.
    #[error("cannot use {} as a database", path.display())]
    Database {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: DbErr,
    },
    /// No connections to a server can be kept.
    #[error("cannot keep connections to the database")]
    Server(#[source] DbErr),
}

/// Accounts, transcriptions and jobs in one database.
pub struct Store {
    backend: Backend,
    clock: Arc<dyn Clock>,
}

enum Backend {
    Sqlite(SqliteFile),
    Postgres(PostgresServer),
}

/// On whose behalf a connection is wanted. A server has connections apart for each, so that much
/// to do in one keeps none of the others waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// A request.
    Api,
    /// The job engine.
    Engine,
    /// Leases, which end when they are not prolonged in time.
    Heartbeat,
}

impl Store {
    /// Opens the database. Its schema is left as it is: see the crate `migration`. A server is not
    /// connected to before it is needed, so it may be away.
    ///
    /// `clock` tells the time where the database has none of its own that all its users share.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        config: impl Into<DatabaseConfig> + Send,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let backend = match config.into() {
            DatabaseConfig::Sqlite(config) => Backend::Sqlite(SqliteFile::open(config).await?),
            DatabaseConfig::Postgres(config) => Backend::Postgres(PostgresServer::open(&config)?),
        };
        Ok(Self { backend, clock })
    }

    /// A connection for migrations.
    pub fn connection(&self) -> &DatabaseConnection {
        match &self.backend {
            Backend::Sqlite(sqlite) => &sqlite.writer.db,
            Backend::Postgres(postgres) => &postgres.schema,
        }
    }

    /// A connection for looking at the schema without waiting for a writer. Statements only:
    /// nobody would undo a transaction that is left open on it.
    pub fn read_connection(&self) -> &DatabaseConnection {
        match &self.backend {
            Backend::Sqlite(sqlite) => &sqlite.reader,
            Backend::Postgres(postgres) => &postgres.schema,
        }
    }

    /// Asks the database for a sign of life: that it can be read, and that a change, an empty one,
    /// can be committed. Nothing is written to disk.
    ///
    /// # Errors
    /// [`PortFailure`] when there is none within two seconds.
    pub async fn ping(&self) -> Result<(), PortFailure> {
        within(PING_TIMEOUT, "database.ping", async {
            match &self.backend {
                Backend::Sqlite(sqlite) => {
                    sqlite.reader.execute_unprepared("SELECT 1").await?;
                    self.begin(Lane::Api).await?.commit().await?;
                }
                Backend::Postgres(postgres) => postgres.ping().await?,
            }
            Ok::<_, Stop<PortFailure>>(())
        })
        .await
    }

    /// Closes the connections, after what runs on them; later calls fail. The lock of a file is
    /// given back when the store is dropped.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }

    /// Begins a change.
    pub(super) async fn begin(&self, lane: Lane) -> Result<WriteTx, DbErr> {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let change = sqlite.writer.begin().await?;
                // Read once the lock is held, so that instants rise from change to change.
                let now = self.clock.now();
                Ok(WriteTx { change: Change::Sqlite(change), now })
            }
            Backend::Postgres(postgres) => {
                let (change, server_time) = postgres.begin(lane).await?;
                let now = server_time.unwrap_or_else(|| self.clock.now());
                Ok(WriteTx { change: Change::Postgres(change), now })
            }
        }
    }

    /// Where to read without a change, a statement at a time.
    pub(super) fn reader(&self, lane: Lane) -> Db<'_> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Db::SqliteRead(&sqlite.reader),
            Backend::Postgres(postgres) => Db::PostgresRead(postgres.reader(lane)),
        }
    }
}

/// A change under way: undone unless it is committed. Whoever changes a row asks for one of these.
pub(super) struct WriteTx {
    change: Change,
    now: DateTime<Utc>,
}

enum Change {
    Sqlite(sqlite::Change),
    Postgres(postgres::Change),
}

impl WriteTx {
    /// Where its statements go.
    pub(super) fn db(&self) -> Db<'_> {
        match &self.change {
            Change::Sqlite(change) => Db::SqliteChange(&change.transaction),
            Change::Postgres(change) => Db::PostgresChange(change),
        }
    }

    /// The instant of the change.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Whether the database knows statements that change several tables, and locks on rows.
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.change, Change::Postgres(_))
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self.change {
            Change::Sqlite(change) => change.commit().await,
            Change::Postgres(change) => change.commit().await,
        }
    }

    /// Undoes it and keeps the connection. Only spares a new connection: what is dropped is undone
    /// as well.
    pub(super) async fn undo(self) {
        match self.change {
            Change::Sqlite(change) => drop(change),
            Change::Postgres(change) => change.undo().await,
        }
    }
}

/// Where statements go.
pub(super) enum Db<'a> {
    SqliteRead(&'a DatabaseConnection),
    SqliteChange(&'a DatabaseTransaction),
    PostgresRead(postgres::Reader<'a>),
    PostgresChange(&'a postgres::Change),
}

/// Calls the same method of whichever connection it is.
macro_rules! on {
    ($db:expr, $connection:ident => $call:expr) => {
        match $db {
            Db::SqliteRead($connection) => $call,
            Db::SqliteChange($connection) => $call,
            Db::PostgresRead($connection) => $call,
            Db::PostgresChange($connection) => $call,
        }
    };
}

#[async_trait]
impl ConnectionTrait for Db<'_> {
    fn get_database_backend(&self) -> DbBackend {
        on!(self, db => db.get_database_backend())
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        on!(self, db => db.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        on!(self, db => db.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        on!(self, db => db.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        on!(self, db => db.query_all_raw(statement).await)
    }
}
