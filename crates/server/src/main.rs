//! The program `saas-ia`.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use server::{
    cli::{Cli, Command},
    commands, confined,
    database::PendingSteps,
    settings::Settings,
};

/// How long work on other threads may still take at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a fault of the settings ends with, as a fault of the command line does.
const USAGE: u8 = 2;

/// What a start ends with that finds a schema which it may not bring up to date: trying again helps
/// once somebody has.
const PENDING: u8 = 3;

fn main() -> ExitCode {
    let command = Cli::parse().command();
    let done = match command {
        Command::Openapi => commands::openapi(),
        Command::Confined(args) => return confined::hold(&args),
        Command::ConfinedProgram(args) => return confined::become_it(&args),
        command => match Settings::read() {
            Ok(settings) => start(command, settings),
            Err(error) => {
                complain(&error);
                return ExitCode::from(USAGE);
            }
        },
    };
    done.unwrap_or_else(|error| {
        complain(&format_args!("{error:#}"));
        if error.is::<PendingSteps>() { ExitCode::from(PENDING) } else { ExitCode::FAILURE }
    })
}

/// Where the standard error cannot be written to, the exit code tells.
fn complain(error: &dyn Display) {
    let _ = writeln!(io::stderr(), "saas-ia: {error}");
}

fn start(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(commands::run(command, settings));
    // A look-up of a name, or a disk that hangs, must not hold the end up.
    runtime.shutdown_timeout(LAST_WORDS);
    done
}
