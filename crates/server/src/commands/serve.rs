//! The running service, in one of its roles.

use std::{
    net::{TcpListener, ToSocketAddrs},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use infrastructure::persistence::Store;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{misused, open_files};
use crate::{
    bootstrap, database,
    serve::{self, Role, Running},
    settings::{EngineChoice, Settings},
};

/// Below this lease, a slow disk or a pause of the machine costs jobs their holder.
const SHORT_LEASE: Duration = Duration::from_secs(10);

/// How long the database may take to tidy up at the end. A write-ahead log that stays is read at
/// the next start.
const CLOSING: Duration = Duration::from_secs(2);

/// Does what `role` says until a signal comes.
pub(super) async fn run(role: Role, settings: Settings) -> anyhow::Result<ExitCode> {
    if role != Role::Whole && !settings.storage.database.is_shared() {
        return Ok(misused(
            "SQLite is for one process, which serves the API and runs the jobs: use `saas-ia \
             serve` without --no-worker, or a DATABASE_URL of PostgreSQL",
        ));
    }
    // From here on: the first process of a container is sent no signal that it does not ask for.
    let mut signals = Signals::listen()?;
    warn(role, &settings);
    let running = tokio::select! {
        running = start(role, &settings) => running?,
        () = signals.next() => {
            tracing::info!(event = "application_shutdown", "stopped before it had begun");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (mut running, store) = running;
    tokio::select! {
        ended = running.ended() => return Ok(ended.map(|()| ExitCode::FAILURE)?),
        () = signals.next() => {}
    }
    tracing::info!(event = "application_stopping", "finishing what runs; a second signal aborts");
    tokio::select! {
        () = running.stop() => {}
        () = signals.next() => return Ok(ExitCode::FAILURE),
    }
    if tokio::time::timeout(CLOSING, store.close()).await.is_err() {
        tracing::warn!(event = "database_close_slow", "the database did not close in time");
    }
    tracing::info!(event = "application_shutdown", "stopped");
    Ok(ExitCode::SUCCESS)
}

fn warn(role: Role, settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!(event = "setting_warning", "{warning}");
    }
    if matches!(settings.engine.choice, EngineChoice::Mock) {
        tracing::warn!(
            event = "mock_engine",
            "speech is SIMULATED by the mock engine; set ASSEMBLYAI_API_KEY to recognise it"
        );
    }
    if role != Role::Api && settings.jobs.lease < SHORT_LEASE {
        tracing::warn!(event = "short_lease", "JOB_LEASE_SECONDS below 10 is meant for tests only");
    }
}

async fn start(role: Role, settings: &Settings) -> anyhow::Result<(Running, Arc<Store>)> {
    let files = open_files::raise();
    let http = &settings.http;
    let (host, port) = match role {
        Role::Worker => (&http.worker_health_host, http.worker_health_port),
        Role::Whole | Role::Api => (&http.host, Some(http.port)),
    };
    let listener = port.map(|port| listen(host, port)).transpose()?;
    let store = database::open(settings, role).await?;
    database::prepare(settings, &store).await?;
    let adapters = bootstrap::adapters(settings, &store)?;
    let mut config = bootstrap::serve_config(settings);
    config.api.connections = open_files::connections(files, config.workers);
    tracing::info!(
        event = "connection_limit",
        open_files = files,
        per_worker = config.api.connections,
        "limits of open files and of connections"
    );
    let running = serve::start(role, listener, &adapters, &config)?;
    let address = running.address().map(|address| format!("http://{address}"));
    tracing::info!(
        event = "application_startup",
        app_name = settings.app_name,
        environment = settings.environment.as_str(),
        engine = settings.engine.choice.as_str(),
        role = role.as_str(),
        "listening on {}",
        address.as_deref().unwrap_or("no port")
    );
    Ok((running, store))
}

fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("HOST: cannot resolve {host}"))?
        .collect();
    TcpListener::bind(addresses.as_slice())
        .with_context(|| format!("cannot listen on {host} port {port}"))
}

/// SIGTERM and SIGINT, none of which is missed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Ends at the next of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
