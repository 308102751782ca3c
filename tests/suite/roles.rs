//! One program in several roles: the API and the jobs in one process, or in processes apart.

use std::time::Duration;

use anyhow::{Context, ensure};
use black_box_tests::{Service, Setup};
use testkit::servers::{self, TestDatabase};
use tokio::time::{Instant, sleep};

const MISUSED: i32 = 2;

/// How long an orderly end may take.
const END: Duration = Duration::from_secs(30);

/// Processes over one database and one folder.
struct Fleet {
    setup: Setup,
    _database: TestDatabase,
}

impl Fleet {
    async fn new() -> anyhow::Result<Self> {
        let database = servers::empty_database().await;
        let setup = Setup::new()?.with("DATABASE_URL", &database.url()).with("LOG_LEVEL", "info");
        Ok(Self { setup, _database: database })
    }

    /// The same, in which a job waits at the engine for a while.
    fn slow(mut self) -> Self {
        self.setup = self.setup.with("MOCK_DELAY_MS", "1500");
        self
    }

    async fn api(&self) -> anyhow::Result<Service> {
        self.setup.clone().as_api()?.start().await
    }

    async fn worker(&self) -> anyhow::Result<Service> {
        self.setup.clone().as_worker()?.start().await
    }
}

#[tokio::test]
async fn over_a_file_there_is_one_process_for_everything() -> anyhow::Result<()> {
    let setup = Setup::new()?;
    for words in [&["worker"][..], &["serve", "--no-worker"]] {
        let refused = setup.run(words).await?;
        assert_eq!(refused.code, Some(MISUSED), "{words:?}: {}", refused.output());
        for said in ["SQLite is for one process", "`saas-ia serve`", "DATABASE_URL"] {
            assert!(refused.stderr.contains(said), "{words:?}: {}", refused.stderr);
        }
    }
    assert!(!setup.data().exists(), "a refused start leaves nothing behind");
    Ok(())
}

#[tokio::test]
async fn what_one_process_accepts_another_runs_and_a_third_shows() -> anyhow::Result<()> {
    let fleet = Fleet::new().await?;
    let (api, other) = tokio::try_join!(fleet.api(), fleet.api())?;
    let ada = api.client().account("ada@example.com").await?;
    let waiting = ada.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(201)?;
    // Nobody runs jobs yet.
    let (worker, _second) = tokio::try_join!(fleet.worker(), fleet.worker())?;
    let mut ids = vec![waiting.word("id")?.to_owned()];
    for at in 0..6 {
        let url = format!("https://media.example.com/{at}.wav");
        ids.push(ada.create(&url).await?.expect(201)?.word("id")?.to_owned());
    }
    let elsewhere = black_box_tests::Account { client: other.client().clone(), token: ada.token };
    for id in &ids {
        let ended = elsewhere.until_ended(id).await?;
        ensure!(ended.json["status"] == "completed", "{}", ended.text);
        ensure!(ended.json["retry_count"] == 0, "{}", ended.text);
    }
    let ran = "transcription_processing_started";
    assert!(!api.log()?.contains(ran) && !other.log()?.contains(ran), "an API runs no jobs");
    assert!(worker.log()?.contains("application_startup"), "{}", worker.log()?);
    Ok(())
}

#[tokio::test]
async fn each_role_ends_in_order_and_its_jobs_go_on_elsewhere() -> anyhow::Result<()> {
    let fleet = Fleet::new().await?.slow();
    let (mut api, mut worker) = tokio::try_join!(fleet.api(), fleet.worker())?;
    let ada = api.client().account("ada@example.com").await?;
    let mut ids = Vec::new();
    for at in 0..8 {
        let url = format!("https://media.example.com/{at}.wav");
        ids.push(ada.create(&url).await?.expect(201)?.word("id")?.to_owned());
    }
    worker.wait_until_logged("transcription_processing_started").await?;
    let ended = worker.terminate(END).await?;
    assert_eq!(ended.code(), Some(0), "{}", worker.log()?);
    for event in ["engine_drained", "application_shutdown"] {
        assert!(worker.log()?.contains(event), "{}", worker.log()?);
    }

    let whole = fleet.setup.clone().on_another_port()?.start().await?;
    let ended = api.terminate(END).await?;
    assert_eq!(ended.code(), Some(0), "{}", api.log()?);
    let ada = black_box_tests::Account { client: whole.client().clone(), token: ada.token };
    for id in &ids {
        let ended = ada.until_ended(id).await?;
        ensure!(ended.json["status"] == "completed", "{}", ended.text);
        ensure!(ended.json["retry_count"] == 0, "an orderly end counts: {}", ended.text);
    }
    Ok(())
}

