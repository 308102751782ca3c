//! Ports of the loopback interface, and whether a server on one has ended.

use std::{
    fs,
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::Context as _;

/// Below what systems give to outgoing connections, so that none of these can take the port while
/// its server is away.
const FIRST: u16 = 30_000;
const COUNT: u16 = 2_700;

/// A port on which nobody listens.
pub(super) fn free() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(process::id() % u32::from(COUNT))?;
    (0..COUNT)
        .map(|_| FIRST + (first + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free")
}

/// Whether a process has ended and waits for its parent to notice. Where the system does not say,
/// it counts as alive.
pub(super) fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may hold anything.
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}
