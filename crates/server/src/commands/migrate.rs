//! The schema by hand.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
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

/// What has to be typed before a production database is emptied.
const WORD: &str = "fresh";

/// Changes the schema, or looks at it.
pub(super) async fn run(action: Migrate, settings: &Settings) -> anyhow::Result<ExitCode> {
    if let Migrate::Fresh { yes: false } = action
        && settings.environment == Environment::Production
        && !confirmed(&settings.storage.database)?
    {
        return Ok(misused(
            "nothing was changed: in production, `migrate fresh` wants to be confirmed, by its \
             word or by --yes",
        ));
    }
    let done = match &settings.storage.database {
        DatabaseSettings::Sqlite(path) => {
            let config = SqliteConfig { lock: takes_away(&action), ..SqliteConfig::new(path) };
            let store = match Store::open(config, Arc::new(SystemClock)).await {
                Err(error @ OpenError::InUse(_)) => {
                    return Err(anyhow::Error::new(error).context("stop the service first"));
                }
                opened => opened?,
            };
            timeout(PATIENCE, carry_out(action, store.connection())).await
        }
        DatabaseSettings::Postgres(url) => {
            let db = connect(url).await?;
            timeout(PATIENCE, carry_out(action, &db)).await
        }
    };
    done.context("the database did not do it in time")??;
    Ok(ExitCode::SUCCESS)
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
        Migrate::Down { steps, all } => {
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
        error = error as &dyn std::error::Error,
        "the database does not answer yet"
    );
}

/// Whether whoever sits there means it. Where nobody does, nobody does.
fn confirmed(database: &DatabaseSettings) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("ALL DATA in {database} will be gone. Type {WORD} to go on: ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == WORD)
}
