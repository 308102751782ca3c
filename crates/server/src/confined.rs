//! What this binary does as the supervisor of a foreign program: see [`infrastructure::confinement`].
//!
//! Neither settings nor logs: what is said goes to the standard error, which the service reads.

use std::{io, process::ExitCode};

use infrastructure::confinement::{become_program, supervise};

use crate::cli::{ConfinedArgs, ConfinedProgramArgs};

/// What a supervisor ends with that holds nothing.
const NOT_STARTED: u8 = 127;

/// Holds a program within limits until nothing of it is left.
pub fn hold(args: &ConfinedArgs) -> ExitCode {
    end(supervise(&args.limits(), &args.command))
}

/// Becomes the program; returns only if that cannot be.
pub fn become_it(args: &ConfinedProgramArgs) -> ExitCode {
    end(become_program(args.parent, &args.command))
}

fn end(ended: io::Result<i32>) -> ExitCode {
    match ended {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Err(error) => {
            eprintln!("saas-ia: cannot start a program: {error}");
            ExitCode::from(NOT_STARTED)
        }
    }
}
