//! What must be gone when all has come to rest: rows of live jobs, files, processes.
//!
//! Where several processes may share a folder, a file that a killed one left is taken for a part of
//! an upload under way until it is an hour old, and an erasure that it was at is tried again after
//! some minutes: [`let_an_hour_pass`], and the next start deals with them.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use black_box_tests::service::PATIENCE;
use testkit::servers::PostgresServer;
use tokio::time::{Instant, sleep};

/// What is counted, in the words of both databases.
const COUNT: &str = "
    SELECT 'jobs', count(*) FROM jobs
    UNION ALL SELECT 'intents', count(*) FROM provider_submissions
        WHERE state IN ('intent', 'accepted')
    UNION ALL SELECT 'erasures', count(*) FROM erasures";

/// A program that is none of ours, as `psql` is.
const ASK_SQLITE: &str = "import sqlite3, sys
for name, count in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(f'{name}|{count}')";

/// What is left in a file of `SQLite`.
pub(crate) fn in_sqlite(database: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("python3").args(["-c", ASK_SQLITE]).arg(database).arg(COUNT).output();
    let output = output.context("python3 is needed to look into the database")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(counted(&String::from_utf8(output.stdout)?))
}

/// What is left in a database of PostgreSQL.
pub(crate) fn in_postgres(server: &PostgresServer, name: &str) -> anyhow::Result<Vec<String>> {
    Ok(counted(&server.run(name, &[COUNT])?))
}

fn counted(counts: &str) -> Vec<String> {
    counts.lines().filter(|line| !line.ends_with("|0")).map(str::to_owned).collect()
}

/// What is in a folder, at any depth, as far as it is a file.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.path().display().to_string()),
            }
        }
    }
    files
}

/// Makes what is left older: an upload by the time of its file, the folder of a job by its name,
/// which begins with the time of its making, an erasure by the time at which it is due.
pub(crate) fn let_an_hour_pass(
    data: &Path,
    server: &PostgresServer,
    name: &str,
) -> anyhow::Result<()> {
    const SPAN: Duration = Duration::from_hours(2);
    server.run(name, &["UPDATE erasures SET due_at = due_at - interval '1 hour'"])?;
    for upload in files_in(&data.join("uploads")) {
        File::options().write(true).open(upload)?.set_modified(SystemTime::now() - SPAN)?;
    }
    for folder in fs::read_dir(data.join("work")).into_iter().flatten() {
        let folder = folder?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((made, rest)) = name.split_at_checked(13)
            && let Ok(made) = u64::from_str_radix(&made.replace('-', ""), 16)
        {
            let made = made.saturating_sub(u64::try_from(SPAN.as_millis())?);
            let name = format!("{:08x}-{:04x}{rest}", made >> 16, made & 0xffff);
            fs::rename(&folder, folder.with_file_name(name))?;
        }
    }
    Ok(())
}

/// Waits until no process runs that was started from, or works in, the folder of the service: what
/// the killed one had started must end with it.
pub(crate) async fn wait_until_no_process_is_in(folder: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = processes_in(folder);
        if found.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "processes survive: {found:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn processes_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let works =
            fs::read_link(process.path().join("cwd")).is_ok_and(|at| at.starts_with(folder));
        if works {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}
