//! The service's end of the lead.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{Limits, NOT_STARTED, OVER_LIMITS, SIGNALED, SUPERVISOR};

/// By what foreign programs are held.
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    supervisor: Option<PathBuf>,
}

impl Confinement {
    /// Held by this binary, which must know the words [`SUPERVISOR`] and [`super::PROGRAM`].
    pub fn by(supervisor: PathBuf) -> Self {
        Self { supervisor: Some(supervisor) }
    }

    /// Not held by anybody: programs have no limits, and outlive a service that is killed. For
    /// systems without the means, and tests that are not about them.
    pub fn none() -> Self {
        Self::default()
    }

    /// A command that runs `program`, an absolute path, within `limits`; its arguments and its
    /// folder are for the caller to add. It inherits no variable.
    pub(crate) fn command(&self, program: &Path, limits: &Limits) -> Command {
        let mut command = match &self.supervisor {
            None => Command::new(program),
            Some(supervisor) => {
                let mut command = Command::new(supervisor);
                command.arg(SUPERVISOR).args(limits.arguments()).arg("--").arg(program);
                command
            }
        };
        command.env_clear();
        command
    }

    /// Starts a command that [`Self::command`] has made.
    pub(crate) fn start(&self, mut command: Command) -> io::Result<Running> {
        let supervised = self.supervisor.is_some();
        let lifeline = if supervised { Stdio::piped() } else { Stdio::null() };
        command
            .stdin(lifeline)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is for the service, which finishes or drops its work itself.
            .process_group(0)
            // A supervisor ends by itself when its lifeline closes, and must not die before it has
            // ended what it holds.
            .kill_on_drop(!supervised);
        let mut child = command.spawn()?;
        let lifeline = child.stdin.take();
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Running { child, lifeline, group: group.filter(|_| !supervised) })
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By the supervisor, because the tree took too much.
    OverLimits,
    /// It never began.
    NotStarted,
}

/// A program that runs, with all that it has started. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lifeline: Option<ChildStdin>,
    /// The group to be killed where nobody supervises it.
    group: Option<Pid>,
}

impl Running {
    /// What the program says, in its two ways; to be taken once.
    pub(crate) fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Ends the program and all that it has started. Returns at once; [`Self::ended`] tells when
    /// they are gone.
    pub(crate) fn kill(&mut self) {
        self.lifeline = None;
        if let Some(group) = self.group {
            // Nobody left is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for the end of the program; under a supervisor, also for that of all that it has
    /// started.
    pub(crate) async fn ended(&mut self) -> io::Result<Ending> {
        let status = self.child.wait().await?;
        let supervised = self.group.is_none();
        self.kill();
        self.group = None;
        Ok(Ending::of(status, supervised))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Ending {
    fn of(status: ExitStatus, supervised: bool) -> Self {
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        match (status.code(), signal) {
            (Some(OVER_LIMITS), _) if supervised => Self::OverLimits,
            (Some(NOT_STARTED), _) if supervised => Self::NotStarted,
            (Some(code), _) if supervised && code > SIGNALED => Self::Signal(code - SIGNALED),
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }

    /// Whether the operator, the service manager or a lack of memory ended the program. One that
    /// dies of any other signal was ended by what it worked on.
    pub(crate) fn is_from_outside(self) -> bool {
        let from_outside = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::KILL, Signal::TERM];
        matches!(self, Self::Signal(number)
            if from_outside.iter().any(|signal| signal.as_raw() == number))
    }
}

#[cfg(test)]
mod tests {
    use super::{Confinement, Ending};
    use crate::confinement::Limits;
    use std::{os::unix::process::ExitStatusExt, path::Path, process::ExitStatus};

    #[test]
    fn a_supervisor_tells_by_its_code_how_the_program_ended() {
        let coded = |code: i32| ExitStatus::from_raw(code << 8);
        for (code, supervised, ending) in [
            (0, true, Ending::Code(0)),
            (1, true, Ending::Code(1)),
            (125, true, Ending::OverLimits),
            (125, false, Ending::Code(125)),
            (127, true, Ending::NotStarted),
            (127, false, Ending::Code(127)),
            (137, true, Ending::Signal(9)),
            (137, false, Ending::Code(137)),
        ] {
            assert_eq!(Ending::of(coded(code), supervised), ending, "{code} {supervised}");
        }
        assert_eq!(Ending::of(ExitStatus::from_raw(9), true), Ending::Signal(9));
        assert!(Ending::Signal(9).is_from_outside() && Ending::Signal(15).is_from_outside());
        assert!(!Ending::Signal(11).is_from_outside() && !Ending::Code(9).is_from_outside());
    }

    #[test]
    fn a_program_is_reached_through_its_supervisor() {
        let limits = Limits {
            cpu_seconds: 1,
            memory_bytes: 2,
            address_bytes: 3,
            file_bytes: 4,
            open_files: 5,
            processes: 6,
            resident_bytes: 7,
        };
        let held = Confinement::by("/proc/self/exe".into());
        let command = held.command(Path::new("/bin/echo"), &limits);
        let words: Vec<_> = command.as_std().get_args().map(|word| word.to_str()).collect();
        let words: Option<Vec<_>> = words.into_iter().collect();
        let expected = "confined --cpu-seconds 1 --memory-bytes 2 --address-bytes 3 --file-bytes 4 \
                        --open-files 5 --processes 6 --resident-bytes 7 -- /bin/echo";
        assert_eq!(words.map(|words| words.join(" ")), Some(expected.to_owned()));
        let free = Confinement::none().command(Path::new("/bin/echo"), &limits);
        assert_eq!(free.as_std().get_program(), "/bin/echo");
        assert_eq!(free.as_std().get_args().count(), 0);
    }
}
