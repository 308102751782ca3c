//! What survives `kill -9` with an engine that costs money: every accepted job ends once, and none
//! is accepted by the engine twice. A job whose process died between the intent and the answer is
//! looked for at the engine: found there, it goes on, and only what is not there is sent again.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail, ensure};
use black_box_tests::{Account, Chance, MediaServer, Setup, service::PATIENCE};
use serde_json::Value;
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, Fault},
    fixtures::{self, Recording},
};
use tokio::time::{Instant, sleep};

/// Between two checks a job sees this many kills, and thus can never have lost three holders.
const KILLS_A_ROUND: usize = 2;
const ROUNDS: usize = 6;
const JOBS_A_KILL: usize = 3;

/// How long each foreign call takes: long enough to be killed in, short enough for the lease.
const CALL: Duration = Duration::from_millis(300);
const LEASE_SECONDS: &str = "3";
const SETTLE_SECONDS: &str = "5";

/// The stages in their order.
const STAGES: [&str; 5] = ["fetching", "uploading", "submitting", "transcribing", "storing"];

/// How many of them the kills aim at, in turn; the last is over too soon.
const AIMS: usize = 4;

struct World {
    engine: FakeAssemblyAi,
    media: MediaServer,
    recording: &'static Recording,
    setup: Setup,
}

/// What is known of a job.
struct Sent {
    /// Goes with the job to the engine, and tells there which one it is.
    mark: String,
    id: String,
}

#[tokio::test]
async fn kills_at_every_stage_pay_for_no_job_twice() -> anyhow::Result<()> {
    let world = World::new(CALL).await?;
    for endpoint in [Endpoint::Upload, Endpoint::Create] {
        for _ in 0..4 * ROUNDS * KILLS_A_ROUND * JOBS_A_KILL {
            world.engine.script(endpoint, Fault::Hang(CALL));
        }
    }
    let mut chance = Chance::from_environment();
    let mut service = world.setup.clone().start().await?;
    let account = service.client().account("ada@example.com").await?;
    let mut sent = Vec::new();
    let mut hits = BTreeMap::<String, usize>::new();
    for kill in 0..ROUNDS * KILLS_A_ROUND {
        for _ in 0..JOBS_A_KILL {
            sent.push(world.send(&account, sent.len()).await?);
        }
        wait_for(&account, &sent, STAGES[kill % AIMS]).await?;
        sleep(Duration::from_millis(chance.below(200))).await;
        let stages = living_stages(&account).await?;
        service.kill().await?;
        for stage in stages {
            *hits.entry(stage).or_default() += 1;
        }
        service.restart().await?;
        if (kill + 1) % KILLS_A_ROUND == 0 {
            account.until_idle(PATIENCE).await.with_context(|| service.log_or_empty())?;
        }
    }
    let unknown = world.check(&account, &sent).await?;
    let looks = world.engine.requests(Endpoint::List);
    println!(
        "{} kills, {} jobs accepted; what the jobs were at when they were hit: {hits:?}; \
         {looks} looks at the list of the engine, which accepted {}; {unknown} ended as \
         submission_unknown",
        ROUNDS * KILLS_A_ROUND,
        sent.len(),
        world.engine.ledger().len(),
    );
    ensure!(looks > 0, "no kill hit a request to the engine: nothing was tested");
    Ok(())
}

#[tokio::test]
async fn a_request_to_end_in_the_middle_of_fetches_counts_against_no_job() -> anyhow::Result<()> {
    let world = World::new(Duration::from_secs(1)).await?;
    let mut service = world.setup.clone().with("JOB_LEASE_SECONDS", "60").start().await?;
    let account = service.client().account("ada@example.com").await?;
    let mut sent = Vec::new();
    for at in 0..JOBS_A_KILL {
        sent.push(world.send(&account, at).await?);
    }
    wait_for(&account, &sent, "fetching").await?;
    let ended = service.terminate(Duration::from_secs(30)).await?;
    ensure!(ended.code() == Some(0), "{ended}: {}", service.log()?);
    service.restart().await?;
    for job in &sent {
        let job = account.until_ended(&job.id).await?;
        ensure!(job.json["status"] == "completed", "{}", job.text);
        ensure!(job.json["retry_count"] == 0, "{}", job.text);
    }
    let unknown = world.check(&account, &sent).await?;
    ensure!(unknown == 0, "{unknown} jobs ended as unknown");
    Ok(())
}

