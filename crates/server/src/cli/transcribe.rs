//! The arguments of `transcribe`.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use domain::export::Format;

use crate::transcribe::{DEFAULT_FORMAT, EXIT_CODES};

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
