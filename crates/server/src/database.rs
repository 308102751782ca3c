//! Opening the database, and its schema at the start.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use application::causes;
use infrastructure::{
    persistence::{PostgresConfig, SqliteConfig, Store},
    system::SystemClock,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    serve::Role,
    settings::{DatabaseSettings, Environment, Settings},
};

/// How long a server that is not there is waited for at the start: orchestrators start things in
/// any order.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait between two looks for it.
const BREATH: Duration = Duration::from_secs(1);

/// How long the schema may take to be brought up to date.
const SCHEMA_PATIENCE: Duration = Duration::from_mins(15);

/// How long a look at the schema may take.
const LOOK: Duration = Duration::from_secs(10);

/// The schema lacks steps, and it is not for this process to take them.
#[derive(Debug, thiserror::Error)]
#[error(
    "the schema of the database is not up to date; back the database up and run \
     `saas-ia migrate up`, which takes: {}",
    .0.join(", ")
)]
pub struct PendingSteps(Vec<String>);

/// Connections for requests in a process that serves none: its readiness is looked at by them.
const WORKER_POOL: usize = 2;

/// Opens the database for a process of this role. Its schema is left as it is, and a server may be
/// away.
///
/// # Errors
/// When another process uses it, or it cannot be used.
pub async fn open(settings: &Settings, role: Role) -> anyhow::Result<Arc<Store>> {
    let (storage, clock) = (&settings.storage, Arc::new(SystemClock));
    let store = match &storage.database {
        DatabaseSettings::Sqlite(path) => Store::open(SqliteConfig::new(path), clock).await?,
        DatabaseSettings::Postgres(url) => {
            let mut config = PostgresConfig::new(url.expose()).context("DATABASE_URL")?;
            config.api_connections = match role {
                Role::Whole | Role::Api => storage.pool_size,
                Role::Worker => storage.pool_size.min(WORKER_POOL),
            };
            Store::open(config, clock).await?
        }
    };
    Ok(Arc::new(store))
}

/// Opens a database that nobody else knows, and brings its schema up to date.
///
/// # Errors
/// As [`open`].
pub async fn open_own(settings: &Settings) -> anyhow::Result<Arc<Store>> {
    let store = open(settings, Role::Whole).await?;
    bring_up(&store).await?;
    Ok(store)
}

/// Waits for the database, then sees that its schema is one to work with: brings it up to date,
/// but in production, where it is a step of its own.
///
/// # Errors
/// When the database does not answer in time; [`PendingSteps`].
pub async fn prepare(settings: &Settings, store: &Store) -> anyhow::Result<()> {
    wait_for(store).await?;
    let mut status = look(store).await?;
    let applied = status.pending.len();
    if !status.pending.is_empty() && settings.environment != Environment::Production {
        bring_up(store).await?;
        status = look(store).await?;
    }
    if !status.pending.is_empty() {
        return Err(PendingSteps(status.pending).into());
    }
    if !status.unknown.is_empty() {
        tracing::warn!(
            event = "schema_newer",
            steps = status.unknown.join(","),
            "the schema has steps of a newer version"
        );
    }
    tracing::info!(event = "database_initialized", applied, "the database is ready");
    Ok(())
}

async fn look(store: &Store) -> anyhow::Result<migration::Status> {
    let status = timeout(LOOK, migration::status(store.read_connection())).await;
    Ok(status.context("the schema cannot be read in time")??)
}

async fn bring_up(store: &Store) -> anyhow::Result<usize> {
    let applied = timeout(SCHEMA_PATIENCE, migration::up(store.connection())).await;
    applied.context("the schema does not get up to date in time")?.context("cannot migrate")
}

async fn wait_for(store: &Store) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let Err(failure) = store.ping().await else { return Ok(()) };
        if let Some(refusal) = refusal(store).await {
            return Err(refusal.context("the database refuses; is DATABASE_URL right?"));
        }
        if !failure.is_transient() || Instant::now() >= until {
            return Err(anyhow::Error::new(failure).context("the database does not answer"));
        }
        tracing::warn!(
            event = "database_awaited",
            error = %failure,
            causes = causes(&failure),
            "the database does not answer yet"
        );
        sleep(BREATH).await;
    }
}

/// Why it is of no use to wait for a server that answers, if that is so.
async fn refusal(store: &Store) -> Option<anyhow::Error> {
    match timeout(LOOK, migration::status(store.read_connection())).await {
        Ok(Err(error)) if error.is_refusal() => Some(error.into()),
        _ => None,
    }
}