impl World {
    /// A world in which each fetch takes `fetch`.
    async fn new(fetch: Duration) -> anyhow::Result<Self> {
        let recording = fixtures::by_name("jfk").context("a recording")?;
        let engine = FakeAssemblyAi::start();
        let media = MediaServer::start(recording.wav, fetch).await?;
        let setup = Setup::new()?
            .with("ENGINE", "assemblyai")
            .with("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
            .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
            .with("MEDIA_ALLOWED_NETWORKS", "127.0.0.0/8")
            .with("PROVIDER_CONCURRENCY", "200")
            .with("JOB_LEASE_SECONDS", LEASE_SECONDS)
            .with("SUBMISSION_SETTLE_SECONDS", SETTLE_SECONDS)
            .with("LOG_LEVEL", "warn");
        Ok(Self { engine, media, recording, setup })
    }

    async fn send(&self, account: &Account, at: usize) -> anyhow::Result<Sent> {
        let mark = format!("mark {at}");
        let url = self.media.url(&format!("{at}.wav"));
        let created = account.create_with_keyterm(&url, &mark).await?.expect(201)?;
        Ok(Sent { mark, id: created.word("id")?.to_owned() })
    }

    /// Compares what the service says with what the engine accepted. Returns how many jobs ended
    /// as never accepted, in spite of two tries.
    async fn check(&self, account: &Account, sent: &[Sent]) -> anyhow::Result<usize> {
        let mut accepted = BTreeMap::<String, usize>::new();
        for entry in self.engine.ledger() {
            let mark = entry.params["keyterms_prompt"][0].as_str().context("a mark")?.to_owned();
            *accepted.entry(mark).or_default() += 1;
        }
        ensure!(account.list().await?.len() == sent.len(), "jobs were lost or invented");
        let mut unknown = 0;
        for job in sent {
            let times = accepted.remove(&job.mark).unwrap_or_default();
            ensure!(times <= 1, "{} was sent {times} times", job.id);
            let ended = account.transcription(&job.id).await?.expect(200)?;
            match (ended.word("status")?, &ended.json["error"]["code"]) {
                ("completed", Value::Null) => {
                    ensure!(times == 1, "{} came from nowhere", job.id);
                    ensure!(ended.word("text")? == self.recording.text, "{}", ended.text);
                }
                ("failed", Value::String(code)) if code == "submission_unknown" => {
                    ensure!(times == 0, "{} was paid for, and lost", job.id);
                    unknown += 1;
                }
                _ => bail!("{}", ended.text),
            }
        }
        ensure!(accepted.is_empty(), "nobody asked for {accepted:?}");
        Ok(unknown)
    }
}

/// Waits until one of the newest jobs is at `stage`, or past it.
async fn wait_for(account: &Account, sent: &[Sent], stage: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let newest = &sent[sent.len() - JOBS_A_KILL..];
    let aim = STAGES.iter().position(|known| *known == stage).context("a stage")?;
    loop {
        for job in newest {
            let answer = account.transcription(&job.id).await?.expect(200)?;
            let at = STAGES.iter().position(|known| answer.json["stage"] == *known);
            let ended = !["pending", "processing"].contains(&answer.word("status")?);
            if ended || at.is_some_and(|at| at >= aim) {
                return Ok(());
            }
        }
        ensure!(Instant::now() < deadline, "no job is {stage}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What the living jobs are at; those that wait for their first turn are `pending`.
async fn living_stages(account: &Account) -> anyhow::Result<Vec<String>> {
    let items = account.list().await?;
    let living = items
        .iter()
        .filter(|item| ["pending", "processing"].iter().any(|status| item["status"] == *status));
    Ok(living.map(|item| item["stage"].as_str().unwrap_or("pending").to_owned()).collect())
}
