//! Opening a `SQLite` file: one connection that writes, some that read.

mod writer;

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use application::ports::{Clock, PortFailure};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use sqlx::{
    ConnectOptions as _, Sqlite,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

pub(super) use self::writer::{WriteTx, Writer};
use super::fault::{Stop, within};

/// How long a call waits for a connection; calls queue in the order in which they came.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a statement waits for a writer in another process, such as a migration.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a sign of life may take, waiting for those who write included.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// Prepared statements kept by each connection.
const STATEMENTS: usize = 256;
/// How far the write-ahead log is cut back after a checkpoint.
const JOURNAL_BYTES: &str = "67108864";

/// Where the database is, and how it is used.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The database file. It and its directory are created where they are missing.
    pub path: PathBuf,
    /// How many connections read; at least 1.
    pub readers: u32,
    /// Whether to hold `<path>.lock`, links in the path followed, for as long as the store is open. Whatever runs jobs must;
    /// commands beside a running service must not.
    pub lock: bool,
}

impl SqliteConfig {
    /// The file at `path` with four readers, held exclusively.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers: 4, lock: true }
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
}

/// Accounts, transcriptions and jobs in one `SQLite` file, for one process.
pub struct SqliteStore {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    clock: Arc<dyn Clock>,
    /// Released by the operating system when it is closed, however the process ends.
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the database. Its schema is left as it is: see the crate `migration`.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process holds the lock; else what the file system or
    /// `SQLite` has against it.
    pub async fn open(config: SqliteConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = real_path(&config.path)?;
        let lock = if config.lock { Some(lock(&path)?) } else { None };
        private_file(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
        let unusable = |source| OpenError::Database { path: path.clone(), source };
        let writer = Writer::open(options(&path)).await.map_err(unusable)?;
        let read_only = options(&path).pragma("query_only", "ON");
        let readers = config.readers.max(1);
        // Readers begin no transaction, so they need no hook that looks for one left open.
        let reader = connect(read_only, readers, |pool| pool).await.map_err(unusable)?;
        Ok(Self { writer, reader: Reader(reader), clock, _lock: lock })
    }

    /// The connection that writes, for migrations.
    pub fn connection(&self) -> &DatabaseConnection {
        &self.writer.db
    }

    /// A connection that cannot write, for looking at the schema without waiting for a writer.
    /// Statements only: nobody would undo a transaction that is left open on it.
    pub fn read_connection(&self) -> &DatabaseConnection {
        &self.reader.0
    }

    /// Asks the database for a sign of life: that it can be read, and that a change, an empty one,
    /// can be committed. Nothing is written to disk.
    ///
    /// # Errors
    /// [`PortFailure`] when there is none within two seconds.
    pub async fn ping(&self) -> Result<(), PortFailure> {
        within(PING_TIMEOUT, "database.ping", async {
            self.reader.db().execute_unprepared("SELECT 1").await?;
            self.writer.begin().await?.commit().await?;
            Ok::<_, Stop<PortFailure>>(())
        })
        .await
    }

    /// Closes the connections, after what runs on them; later calls fail. The lock is given back
    /// when the store is dropped.
    pub async fn close(&self) {
        // Readers first: the last connection to close tidies the write-ahead log away.
        for connection in [&self.reader.0, &self.writer.db] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(event = "database_close_failed", %error, "closing the database failed");
            }
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// Connections that `SQLite` itself keeps from writing.
pub(super) struct Reader(DatabaseConnection);

impl Reader {
    pub(super) fn db(&self) -> &DatabaseConnection {
        &self.0
    }
}

async fn connect(
    options: SqliteConnectOptions,
    connections: u32,
    hooks: impl Fn(PoolOptions<Sqlite>) -> PoolOptions<Sqlite> + Send + Sync + 'static,
) -> Result<DatabaseConnection, DbErr> {
    // The address is a placeholder that names the driver: not every path fits in an address.
    let mut pool = ConnectOptions::new("sqlite::memory:");
    pool.min_connections(1)
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |_| options.clone())
        .map_sqlx_sqlite_pool_opts(hooks);
    Database::connect(pool).await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A submission that was written down must survive a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("journal_size_limit", JOURNAL_BYTES)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// The file itself, whatever links lead to it: it is locked under one name. It and its directory
/// are created where they are missing.
fn real_path(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |path: &Path, source| OpenError::File { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        private_folder(directory).map_err(|source| failed(directory, source))?;
    }
    // An existing file is left alone until the lock is held: closing it again would release the
    // locks that SQLite holds on it for another store of this process.
    if !path.exists() {
        // SQLite gives its other files the mode of this one.
        private_file(path).map_err(|source| failed(path, source))?;
    }
    path.canonicalize().map_err(|source| failed(path, source))
}

fn lock(database: &Path) -> Result<File, OpenError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file =
        private_file(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path)),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

/// Makes a folder that only its owner can look into; one that is there is left as it is.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file, and creates it so that only its owner can read it.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
