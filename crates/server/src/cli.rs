//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use domain::export::Format;
use infrastructure::confinement::{Limits, PROGRAM, SUPERVISOR};

use crate::transcribe::{DEFAULT_FORMAT, EXIT_CODES};

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
        self.command.unwrap_or(Command::Serve)
    }
}

/// What the binary can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the API and run the jobs (the default)
    Serve,
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

/// How the running service is asked.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct HealthArgs {
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

/// What is transcribed, how, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = EXIT_CODES)]
pub struct TranscribeArgs {
    /// A file, an http or https URL, or - for the standard input
    #[arg(value_name = "FILE|URL")]
    pub source: OsString,
    /// What the result is written as
    #[arg(long, short, default_value = DEFAULT_FORMAT.as_str(), value_parser = formats())]
    pub format: Format,
    /// Write the result to this file instead of printing it; replaced only when all is done
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The language spoken, as a BCP 47 tag such as fr or pt-BR; auto lets the engine find out
    #[arg(long, short, default_value = "auto")]
    pub language: String,
    /// Tell speakers apart
    #[arg(long)]
    pub speakers: bool,
    /// How many speakers there are, if you know
    #[arg(long, value_name = "NUMBER", requires = "speakers")]
    pub speakers_expected: Option<i64>,
    /// A word or phrase to expect; may be given several times
    #[arg(long = "keyterm", value_name = "TERM")]
    pub keyterms: Vec<String>,
    /// Captions: most characters on a line (42)
    #[arg(long, value_name = "NUMBER")]
    pub chars_per_line: Option<String>,
    /// Captions: most lines (2)
    #[arg(long, value_name = "NUMBER")]
    pub lines: Option<String>,
    /// Captions: longest time one stands (7)
    #[arg(long, value_name = "SECONDS")]
    pub max_seconds: Option<String>,
    /// Captions: shortest time one stands where there is room (1)
    #[arg(long, value_name = "SECONDS")]
    pub min_seconds: Option<String>,
    /// Captions: reading speed (20)
    #[arg(long, value_name = "NUMBER")]
    pub chars_per_second: Option<String>,
    /// Log as `LOG_LEVEL` says, instead of warnings alone
    #[arg(long, short)]
    pub verbose: bool,
}

impl TranscribeArgs {
    /// The settings of captions that were given, by their names.
    pub fn captions(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = [
            ("chars_per_line", &self.chars_per_line),
            ("lines", &self.lines),
            ("max_seconds", &self.max_seconds),
            ("min_seconds", &self.min_seconds),
            ("chars_per_second", &self.chars_per_second),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

fn formats() -> impl TypedValueParser<Value = Format> {
    let unknown = "is not a format";
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(move |word| Format::from_word(&word).ok_or(unknown))
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
    },
    /// Show what is applied and what is pending
    Status,
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command, HealthArgs, Migrate};
    use clap::{CommandFactory, Parser};

    fn parse(words: &str) -> Option<Command> {
        let words = ["saas-ia"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).ok().map(Cli::command)
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
            ("", Some(Command::Serve)),
            ("serve", Some(Command::Serve)),
            ("openapi", Some(Command::Openapi)),
            ("config", Some(Command::Config)),
            ("health", Some(Command::Health(HealthArgs { timeout: 5 }))),
            ("migrate up", Some(Command::Migrate { action: Migrate::Up })),
            ("migrate down", Some(Command::Migrate { action: Migrate::Down { steps: 1 } })),
            (
                "migrate down --steps 3",
                Some(Command::Migrate { action: Migrate::Down { steps: 3 } }),
            ),
            ("migrate status", Some(Command::Migrate { action: Migrate::Status })),
            ("migrate", None),
            ("migrate up --steps 1", None),
            ("migrate down --steps 0", None),
            ("health --timeout 0", None),
            ("worker", None),
            ("transcribe", None),
            ("transcribe a.wav --format docx", None),
            ("transcribe a.wav --speakers-expected 2", None),
            ("transcribe a.wav b.wav", None),
        ] {
            assert_eq!(parse(words), command, "{words}");
        }
    }
}
