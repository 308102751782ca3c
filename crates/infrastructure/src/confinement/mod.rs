//! Foreign programs on a short lead: limits that the system enforces, and an end that reaches
//! everything they have started, also when this process is killed.
//!
//! ```text
//! service ──lifeline──▶ supervisor (`saas-ia confined`) ──▶ program ──▶ what it starts
//! ```
//!
//! The supervisor is this same binary. It holds the reading end of a pipe, the lifeline, whose
//! only writing end the service has; when that closes, because the service lets go or dies however
//! it dies, the supervisor ends the whole tree. It adopts what loses its parent, so nothing slips
//! away by detaching itself, and it ends only when nothing of the tree is left.
//!
//! A parent-death signal alone would not do: it is not inherited by what a program starts, and it
//! fires when the *thread* that started the program ends. Here it only guards the step between
//! supervisor and program.

mod launch;
mod limits;
#[cfg(target_os = "linux")]
mod supervisor;
#[cfg(target_os = "linux")]
mod tree;

pub use launch::Confinement;
pub(crate) use launch::{Ending, Running};
pub use limits::Limits;
#[cfg(target_os = "linux")]
pub use supervisor::{become_program, supervise};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{become_program, supervise};

/// Systems without the means, on which nobody starts a supervisor.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Limits;
    use std::{ffi::OsString, io};

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn supervise(_: &Limits, _: &[OsString]) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn become_program(_: i32, _: &[OsString]) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The word that makes the binary a supervisor: [`supervise`].
pub const SUPERVISOR: &str = "confined";

/// The word that makes the binary the program itself: [`become_program`].
pub const PROGRAM: &str = "confined-program";

/// How a supervisor ends that had to end a tree which took too much.
const OVER_LIMITS: i32 = 125;

/// How a supervisor ends that could not start the program, as shells do.
const NOT_STARTED: i32 = 127;

/// What is added to the number of a signal that ended the program, as shells do.
const SIGNALED: i32 = 128;