#[tokio::test]
async fn the_jobs_of_a_worker_that_was_killed_are_run_by_another() -> anyhow::Result<()> {
    let mut fleet = Fleet::new().await?.slow();
    fleet.setup = fleet.setup.with("JOB_LEASE_SECONDS", "2");
    let (api, mut worker) = tokio::try_join!(fleet.api(), fleet.worker())?;
    let ada = api.client().account("ada@example.com").await?;
    let job = ada.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(201)?;
    worker.wait_until_logged("transcription_processing_started").await?;
    worker.kill().await?;
    let _other = fleet.worker().await?;
    let ended = ada.until_ended(job.word("id")?).await?;
    assert_eq!(ended.json["status"], "completed", "{}", ended.text);
    Ok(())
}

#[tokio::test]
async fn a_worker_tells_how_it_is_and_nothing_else() -> anyhow::Result<()> {
    let fleet = Fleet::new().await?;
    let mut worker = fleet.worker().await?;
    let ready = worker.client().get("/health/ready", None).await?.expect(200)?;
    for check in ["database", "migrations", "disk"] {
        assert!(ready.text.contains(check), "{}", ready.text);
    }
    worker.client().get("/health/live", None).await?.expect(200)?;
    worker.client().get("/api/transcription", None).await?.expect(404)?;
    worker.client().register("ada@example.com").await?.expect(404)?;
    worker.client().get("/docs", None).await?.expect(404)?;

    let asked = worker.setup().run(&["health", "--worker"]).await?;
    assert_eq!(asked.code, Some(0), "{}", asked.output());
    let nowhere = worker.setup().clone().without("WORKER_HEALTH_PORT");
    let unasked = nowhere.run(&["health", "--worker"]).await?;
    assert_eq!(unasked.code, Some(MISUSED), "{}", unasked.output());
    assert!(unasked.stderr.contains("WORKER_HEALTH_PORT"), "{}", unasked.stderr);

    worker.kill().await?;
    let asked = worker.setup().run(&["health", "--worker"]).await?;
    assert_eq!(asked.code, Some(1), "{}", asked.output());
    Ok(())
}

#[tokio::test]
async fn a_worker_without_a_port_listens_to_nobody_and_works() -> anyhow::Result<()> {
    let fleet = Fleet::new().await?;
    let api = fleet.api().await?;
    let setup = fleet.setup.clone().as_worker()?.without("WORKER_HEALTH_PORT");
    let mut worker = setup.begin()?;
    worker.wait_until_logged("listening on no port").await?;
    assert!(worker.client().get("/health", None).await.is_err());
    let ada = api.client().account("ada@example.com").await?;
    let job = ada.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(201)?;
    let ended = ada.until_ended(job.word("id")?).await?;
    assert_eq!(ended.json["status"], "completed", "{}", ended.text);
    assert_eq!(worker.terminate(END).await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_server_that_goes_away_makes_everybody_unready_until_it_is_back() -> anyhow::Result<()> {
    let server = servers::PostgresServer::start_without_fsync()?;
    let setup = Setup::new()?.with("DATABASE_URL", &server.url("postgres"));
    let setup = setup.with("LOG_LEVEL", "info");
    let (api, worker) = (setup.clone().as_api()?, setup.as_worker()?);
    let api = api.start().await?;
    let worker = worker.start().await?;
    let ada = api.client().account("ada@example.com").await?;
    server.kill()?;
    for service in [&api, &worker] {
        let unready = until(service, 503).await?;
        assert!(unready.contains("database"), "{unready}");
        service.client().get("/health/live", None).await?.expect(200)?;
    }
    for call in ["/api/transcription", "/api/auth/me"] {
        let refused = ada.get(call).await?.expect(503)?;
        assert_ne!(refused.header("Retry-After"), "", "{call}: {}", refused.text);
    }
    let refused = ada.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(503)?;
    assert_ne!(refused.header("Retry-After"), "", "{}", refused.text);
    server.come_back()?;
    for service in [&api, &worker] {
        until(service, 200).await?;
    }
    let job = ada.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(201)?;
    let ended = ada.until_ended(job.word("id")?).await?;
    assert_eq!(ended.json["status"], "completed", "{}", ended.text);
    Ok(())
}

/// Waits until `/health/ready` has this status, and returns what it says then.
async fn until(service: &Service, status: u16) -> anyhow::Result<String> {
    let deadline = Instant::now() + black_box_tests::service::PATIENCE;
    loop {
        let answer = service.client().get("/health/ready", None).await.context("no answer")?;
        if answer.status == status {
            return Ok(answer.text);
        }
        ensure!(Instant::now() < deadline, "never {status}: {}", answer.text);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_password_of_the_server_is_shown_nowhere() -> anyhow::Result<()> {
    let fleet = Fleet::new().await?;
    let setup = fleet.setup.clone().with("LOG_LEVEL", "trace");
    let url = servers::empty_database().await.url();
    let password = url.split([':', '@']).nth(2).context("a password")?.to_owned();
    ensure!(password.len() > 8, "{url}");
    let shown = setup.run(&["config"]).await?;
    assert!(shown.stdout.contains(":***@"), "{}", shown.stdout);
    let service = setup.clone().start().await?;
    service.client().account("ada@example.com").await?;
    for text in [shown.output(), service.log()?] {
        assert!(!text.contains(&password), "{text}");
    }
    Ok(())
}
