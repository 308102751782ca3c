//! How it ended, as a script can tell.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use domain::{Failure, Transcript};

use super::output::Output;

/// The exit codes, as the help shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the job failed: the code and a sentence are on the standard error
  2    an argument or a setting is wrong
  3    it did not work now: trying again later may help, or once the operator has mended something
  130  stopped by Ctrl-C, 143 by a request to end, 129 by a terminal that went away; what is known
       to be at the engine is erased

Nothing is remembered from one run to the next: a recording that was submitted by a run that was
killed (kill -9, power) is submitted, and paid for, once more by the next.";

const FAILED: u8 = 1;
const MISUSED: u8 = 2;
const NOT_NOW: u8 = 3;

/// Says something on the standard error. Where that cannot be written to, the exit code tells.
pub(super) fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "saas-ia: {text}");
}

/// How it ended.
pub(super) enum Ending {
    /// There is a transcript.
    Done {
        transcript: Box<Transcript>,
        /// What the recording is called.
        title: Option<String>,
    },
    /// The result is where it belongs.
    HandedOut,
    /// The job failed.
    Failed(Failure),
    /// There is a result, but not as it was asked for.
    Spoilt(String),
    /// The arguments or settings are wrong.
    Misused(String),
    /// A signal came; with the exit code that tells which.
    Stopped(u8),
}

impl Ending {
    /// Puts the result where it belongs.
    pub(super) fn hand_out(self, output: Output) -> Self {
        let Self::Done { transcript, title } = self else { return self };
        match output.put(&transcript, title.as_deref()) {
            Ok(()) => Self::HandedOut,
            Err(problem) => Self::Spoilt(problem),
        }
    }

    /// Says on the standard error what went wrong, and tells the exit code.
    pub(super) fn tell(self) -> ExitCode {
        match self {
            Self::Done { .. } | Self::HandedOut => ExitCode::SUCCESS,
            Self::Failed(failure) => {
                say(format_args!("{}: {}", failure.code().as_str(), failure.message()));
                ExitCode::from(if failure.retriable() { NOT_NOW } else { FAILED })
            }
            Self::Spoilt(problem) => {
                say(problem);
                ExitCode::from(FAILED)
            }
            Self::Misused(problem) => {
                say(problem);
                ExitCode::from(MISUSED)
            }
            Self::Stopped(code) => {
                say("stopped");
                ExitCode::from(code)
            }
        }
    }
}
