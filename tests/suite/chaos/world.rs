//! The processes of a run and what they stand on: PostgreSQL, Redis, an engine and recordings.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use black_box_tests::{Client, MediaServer, Service, Setup};
use reqwest::Url;
use tempfile::TempDir;
use testkit::{
    assemblyai::FakeAssemblyAi,
    fixtures::{self, Recording},
    servers::{PostgresServer, RedisServer},
};
use tokio::task::spawn_blocking;

use super::witness::{self, DATABASE};
use crate::leftovers;

/// How long the engine takes for a job.
const ENGINE: Duration = Duration::from_millis(250);
/// How long a recording takes to arrive: much of the time that a job is held.
const FETCH: Duration = Duration::from_millis(500);
/// How long a job of a dead process stays its.
pub(super) const LEASE: Duration = Duration::from_secs(2);

/// Everything but the service.
pub(crate) struct World {
    pub(super) engine: FakeAssemblyAi,
    pub(crate) media: MediaServer,
    pub(crate) recording: &'static Recording,
    pub(crate) postgres: Arc<PostgresServer>,
    pub(super) redis: Arc<RedisServer>,
    /// What all processes share, as they would a volume.
    data: TempDir,
}

/// A process of the service, and the name that the database knows it by.
pub(super) struct Process {
    pub(super) name: String,
    pub(super) service: Service,
}

/// What calls are counted against.
const BUDGETS: [&str; 10] = [
    "auth_register",
    "auth_login",
    "auth_me",
    "transcription_create",
    "transcription_list",
    "transcription_get",
    "transcription_delete",
    "transcription_export",
    "health",
    "default",
];

impl World {
    /// Starts the servers, and brings the schema and the witness.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let recording = fixtures::by_name("jfk").context("a recording")?;
        let engine = FakeAssemblyAi::start();
        engine.set_processing(ENGINE);
        let media = MediaServer::start(recording.wav, FETCH).await?;
        let postgres = Arc::new(apart(PostgresServer::start).await?);
        let redis = Arc::new(apart(RedisServer::start).await?);
        let world = Self { engine, media, recording, postgres, redis, data: TempDir::new()? };
        let create = format!("CREATE DATABASE {DATABASE}");
        world.postgres.run("postgres", &[&create])?;
        let migrated = world.setup("operator")?.run(&["migrate", "up"]).await?;
        anyhow::ensure!(migrated.code == Some(0), "{}", migrated.output());
        witness::install(&world.postgres)?;
        Ok(world)
    }

    /// Starts a process that serves the API.
    pub(super) async fn api(&self, name: &str) -> anyhow::Result<Process> {
        Ok(Process { name: name.to_owned(), service: self.setup(name)?.as_api()?.start().await? })
    }

    /// Starts a process that runs jobs, with leases of this length.
    pub(super) async fn worker(&self, name: &str, lease: Duration) -> anyhow::Result<Process> {
        let setup = self.setup(name)?.with("JOB_LEASE_SECONDS", &lease.as_secs().to_string());
        Ok(Process { name: name.to_owned(), service: setup.as_worker()?.start().await? })
    }

    /// The settings of a process, which signs in to the database as a user of its own.
    pub(crate) fn setup(&self, name: &str) -> anyhow::Result<Setup> {
        const PASSWORD: &str = "chaos";
        let role = format!("CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{PASSWORD}'");
        self.postgres.run("postgres", &[&role])?;
        let mut url = Url::parse(&self.postgres.url(DATABASE))?;
        let named = url.set_username(name).and_then(|()| url.set_password(Some(PASSWORD)));
        named.ok().context("a URL with a host may name a user")?;
        // Wide, and not off: what is counted in Redis is on the way of every request.
        let limits = BUDGETS.map(|budget| format!("{budget}=1000000/minute")).join(",");
        Ok(Setup::new()?
            .with("RATE_LIMITS", &limits)
            .with("FLOOD_LIMIT", "off")
            .with("DATABASE_URL", url.as_str())
            .with("REDIS_URL", &self.redis.url())
            .with("DATA_DIR", &self.data.path().to_string_lossy())
            .with("ENGINE", "assemblyai")
            .with("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
            .with("ASSEMBLYAI_BASE_URL", &self.engine.base_url())
            .with("MEDIA_ALLOWED_NETWORKS", "127.0.0.0/8")
            .with("PROVIDER_CONCURRENCY", "200")
            .with("JOB_CONCURRENCY", "6")
            .with("JOB_LEASE_SECONDS", &LEASE.as_secs().to_string())
            .with("SUBMISSION_SETTLE_SECONDS", "5")
            .with("ACCESS_TOKEN_EXPIRE_MINUTES", "600")
            .with("LOG_LEVEL", "warn,application::engine=info"))
    }

    /// Makes what is left so old that the next start of a worker deals with it.
    pub(super) fn let_an_hour_pass(&self) -> anyhow::Result<()> {
        leftovers::let_an_hour_pass(self.data.path(), &self.postgres, DATABASE)
    }

    /// What is left of live jobs: in the database, in the folders, at the engine.
    pub(super) async fn left(&self) -> anyhow::Result<Vec<String>> {
        let postgres = Arc::clone(&self.postgres);
        let mut left = apart(move || leftovers::in_postgres(&postgres, DATABASE)).await?;
        for folder in ["work", "uploads"] {
            left.extend(leftovers::files_in(&self.data.path().join(folder)));
        }
        Ok(left)
    }
}

/// Speaks to each of these processes.
pub(super) fn clients(processes: &[Process]) -> Vec<Client> {
    processes.iter().map(|process| process.service.client().clone()).collect()
}

/// Runs what blocks where it holds nobody up.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    spawn_blocking(work).await?
}
