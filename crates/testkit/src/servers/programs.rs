//! Where the programs of the servers are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// Where Debian keeps the programs of each major version, off the `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A program of PostgreSQL's server, or `psql`: the one that belongs to the server, which also
/// spares the slow script that Debian has on the `PATH` under its name.
pub(super) fn postgres(name: &str) -> anyhow::Result<PathBuf> {
    let server = on_path("initdb").and_then(|path| path.canonicalize().ok());
    let beside = server.as_deref().and_then(Path::parent).map(|folder| folder.join(name));
    let found = beside.filter(|path| path.is_file()).or_else(|| in_debian(name));
    found.or_else(|| on_path(name)).with_context(|| {
        format!(
            "{name} is missing: run scripts/test-servers.sh, or install PostgreSQL 15 or later \
             (in Debian: apt-get install postgresql); for a server that runs already, set \
             TEST_DATABASE_URL to an account that may create databases, for which psql is enough"
        )
    })
}

/// The program of Redis.
pub(super) fn redis() -> anyhow::Result<PathBuf> {
    on_path("redis-server").context(
        "redis-server is missing: run scripts/test-servers.sh, or install Redis 7 (in Debian: \
         apt-get install redis-server), or set TEST_REDIS_URL to a server that runs already",
    )
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The newest one.
fn in_debian(name: &str) -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir(DEBIAN).ok()?.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = versions.filter(|path| version(path).is_some()).collect();
    found.sort_by_key(version);
    found.into_iter().rev().map(|path| path.join("bin").join(name)).find(|path| path.is_file())
}
