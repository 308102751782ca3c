//! What the commands do. Each prints its result on stdout; logs go to stderr.

mod migrate;
mod open_files;
mod serve;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use crate::{
    cli::{Command, HealthArgs},
    confined, logging,
    serve::Role,
    settings::Settings,
    transcribe,
};

/// What a command ends with that asks for what cannot be, as a fault of the settings does.
const MISUSED: u8 = 2;

/// Runs a command to its end.
///
/// # Errors
/// What stands in its way.
pub async fn run(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    if !matches!(command, Command::Transcribe(_)) {
        logging::init(&settings.log.filter, settings.log.format)?;
    }
    match command {
        Command::Serve(args) => {
            let role = if args.no_worker { Role::Api } else { Role::Whole };
            serve::run(role, settings).await
        }
        Command::Worker => serve::run(Role::Worker, settings).await,
        Command::Openapi => openapi(),
        Command::Confined(args) => Ok(confined::hold(&args)),
        Command::ConfinedProgram(args) => Ok(confined::become_it(&args)),
        Command::Config => {
            say(settings.describe().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Health(args) => health(&settings, &args).await,
        Command::Migrate { action } => migrate::run(action, &settings).await,
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

async fn health(settings: &Settings, args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let deadline = Duration::from_secs(args.timeout);
    let http = &settings.http;
    let (host, port) = if args.worker {
        (&http.worker_health_host, http.worker_health_port)
    } else {
        (&http.host, Some(http.port))
    };
    let Some(port) = port else {
        return Ok(misused("set WORKER_HEALTH_PORT, and the worker tells there how it is"));
    };
    let url = health_url(host, port);
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

/// Says why a command does nothing.
fn misused(why: impl fmt::Display) -> ExitCode {
    eprintln!("saas-ia: {why}");
    ExitCode::from(MISUSED)
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

#[cfg(test)]
mod tests {
    use super::health_url;

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
