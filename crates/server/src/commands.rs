//! What the commands do. Each prints its result on stdout; logs go to stderr.

use std::{
    fmt,
    io::{self, Write},
    net::{TcpListener, ToSocketAddrs},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use infrastructure::{
    persistence::{SqliteConfig, SqliteStore},
    system::SystemClock,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal;

use crate::{
    bootstrap,
    cli::{Command, Migrate},
    confined, logging, serve,
    settings::{EngineChoice, Settings},
    transcribe,
};

/// Below this lease, a slow disk or a pause of the machine costs jobs their holder.
const SHORT_LEASE: Duration = Duration::from_secs(10);

/// How long the database may take to tidy up at the end. A write-ahead log that stays is read at
/// the next start.
const CLOSING: Duration = Duration::from_secs(2);

/// Open files that are not connections: the database, recordings, calls to other services.
const OTHER_FILES: u64 = 128;

/// Open files of one connection: its socket, and the one by which it is watched.
const FILES_PER_CONNECTION: u64 = 2;

/// Fewest and most connections of one worker thread.
const CONNECTIONS: (u64, u64) = (16, 2_000);

/// Runs a command to its end.
///
/// # Errors
/// What stands in its way.
pub async fn run(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    if !matches!(command, Command::Transcribe(_)) {
        logging::init(&settings.log.filter, settings.log.format)?;
    }
    match command {
        Command::Serve => serve(settings).await,
        Command::Openapi => openapi(),
        Command::Confined(args) => Ok(confined::hold(&args)),
        Command::ConfinedProgram(args) => Ok(confined::become_it(&args)),
        Command::Config => {
            say(settings.describe().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Health(args) => health(&settings, Duration::from_secs(args.timeout)).await,
        Command::Migrate { action } => migrate(&settings, action).await,
        Command::Transcribe(args) => transcribe::run(&args, settings).await,
    }
}

/// Prints the description; depends on no setting.
///
/// # Errors
/// When it cannot be written.
pub fn openapi() -> anyhow::Result<ExitCode> {
    say(api::openapi().to_pretty_json()?)?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    for warning in &settings.warnings {
        tracing::warn!(event = "setting_warning", "{warning}");
    }
    if matches!(settings.engine.choice, EngineChoice::Mock) {
        tracing::warn!(
            event = "mock_engine",
            "speech is SIMULATED by the mock engine; set ASSEMBLYAI_API_KEY to recognise it"
        );
    }
    if settings.jobs.lease < SHORT_LEASE {
        tracing::warn!(event = "short_lease", "JOB_LEASE_SECONDS below 10 is meant for tests only");
    }
    let files = raise_open_files();
    let listener = listen(&settings)?;
    let store = bootstrap::open_store(&settings).await?;
    let adapters = bootstrap::adapters(&settings, &store)?;
    let mut config = bootstrap::serve_config(&settings);
    config.api.connections = connections(files, config.workers);
    tracing::info!(
        event = "connection_limit",
        open_files = files,
        per_worker = config.api.connections,
        "limits of open files and of connections"
    );
    let mut running = serve::start(listener, &adapters, &config)?;
    tracing::info!(
        event = "application_startup",
        app_name = settings.app_name,
        environment = settings.environment.as_str(),
        engine = settings.engine.choice.as_str(),
        "listening on http://{}",
        running.address()
    );
    tokio::select! {
        ended = running.ended() => return Ok(ended.map(|()| ExitCode::FAILURE)?),
        signal = stop_signal() => signal?,
    }
    tracing::info!(event = "application_stopping", "finishing what runs; a second signal aborts");
    tokio::select! {
        () = running.stop() => {}
        _ = stop_signal() => return Ok(ExitCode::FAILURE),
    }
    if tokio::time::timeout(CLOSING, store.close()).await.is_err() {
        tracing::warn!(event = "database_close_slow", "the database did not close in time");
    }
    tracing::info!(event = "application_shutdown", "stopped");
    Ok(ExitCode::SUCCESS)
}

/// Raises the number of files that may be open as far as the process may, and tells it; `None`
/// when there is no limit.
fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(
                event = "open_files_not_raised",
                %error,
                "the limit of open files stays as it is"
            );
            limit.current
        }
    }
}

/// How many connections one of `workers` threads may hold where `files` files may be open.
fn connections(files: Option<u64>, workers: usize) -> usize {
    let (fewest, most) = CONNECTIONS;
    let workers = u64::try_from(workers).unwrap_or(u64::MAX).max(1);
    let each = files
        .map_or(most, |files| files.saturating_sub(OTHER_FILES) / FILES_PER_CONNECTION / workers);
    usize::try_from(each.clamp(fewest, most)).unwrap_or(usize::MAX)
}

fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let (host, port) = (settings.http.host.as_str(), settings.http.port);
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("HOST: cannot resolve {host}"))?
        .collect();
    TcpListener::bind(addresses.as_slice())
        .with_context(|| format!("cannot listen on {host} port {port}"))
}

