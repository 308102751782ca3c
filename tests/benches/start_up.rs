//! How fast the release binary (or that of `SAAS_IA_BIN`) starts and how much memory it then holds:
//! `make bench`.
//!
//! Each round starts the service on an empty folder, `SQLite` and the mock engine, and asks
//! `/health/ready` every millisecond.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use black_box_tests::{Setup, binary, service::resident_kib, workspace};

const ROUNDS: usize = 11;

fn main() -> anyhow::Result<()> {
    let given = workspace::variable("SAAS_IA_BIN").map(PathBuf::from);
    let binary = given.map_or_else(|| binary::build("release"), Ok)?;
    println!("{} rounds of {}", ROUNDS, binary.display());
    let mut starts = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..ROUNDS {
        let (start, kib) = round(&binary)?;
        starts.push(start.as_millis());
        resident.push(kib);
    }
    starts.sort_unstable();
    resident.sort_unstable();
    let (middle, last) = (ROUNDS / 2, ROUNDS - 1);
    println!(
        "start to first ready answer: median {} ms, worst {} ms",
        starts[middle], starts[last]
    );
    println!("resident then: median {} KiB, worst {} KiB", resident[middle], resident[last]);
    Ok(())
}

fn round(binary: &Path) -> anyhow::Result<(Duration, u64)> {
    let setup = Setup::new()?;
    let mut command = setup.command(binary, &["serve"]);
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let ready = wait_until_ready(setup.port(), begun);
    let kib = resident_kib(child.id());
    child.kill()?;
    child.wait()?;
    Ok((ready?, kib?))
}

fn wait_until_ready(port: u16, begun: Instant) -> anyhow::Result<Duration> {
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream
                .write_all(b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).context("the answer cannot be read")?;
            if answer.starts_with("HTTP/1.1 200") {
                return Ok(begun.elapsed());
            }
        }
        ensure!(begun.elapsed() < Duration::from_secs(30), "the service does not get ready");
        thread::sleep(Duration::from_millis(1));
    }
}
