//! Requests to end.

use std::{fs, future, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell makes of a process that a signal has ended.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;
const HUNG_UP: u8 = 129;

/// SIGINT, SIGTERM, and SIGHUP: a terminal that went away.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Begins to listen: from now on these signals no longer end the process.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if outlives_its_terminal() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
        })
    }

    async fn hung_up(hangup: &mut Option<Signal>) {
        match hangup {
            Some(hangup) => {
                hangup.recv().await;
            }
            None => future::pending().await,
        }
    }

    /// Waits for the next one; tells with which code the process is to end.
    pub(super) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
            () = Self::hung_up(&mut self.hangup) => HUNG_UP,
        }
    }
}

/// Whether SIGHUP is ignored already, as `nohup` has it: to listen would undo that. Where the system
/// does not say, it is not.
fn outlives_its_terminal() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0)
}
