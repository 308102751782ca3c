//! How many jobs a second the engine brings from claim to finish, when no stage has anything to do:
//! `make bench-engine`.
//!
//! `SQLite` with every commit on the disk, and a private `PostgreSQL` with fsync on, on which
//! `pgbench` runs beside, so that the figures of a machine can be told from ours. Every job is
//! claimed twice and makes five commits of its own: the upload that is not needed, the intent, the
//! acceptance, the end of the wait, the transcript.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use application::{
    Adapters, Engine, EngineConfig,
    ports::{Clock, JobStore, UserRepository},
};
use chrono::{DateTime, Utc};
use domain::{Transcription, TranscriptionParts, UserId};
use infrastructure::{
    engines::mock::MockEngine,
    events::LocalBus,
    persistence::{DatabaseConfig, PostgresConfig, SqliteConfig, Store},
    system::{OsEntropy, SystemClock, UuidV7Ids},
};
use sea_orm::{ConnectionTrait, Statement};
use testkit::{
    contract::{a_transcription, a_user},
    fakes,
    servers::PostgresServer,
};

/// Users among whom the jobs are spread.
const USERS: usize = 20;
/// Leased jobs at once.
const SLOTS: u32 = 128;
/// How long a run may take.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() -> anyhow::Result<()> {
    let jobs = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(4_000);
    let runtime = tokio::runtime::Runtime::new()?;

    let folder = tempfile::tempdir()?;
    let file = SqliteConfig::new(folder.path().join("bench.db"));
    let sqlite = runtime.block_on(run(file.into(), jobs / 4))?;
    println!("SQLite, synchronous=FULL     {sqlite:8.0} jobs/s");

    let server = PostgresServer::start()?;
    let raw = pgbench(&server)?;
    println!("pgbench, simple update       {raw:8.0} commits/s  (8 connections, fsync on)");
    server.run("postgres", &["CREATE DATABASE bench"])?;
    let mut config = PostgresConfig::new(&server.url("bench"))?;
    config.engine_connections = 8;
    let postgres = runtime.block_on(run(config.into(), jobs))?;
    println!("PostgreSQL, fsync on         {postgres:8.0} jobs/s     (8 connections)");
    println!("five commits a job: {:.2} of pgbench", 5.0 * postgres / raw);
    Ok(())
}

/// Queues the jobs, then runs them all.
async fn run(config: DatabaseConfig, jobs: usize) -> anyhow::Result<f64> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Arc::new(Store::open(config, Arc::clone(&clock)).await?);
    migration::up(store.connection()).await?;
    let mut owners = Vec::new();
    for _ in 0..USERS {
        let user = a_user(clock.now());
        store.insert(&user).await?;
        owners.push(user.parts().id);
    }
    for number in 0..jobs {
        let owner = owners[number % USERS];
        store.enqueue(&for_the_mock(owner, clock.now())).await?;
    }
    let adapters = Adapters {
        users: store.clone(),
        transcriptions: store.clone(),
        jobs: store.clone(),
        speech: Arc::new(MockEngine::new(Duration::ZERO, Arc::clone(&clock))),
        events: Arc::new(LocalBus::new()),
        ids: Arc::new(UuidV7Ids),
        entropy: Arc::new(OsEntropy),
        clock,
        ..fakes::adapters().adapters()
    };
    let config = EngineConfig { slots: SLOTS, per_owner: SLOTS, ..EngineConfig::default() };
    let begun = Instant::now();
    let running = Engine::new(&adapters, config).start();
    while has_jobs(&store).await? {
        ensure!(begun.elapsed() < PATIENCE, "the jobs do not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    running.drain().await;
    store.close().await;
    Ok(f64::from(u32::try_from(jobs)?) / took.as_secs_f64())
}

fn for_the_mock(owner: UserId, now: DateTime<Utc>) -> Transcription {
    let TranscriptionParts { id, video_url, source, options, metadata, .. } =
        a_transcription(owner, now).parts().clone();
    Transcription::request(id, owner, video_url, source, options, metadata, "mock".to_owned(), now)
}

async fn has_jobs(store: &Store) -> anyhow::Result<bool> {
    let db = store.read_connection();
    let statement = Statement::from_string(db.get_database_backend(), "SELECT 1 FROM jobs LIMIT 1");
    Ok(db.query_one_raw(statement).await?.is_some())
}

/// Commits a second of the server itself, each of one update and one insertion.
fn pgbench(server: &PostgresServer) -> anyhow::Result<f64> {
    let program = ["pgbench", "/usr/lib/postgresql/15/bin/pgbench"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_ok());
    let program = program.context("pgbench is missing")?;
    server.run("postgres", &["CREATE DATABASE raw"])?;
    let url = server.url("raw");
    let pgbench = |options: &[&str]| {
        let output = Command::new(program).args(options).arg(&url).output()?;
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    pgbench(&["-i", "-q", "-s", "10"])?;
    let told = pgbench(&["-N", "-M", "prepared", "-c", "8", "-j", "2", "-T", "6"])?;
    let line = told.lines().find(|line| line.starts_with("tps = ")).context("no figure")?;
    let figure = line.trim_start_matches("tps = ").split(' ').next().context("no figure")?;
    Ok(figure.parse()?)
}