/// Ends at SIGTERM or SIGINT.
async fn stop_signal() -> anyhow::Result<()> {
    use signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupt = signal::ctrl_c() => Ok(interrupt?),
    }
}

async fn health(settings: &Settings, deadline: Duration) -> anyhow::Result<ExitCode> {
    let url = health_url(&settings.http.host, settings.http.port);
    let client = reqwest::Client::builder().timeout(deadline).no_proxy().build()?;
    let answer = match client.get(&url).send().await {
        Ok(answer) => answer,
        Err(error) => {
            say(format_args!(
                "not reachable at {url}: {:#}",
                anyhow::Error::new(error.without_url())
            ))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let ready = answer.status().is_success();
    say(answer.text().await?)?;
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a result; whoever stopped reading it wants no more.
fn say(result: impl fmt::Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{result}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said,
    }
}

/// A service that listens everywhere is asked on loopback.
fn health_url(host: &str, port: u16) -> String {
    let host = match host {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        v6 if v6.contains(':') => format!("[{v6}]"),
        name => name.to_owned(),
    };
    format!("http://{host}:{port}/health/ready")
}

async fn migrate(settings: &Settings, action: Migrate) -> anyhow::Result<ExitCode> {
    // A running service can be looked at and brought up to date, but not have its tables taken away.
    let lock = matches!(action, Migrate::Down { .. });
    let config = SqliteConfig { lock, ..SqliteConfig::new(&settings.storage.database_file) };
    let store = SqliteStore::open(config, Arc::new(SystemClock)).await?;
    let db = store.connection();
    match action {
        Migrate::Up => say(format_args!("{} applied", migration::up(db).await?))?,
        Migrate::Down { steps } => {
            let applied =
                migration::status(db).await?.iter().filter(|(_, applied)| *applied).count();
            ensure!(
                usize::try_from(steps)? <= applied,
                "cannot take {steps} back: {applied} applied; nothing was changed"
            );
            migration::down(db, steps).await?;
            say(format_args!("{steps} taken back"))?;
        }
        Migrate::Status => {
            for (name, applied) in migration::status(db).await? {
                say(format_args!("{} {name}", if applied { "applied" } else { "pending" }))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::{connections, health_url};

    #[test]
    fn connections_leave_room_for_the_other_files() {
        for (files, workers, each) in [
            (Some(1_024), 1, 448),
            (Some(1_024), 2, 224),
            (Some(524_288), 2, 2_000),
            (Some(16_128), 4, 2_000),
            (Some(16_120), 4, 1_999),
            (Some(256), 8, 16),
            (Some(64), 1, 16),
            (None, 4, 2_000),
        ] {
            assert_eq!(connections(files, workers), each, "{files:?} files, {workers} workers");
        }
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_loopback() {
        for (host, url) in [
            ("127.0.0.1", "http://127.0.0.1:1/health/ready"),
            ("0.0.0.0", "http://127.0.0.1:1/health/ready"),
            ("::", "http://[::1]:1/health/ready"),
            ("fd00::7", "http://[fd00::7]:1/health/ready"),
            ("saas.example", "http://saas.example:1/health/ready"),
        ] {
            assert_eq!(health_url(host, 1), url);
        }
    }
}
