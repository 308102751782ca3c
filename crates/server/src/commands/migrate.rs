//! The schema by hand.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use application::causes;
use infrastructure::{
    persistence::{OpenError, SqliteConfig, Store},
    system::SystemClock,
};
use migration::{Back, MigrationError};
use tokio::time::{Instant, sleep, timeout};

use super::{misused, say};
use crate::{
    cli::Migrate,
    settings::{DatabaseSettings, Environment, PostgresUrl, Settings},
};

/// How long a change of the schema may take.
const PATIENCE: Duration = Duration::from_mins(30);

/// How long a server that is not there is waited for, as at the start of the service.
const ARRIVAL: Duration = Duration::from_secs(30);

/// How long to wait between two looks for it.
const BREATH: Duration = Duration::from_secs(1);

/// How often a service that is about to end is looked for, before it counts as one that runs.
const LOOKS: u32 = 10;

/// How long to wait between two of these looks.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Changes the schema, or looks at it.
pub(super) async fn run(action: Migrate, settings: &Settings) -> anyhow::Result<ExitCode> {
    match &settings.storage.database {
        DatabaseSettings::Sqlite(path) => {
            let config = SqliteConfig { lock: takes_away(&action), ..SqliteConfig::new(path) };
            let store = match Store::open(config, Arc::new(SystemClock)).await {
                Err(error @ OpenError::InUse(_)) => {
                    return Err(anyhow::Error::new(error).context("stop the service first"));
                }
                opened => opened?,
            };
            guarded(action, settings, store.connection()).await
        }
        DatabaseSettings::Postgres(url) => {
            let db = connect(url).await?;
            guarded(action, settings, &db).await
        }
    }
}

/// Carries it out, unless data would go that somebody may want.
async fn guarded(
    action: Migrate,
    settings: &Settings,
    db: &migration::Connection,
) -> anyhow::Result<ExitCode> {
    if let Some(word) = unconfirmed(&action) {
        ensure!(
            !is_served(db).await?,
            "the service has this database open; stop the service first"
        );
        if is_precious(&action, settings, db).await?
            && !confirmed(word, &settings.storage.database)?
        {
            return Ok(misused(format_args!(
                "nothing was changed: `migrate {word}` would take data away, and wants to be \
                 confirmed, by its word or by --yes"
            )));
        }
    }
    let done = timeout(PATIENCE, carry_out(action, db)).await;
    done.context("the database did not do it in time")??;
    Ok(ExitCode::SUCCESS)
}

/// The word that confirms a change by which data goes, where it is not confirmed yet.
fn unconfirmed(action: &Migrate) -> Option<&'static str> {
    match action {
        Migrate::Down { yes: false, .. } => Some("down"),
        Migrate::Fresh { yes: false } => Some("fresh"),
        Migrate::Up | Migrate::Status | Migrate::Down { .. } | Migrate::Fresh { .. } => None,
    }
}

/// Whether somebody may want what would go.
async fn is_precious(
    action: &Migrate,
    settings: &Settings,
    db: &migration::Connection,
) -> anyhow::Result<bool> {
    let whole = matches!(action, Migrate::Fresh { .. } | Migrate::Down { all: true, .. });
    Ok(settings.environment == Environment::Production
        || whole && migration::has_accounts(db).await?)
}

/// Whether the service runs over it. A server takes a moment to notice that somebody is gone.
async fn is_served(db: &migration::Connection) -> anyhow::Result<bool> {
    for _ in 1..LOOKS {
        if !migration::is_served(db).await? {
            return Ok(false);
        }
        sleep(LOOK_PAUSE).await;
    }
    Ok(migration::is_served(db).await?)
}

/// Whether data goes: a running service can be looked at and brought up to date, but not have its
/// tables taken away.
fn takes_away(action: &Migrate) -> bool {
    match action {
        Migrate::Up | Migrate::Status => false,
        Migrate::Down { .. } | Migrate::Fresh { .. } => true,
    }
}

async fn carry_out(action: Migrate, db: &migration::Connection) -> anyhow::Result<()> {
    match action {
        Migrate::Up => say(format_args!("{} applied", migration::up(db).await?))?,
        Migrate::Down { steps, all, .. } => {
            let back = if all { Back::All } else { Back::Steps(steps) };
            say(format_args!("{} taken back", migration::down(db, back).await?))?;
        }
        Migrate::Fresh { .. } => {
            say(format_args!("{} applied to an empty schema", migration::fresh(db).await?))?;
        }
        Migrate::Status => {
            let status = migration::status(db).await?;
            for (word, names) in [
                ("applied", status.applied),
                ("pending", status.pending),
                ("unknown", status.unknown),
            ] {
                for name in names {
                    say(format_args!("{word} {name}"))?;
                }
            }
        }
    }
    Ok(())
}

/// A server may start beside us.
async fn connect(url: &PostgresUrl) -> anyhow::Result<migration::Connection> {
    let until = Instant::now() + ARRIVAL;
    loop {
        match migration::connect(url.expose()).await {
            Err(error) if error.is_away() && Instant::now() < until => tell(&error),
            connected => return connected.context("the database does not answer"),
        }
        sleep(BREATH).await;
    }
}

fn tell(error: &MigrationError) {
    tracing::warn!(
        event = "database_awaited",
        error = %error,
        causes = causes(error),
        "the database does not answer yet"
    );
}

/// Whether whoever sits there means it. Where nobody does, nobody does.
fn confirmed(word: &str, database: &DatabaseSettings) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("DATA in {database} will be gone. Type {word} to go on: ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == word)
}
