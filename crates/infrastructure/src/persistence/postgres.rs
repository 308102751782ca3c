//! A `PostgreSQL` server: how connections to it are kept, and how changes begin there.
//!
//! Connections are held by pools of our own: that of the driver asks the server for a sign of
//! life each time a connection comes back, which costs as much as a query.

mod clock;
mod session;

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use deadpool::{
    Runtime,
    managed::{self, Metrics, PoolError, RecycleError, RecycleResult, Timeouts},
};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement,
};
use sqlx::{
    ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio_util::task::AbortOnDropHandle;

pub(super) use self::clock::ServerClock;
use self::session::Session;
pub(super) use self::session::{Change, Reader, is_broken_code};
use super::store::{Lane, OpenError};

/// How long a call waits for a connection that is in use.
const WAIT: Duration = Duration::from_secs(2);
/// How long a new connection may take, name resolution, TLS and sign-in included.
const CONNECT: Duration = Duration::from_secs(3);
/// After how long without use a connection is asked for a sign of life before it is used again:
/// what stands between may have forgotten it.
const IDLE: Duration = Duration::from_secs(30);
/// How old a connection grows: what a server sets up for one is as new as its settings and its
/// schema no later than that.
const LONGEST: Duration = Duration::from_mins(30);
/// Prepared statements kept by each connection.
const STATEMENTS: usize = 256;
/// What the server holds every connection to, in milliseconds. The longest statement, the longest
/// wait for a row that another changes, and the longest pause inside a transaction: what a client
/// that is gone has locked is free again after that.
const LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
];

/// Whose clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// The server's, which all processes share: a process whose clock is wrong does no harm.
    Server,
    /// That of the process, which a test can move.
    Process,
}

/// Which server, and how it is used.
#[derive(Clone)]
pub struct PostgresConfig {
    options: PgConnectOptions,
    /// How many connections serve requests; at least 1.
    pub api_connections: usize,
    /// How many connections serve the job engine; at least 1. One more is kept for heartbeats.
    pub engine_connections: usize,
    /// Whose clock counts.
    pub time: TimeSource,
}

/// Without the address: there may be a password in it.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("api_connections", &self.api_connections)
            .field("engine_connections", &self.engine_connections)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// Why an address does not name a database on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not of the form postgresql://user:password@host:port/database")]
pub struct InvalidAddress;

impl PostgresConfig {
    /// The database at `url` (`postgresql://…`, `postgres://…`) with ten connections for requests
    /// and four for the job engine. Connects to nothing.
    ///
    /// # Errors
    /// [`InvalidAddress`], which holds nothing of the address: there may be a password in it.
    pub fn new(url: &str) -> Result<Self, InvalidAddress> {
        if !["postgresql://", "postgres://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(InvalidAddress);
        }
        let mut options = PgConnectOptions::from_str(url).map_err(|_| InvalidAddress)?;
        options = options.statement_cache_capacity(STATEMENTS);
        Ok(Self { options, api_connections: 10, engine_connections: 4, time: TimeSource::Server })
    }
}

/// The connections to one server.
pub(super) struct PostgresServer {
    api: Pool,
    engine: Pool,
    heartbeat: Pool,
    time: TimeSource,
    clock: Arc<ServerClock>,
    /// For migrations, and for looking at the schema; connected to when it is first used.
    pub(super) schema: DatabaseConnection,
}

impl PostgresServer {
    pub(super) fn open(
        config: &PostgresConfig,
        clock: Arc<ServerClock>,
    ) -> Result<Self, OpenError> {
        let options = config.options.clone().options(LIMITS).disable_statement_logging();
        let pool = |name: &str, size| Pool::new(options.clone().application_name(name), size);
        Ok(Self {
            api: pool("saas-ia-api", config.api_connections)?,
            engine: pool("saas-ia-engine", config.engine_connections)?,
            heartbeat: pool("saas-ia-heartbeat", 1)?,
            time: config.time,
            clock,
            schema: schema(&options),
        })
    }

    /// Begins a change, and tells the server's time if that is what counts.
    pub(super) async fn begin(&self, lane: Lane) -> Result<(Change, Option<DateTime<Utc>>), DbErr> {
        let pool = self.pool(lane);
        match self.try_begin(pool).await {
            Err(error) if broke(&error) => self.try_begin(pool).await,
            begun => begun,
        }
    }

