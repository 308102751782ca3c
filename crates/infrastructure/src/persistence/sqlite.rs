//! A `SQLite` file: one connection that writes, some that read.

mod writer;

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use sqlx::{
    ConnectOptions as _, Sqlite,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

pub(super) use self::writer::Change;
use self::writer::Writer;
use super::store::OpenError;

/// How long a call waits for a connection; calls queue in the order in which they came.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a statement waits for a writer in another process, such as a migration.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
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

/// The connections to one file.
pub(super) struct SqliteFile {
    pub(super) writer: Writer,
    /// Connections that `SQLite` itself keeps from writing.
    pub(super) reader: DatabaseConnection,
    /// Released by the operating system when it is closed, however the process ends.
    _lock: Option<File>,
}

impl SqliteFile {
    /// # Errors
    /// [`OpenError::InUse`] when another process holds the lock; else what the file system or
    /// `SQLite` has against it.
    pub(super) async fn open(config: SqliteConfig) -> Result<Self, OpenError> {
        let path = real_path(&config.path)?;
        let lock = if config.lock { Some(lock(&path)?) } else { None };
        private_file(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
        let unusable = |source| OpenError::Database { path: path.clone(), source };
        let writer = Writer::open(options(&path)).await.map_err(unusable)?;
        let read_only = options(&path).pragma("query_only", "ON");
        let readers = config.readers.max(1);
        // Readers begin no transaction, so they need no hook that looks for one left open.
        let reader = connect(read_only, readers, |pool| pool).await.map_err(unusable)?;
        Ok(Self { writer, reader, _lock: lock })
    }

    pub(super) async fn close(&self) {
        // Readers first: the last connection to close tidies the write-ahead log away.
        for connection in [&self.reader, &self.writer.db] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(event = "database_close_failed", %error, "closing the database failed");
            }
        }
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
