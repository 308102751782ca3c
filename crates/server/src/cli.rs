//! The command line.

mod transcribe;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};
use infrastructure::confinement::{Limits, PROGRAM, SUPERVISOR};

pub use transcribe::TranscribeArgs;

/// Transcription as a service, self-hosted.
#[derive(Debug, Parser)]
#[command(name = "saas-ia", version, about)]
pub struct Cli {
    /// What to do; `serve` when left out
    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// What to do.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(ServeArgs::default()))
    }
}

/// What the binary can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the API and run the jobs (the default)
    Serve(ServeArgs),
    /// Run the jobs alone, beside processes that serve the API
    Worker,
    /// Print the OpenAPI description
    Openapi,
    /// Print the effective settings, secrets hidden
    Config,
    /// Ask the running service whether it is ready; the exit code is 1 when it is not
    Health(HealthArgs),
    /// Transcribe one recording without a server, and print the result
    Transcribe(Box<TranscribeArgs>),
    /// Hold a program within limits (for the service itself)
    #[command(name = SUPERVISOR, hide = true)]
    Confined(ConfinedArgs),
    /// Become a program that is held within limits (for the service itself)
    #[command(name = PROGRAM, hide = true)]
    ConfinedProgram(ConfinedProgramArgs),
    /// Change the schema of the database, or look at it
    Migrate {
        /// What to do with the schema
        #[command(subcommand)]
        action: Migrate,
    },
}

/// What the service does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ServeArgs {
    /// Serve the API alone; processes with `worker` run the jobs
    #[arg(long)]
    pub no_worker: bool,
}

/// How the running service is asked.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct HealthArgs {
    /// Ask the process that only runs jobs, at the port that it has for that
    #[arg(long)]
    pub worker: bool,
    /// How many seconds the answer may take
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub timeout: u64,
}

/// What a supervisor is told: see [`Limits`].
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[expect(missing_docs, reason = "the fields are those of the limits")]
pub struct ConfinedArgs {
    #[arg(long)]
    pub cpu_seconds: u64,
    #[arg(long)]
    pub memory_bytes: u64,
    #[arg(long)]
    pub address_bytes: u64,
    #[arg(long)]
    pub file_bytes: u64,
    #[arg(long)]
    pub open_files: u64,
    #[arg(long)]
    pub processes: u64,
    #[arg(long)]
    pub resident_bytes: u64,
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

impl ConfinedArgs {
    /// The limits.
    pub fn limits(&self) -> Limits {
        Limits {
            cpu_seconds: self.cpu_seconds,
            memory_bytes: self.memory_bytes,
            address_bytes: self.address_bytes,
            file_bytes: self.file_bytes,
            open_files: self.open_files,
            processes: self.processes,
            resident_bytes: self.resident_bytes,
        }
    }
}

/// What becomes the program of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ConfinedProgramArgs {
    /// The number of the supervisor
    #[arg(long)]
    pub parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// What can be done with the schema.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Migrate {
    /// Apply what is pending
    Up,
    /// Take steps back, with the data in them
    Down {
        /// How many steps
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// All of them
        #[arg(long, conflicts_with = "steps")]
        all: bool,
        /// Ask nobody, and look for no service that runs; without it, production asks for
        /// confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Show what is applied and what is pending
    Status,
    /// Take every step back, with ALL DATA, and apply them anew
    Fresh {
        /// Ask nobody, and look for no service that runs; without it, production, and a database
        /// with accounts, ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command, HealthArgs, Migrate, ServeArgs};
    use clap::{CommandFactory, Parser};

    fn parse(words: &str) -> Option<Command> {
        let words = ["saas-ia"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).ok().map(Cli::command)
    }

    fn migrate(action: Migrate) -> Command {
        Command::Migrate { action }
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn what_is_transcribed_and_how_is_read() {
        let Some(Command::Transcribe(args)) = parse("transcribe a.wav") else { panic!("it is") };
        assert_eq!((args.format.as_str(), args.language.as_str()), ("txt", "auto"));
        assert_eq!(args.captions().next(), None);
        let words = "transcribe - -f vtt -o a.vtt --speakers --keyterm x --keyterm y --lines 1";
        let Some(Command::Transcribe(args)) = parse(words) else { panic!("it is") };
        assert_eq!((args.format.as_str(), args.keyterms.len()), ("vtt", 2));
        assert_eq!(args.captions().collect::<Vec<_>>(), [("lines", "1")]);
    }

    #[test]
    fn commands_are_read() {
        for (words, command) in [
            ("", Some(Command::Serve(ServeArgs { no_worker: false }))),
            ("serve", Some(Command::Serve(ServeArgs { no_worker: false }))),
            ("serve --no-worker", Some(Command::Serve(ServeArgs { no_worker: true }))),
            ("worker", Some(Command::Worker)),
            ("openapi", Some(Command::Openapi)),
            ("config", Some(Command::Config)),
            ("health", Some(Command::Health(HealthArgs { worker: false, timeout: 5 }))),
            (
                "health --worker --timeout 3",
                Some(Command::Health(HealthArgs { worker: true, timeout: 3 })),
            ),
            ("migrate up", Some(migrate(Migrate::Up))),
            ("migrate down", Some(migrate(Migrate::Down { steps: 1, all: false, yes: false }))),
            (
                "migrate down --steps 3",
                Some(migrate(Migrate::Down { steps: 3, all: false, yes: false })),
            ),
            (
                "migrate down --all",
                Some(migrate(Migrate::Down { steps: 1, all: true, yes: false })),
            ),
            (
                "migrate down --yes",
                Some(migrate(Migrate::Down { steps: 1, all: false, yes: true })),
            ),
            ("migrate down --all --steps 3", None),
            ("migrate status", Some(migrate(Migrate::Status))),
            ("migrate fresh", Some(migrate(Migrate::Fresh { yes: false }))),
            ("migrate fresh --yes", Some(migrate(Migrate::Fresh { yes: true }))),
            ("migrate", None),
            ("migrate up --steps 1", None),
            ("migrate down --steps 0", None),
            ("health --timeout 0", None),
            ("worker --no-worker", None),
            ("transcribe", None),
            ("transcribe a.wav --format docx", None),
            ("transcribe a.wav --speakers-expected 2", None),
            ("transcribe a.wav b.wav", None),
        ] {
            assert_eq!(parse(words), command, "{words}");
        }
    }
}