    async fn try_begin(&self, pool: &Pool) -> Result<(Change, Option<DateTime<Utc>>), DbErr> {
        let session = pool.session().await?;
        match self.time {
            TimeSource::Server => {
                let asked = Instant::now();
                let begun = session.begin_at_server_time().await?;
                begun.1.into_iter().for_each(|told| self.clock.tell(asked, told));
                Ok(begun)
            }
            TimeSource::Process => Ok((session.begin().await?, None)),
        }
    }

    pub(super) fn reader(&self, lane: Lane) -> Reader<'_> {
        Reader::new(self.pool(lane))
    }

    /// Asks for a sign of life, whether changes are taken, and for the time. On a connection apart:
    /// that all others are in use is no sign of death.
    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        let sql = "SELECT current_setting('transaction_read_only'), clock_timestamp()";
        let asked = Instant::now();
        let row =
            self.schema.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("an answer".to_owned()))?;
        self.clock.tell(asked, row.try_get_by(1)?);
        let read_only: String = row.try_get_by(0)?;
        if read_only == "off" {
            return Ok(());
        }
        // Another server may take its place at any time, or it the other's.
        tracing::warn!(event = "database_read_only", "the database takes no changes");
        Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))
    }

    pub(super) async fn close(&self) {
        for pool in [&self.api, &self.engine, &self.heartbeat] {
            pool.close().await;
        }
        if let Err(error) = self.schema.close_by_ref().await {
            tracing::warn!(event = "database_close_failed", %error, "closing the database failed");
        }
    }

    fn pool(&self, lane: Lane) -> &Pool {
        match lane {
            Lane::Api => &self.api,
            Lane::Engine => &self.engine,
            Lane::Heartbeat => &self.heartbeat,
        }
    }
}

fn schema(options: &PgConnectOptions) -> DatabaseConnection {
    sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT)
        .connect_lazy_with(options.clone().application_name("saas-ia-schema"))
        .into()
}

/// Some connections for one purpose.
struct Pool(managed::Pool<Connector>);

impl Pool {
    fn new(options: PgConnectOptions, size: usize) -> Result<Self, OpenError> {
        // A connection belongs to the reactor of the runtime in which it was made. Those of HTTP
        // workers end before the jobs do, so all are made in the one that outlives them.
        let runtime = tokio::runtime::Handle::current();
        managed::Pool::builder(Connector { options, runtime })
            .max_size(size.max(1))
            .timeouts(Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(CONNECT) })
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| OpenError::Server(DbErr::Custom(error.to_string())))
    }

    async fn session(&self) -> Result<Session, DbErr> {
        let connection = self.0.get().await.map_err(unavailable)?;
        Ok(Session::new(connection))
    }

    /// Lets go of what is not in use, and of the rest as it comes back.
    async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for connection in idle {
            // The server is told, so that it need not find out.
            if let Ok(Err(error)) = tokio::time::timeout(WAIT, connection.close()).await {
                tracing::debug!(%error, "a connection did not end in order");
            }
        }
    }
}

fn unavailable(error: PoolError<sqlx::Error>) -> DbErr {
    match error {
        PoolError::Timeout(_) => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        PoolError::Closed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        PoolError::Backend(error) => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            DbErr::Custom("the pool is not set up".to_owned())
        }
    }
}

/// Makes connections.
struct Connector {
    options: PgConnectOptions,
    runtime: tokio::runtime::Handle,
}

impl managed::Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.options.clone();
        let connecting = self.runtime.spawn(async move {
            match tokio::time::timeout(CONNECT, connect(&options)).await {
                Ok(connected) => connected,
                Err(_) => Err(sqlx::Error::PoolTimedOut),
            }
        });
        // Not left behind when its caller goes away: a server that hangs would gather them.
        AbortOnDropHandle::new(connecting).await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > LONGEST {
            return Err(RecycleError::message("it is old"));
        }
        if metrics.last_used() > IDLE {
            connection.ping().await?;
        }
        Ok(())
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    // A role or a database can have another default. What was written down must survive a crash.
    sqlx::raw_sql(
        "SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
    )
    .execute(&mut connection)
    .await?;
    Ok(connection)
}

/// Whether the connection is what failed: another one may do better.
fn broke(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            session::is_broken(error)
        }
        _ => false,
    }
}
