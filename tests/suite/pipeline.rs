//! What survives `kill -9` of the whole path: YouTube pages, media URLs and files that users hand
//! in, through a paid engine whose answers get lost. Every accepted job ends once, the engine
//! accepts none twice, and nothing is left behind: no file, no process, no lease, no intent.
//!
//! `PIPELINE_KILLS` says how often the process is killed, `PIPELINE_DATABASE` over which database;
//! `make pipeline-kills` runs the long edition over the release binary.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use black_box_tests::{Account, Chance, MediaServer, Service, Setup, service::PATIENCE, workspace};
use serde_json::Value;
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, Fault},
    fixtures::{self, Recording},
    servers::PostgresServer,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    leftovers::{self, files_in, wait_until_no_process_is_in},
    marks,
};

/// Between two checks a job sees this many kills, and thus can never have lost three holders.
const KILLS_A_ROUND: usize = 2;
const KILLS: usize = 20;
/// One of each kind of source.
const JOBS_A_KILL: usize = 3;

/// How long the engine takes for a job, and a fetch for a recording.
const SLOW: Duration = Duration::from_millis(250);

/// Stands in for yt-dlp: takes its time, has a child, and brings the recording that lies beside
/// it.
const YTDLP: &str = r#"#!/bin/sh
case "$*" in *--version) echo 2026.10.26; exit 0 ;; esac
sleep 30 &
child=$!
echo 'SAAS-IA-FACTS {"title":"A video","duration":11,"live_status":"not_live","is_live":false}'
for share in 25 50 75 100; do
    echo "SAAS-IA-PROGRESS {\"status\":\"downloading\",\"downloaded_bytes\":$share,\"total_bytes\":100}"
    sleep 0.08
done
cp "$(dirname "$0")/recording.wav" audio.wav
kill $child
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    YouTube,
    Media,
    Upload,
}

/// Where the service keeps its jobs: `PIPELINE_DATABASE` is `sqlite` unless it is `postgres`.
enum Database {
    Sqlite,
    Postgres(Box<PostgresServer>),
}

struct World {
    engine: FakeAssemblyAi,
    media: MediaServer,
    recording: &'static Recording,
    database: Database,
    setup: Setup,
}

/// A transcription that was asked for.
struct Attempt {
    /// Goes with the job to the engine, and tells there which one it is.
    mark: String,
    /// Its identifier, if the service said that it accepted it.
    accepted: Option<String>,
}

#[tokio::test]
async fn kills_at_any_moment_of_the_whole_path_lose_nothing_and_pay_nothing_twice()
-> anyhow::Result<()> {
    let kills = workspace::variable("PIPELINE_KILLS").and_then(|n| n.into_string().ok());
    let kills = kills.map_or(Ok(KILLS), |n| n.parse()).context("PIPELINE_KILLS is a number")?;
    let world = World::new().await?;
    let mut chance = Chance::from_environment();
    let mut service = world.setup.clone().start().await?;
    let account = service.client().account("ada@example.com").await?;
    let mut attempts = Vec::new();
    let mut hits = BTreeMap::<String, usize>::new();
    for kill in 1..=kills {
        world.make_answers_uncertain(&mut chance);
        attempts.extend(
            world
                .ask_and_kill(&mut service, &account, attempts.len(), &mut chance, &mut hits)
                .await?,
        );
        service.restart().await?;
        if kill % KILLS_A_ROUND == 0 || kill == kills {
            account.until_idle(PATIENCE).await.with_context(|| service.log_or_empty())?;
        }
    }
    let ended = world.check(&account, &attempts).await?;
    if let Database::Postgres(server) = &world.database {
        service.kill().await?;
        leftovers::let_an_hour_pass(&world.setup.data(), server, "postgres")?;
        service.restart().await?;
    }
    world.wait_until_nothing_is_left(&mut service).await?;
    println!(
        "{kills} kills; {} asked for, {} accepted, {ended:?}; accepted by the engine: {}; what \
         living jobs were at when they were hit: {hits:?}",
        attempts.len(),
        attempts.iter().filter(|attempt| attempt.accepted.is_some()).count(),
        world.engine.ledger().len(),
    );
    ensure!(hits.len() > 2, "the kills hit too few stages: {hits:?}");
    Ok(())
}

impl Database {
    fn choose() -> anyhow::Result<Self> {
        match workspace::variable("PIPELINE_DATABASE") {
            None => Ok(Self::Sqlite),
            Some(name) if name == "sqlite" => Ok(Self::Sqlite),
            Some(name) if name == "postgres" => {
                Ok(Self::Postgres(Box::new(PostgresServer::start()?)))
            }
            Some(name) => bail!("PIPELINE_DATABASE is sqlite or postgres, not {}", name.display()),
        }
    }

    fn used_by(&self, setup: Setup) -> Setup {
        match self {
            Self::Sqlite => setup,
            Self::Postgres(server) => setup.with("DATABASE_URL", &server.url("postgres")),
        }
    }

    fn left(&self, data: &Path) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Sqlite => leftovers::in_sqlite(&data.join("saas-ia.db")),
            Self::Postgres(server) => leftovers::in_postgres(server, "postgres"),
        }
    }
}

impl World {
    async fn new() -> anyhow::Result<Self> {
        let recording = fixtures::by_name("jfk").context("a recording")?;
        let engine = FakeAssemblyAi::start();
        engine.set_processing(SLOW);
        let media = MediaServer::start(recording.wav, SLOW).await?;
        let setup = Setup::new()?;
        let tools = setup.folder().join("tools");
        fs::create_dir(&tools)?;
        fs::write(tools.join("recording.wav"), recording.wav)?;
        for (name, script) in [("yt-dlp", YTDLP), ("ffmpeg", "#!/bin/sh\nexit 1\n")] {
            fs::write(tools.join(name), script)?;
            fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755))?;
        }
        let tool = |name: &str| tools.join(name).to_string_lossy().into_owned();
        let database = Database::choose()?;
        let setup = database
            .used_by(setup)
            .with("ENGINE", "assemblyai")
            .with("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
            .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
            .with("MEDIA_ALLOWED_NETWORKS", "127.0.0.0/8")
            .with("PROVIDER_CONCURRENCY", "200")
            .with("JOB_CONCURRENCY", "6")
            .with("JOB_LEASE_SECONDS", "2")
            .with("SUBMISSION_SETTLE_SECONDS", "3")
            .with("YTDLP_PATH", &tool("yt-dlp"))
            .with("FFMPEG_PATH", &tool("ffmpeg"))
            .with("LOG_LEVEL", "warn");
        Ok(Self { engine, media, recording, database, setup })
    }

    /// Gives some of the next answers to submissions a fault; most are that the job was accepted
    /// and the answer lost.
    fn make_answers_uncertain(&self, chance: &mut Chance) {
        for _ in 0..JOBS_A_KILL {
            match chance.below(12) {
                0 | 1 => self.engine.script(Endpoint::Create, Fault::AcceptThenCut),
                2 => {
                    self.engine.script(Endpoint::Create, Fault::EmptyBody504 { accepted: true });
                }
                3 => self.engine.script(Endpoint::Create, Fault::Hang(SLOW)),
                4 => self.engine.script(Endpoint::Create, Fault::ListLag(SLOW * 4)),
                5 => {
                    self.engine.script(Endpoint::Create, Fault::EmptyBody504 { accepted: false });
                }
                _ => {}
            }
        }
    }

    /// Asks for one job of each kind over a while, and kills the process at a random moment after
    /// the first was accepted.
    async fn ask_and_kill(
        &self,
        service: &mut Service,
        account: &Account,
        asked: usize,
        chance: &mut Chance,
        hits: &mut BTreeMap<String, usize>,
    ) -> anyhow::Result<Vec<Attempt>> {
        let (first, mut accepted) = mpsc::channel(JOBS_A_KILL);
        let mut asking = JoinSet::new();
        for (at, kind) in [Kind::YouTube, Kind::Media, Kind::Upload].into_iter().enumerate() {
            let mark = format!("mark {}", asked + at);
            let delay = if at == asked / JOBS_A_KILL % JOBS_A_KILL { 0 } else { chance.below(600) };
            let (account, first) = (account.clone(), first.clone());
            let url = match kind {
                Kind::YouTube => format!("https://youtu.be/{:011}", asked + at),
                Kind::Media => self.media.url(&format!("{}.wav", asked + at)),
                Kind::Upload => String::new(),
            };
            let wav = self.recording.wav;
            asking.spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                let answer = match kind {
                    Kind::YouTube | Kind::Media => marks::create(&account, &url, &mark).await,
                    Kind::Upload => marks::upload(&account, wav, &mark).await,
                };
                let id = answer.ok().filter(|answer| answer.status == 201);
                let id = id.and_then(|answer| answer.word("id").map(str::to_owned).ok());
                if id.is_some() {
                    first.send(()).await.ok();
                }
                Attempt { mark, accepted: id }
            });
        }
        drop(first);
        accepted
            .recv()
            .await
            .context("nothing was accepted")
            .with_context(|| service.log_or_empty())?;
        sleep(Duration::from_millis(chance.below(1_500))).await;
        for item in account.list().await? {
            if ["pending", "processing"].iter().any(|status| item["status"] == *status) {
                *hits.entry(item["stage"].as_str().unwrap_or("pending").to_owned()).or_default() +=
                    1;
            }
        }
        service.kill().await?;
        wait_until_no_process_is_in(service.setup().folder()).await?;
        Ok(asking.join_all().await)
    }

    /// Compares what the service says with what was asked for, and with what the engine accepted.
    async fn check(
        &self,
        account: &Account,
        attempts: &[Attempt],
    ) -> anyhow::Result<BTreeMap<String, usize>> {
        let mut paid = BTreeMap::<String, usize>::new();
        for entry in self.engine.ledger() {
            let mark = entry.params["keyterms_prompt"][0].as_str().context("a mark")?.to_owned();
            *paid.entry(mark).or_default() += 1;
        }
        for (mark, times) in &paid {
            ensure!(*times == 1, "{mark} was accepted {times} times by the engine");
        }
        let mut asked: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for attempt in attempts {
            asked.insert(&attempt.mark, attempt.accepted.as_deref());
        }
        let mut ended = BTreeMap::new();
        let mut listed = BTreeSet::new();
        for item in account.list().await? {
            let id = item["id"].as_str().context("an item has an id")?.to_owned();
            let mark = item["metadata"]["mark"].as_str().context("an item has its mark")?;
            let accepted = asked.remove(mark).with_context(|| format!("{mark} was made twice"))?;
            ensure!(accepted.is_none_or(|said| said == id), "{mark} has two ids");
            let end = self.judge(account, &id, paid.remove(mark).is_some()).await?;
            *ended.entry(end).or_default() += 1;
            listed.insert(id);
        }
        ensure!(paid.is_empty(), "nobody asked the engine for {paid:?}");
        for id in attempts.iter().filter_map(|attempt| attempt.accepted.as_ref()) {
            ensure!(listed.contains(id), "{id} is lost");
        }
        Ok(ended)
    }

    /// How a job ended, if it may have ended so.
    async fn judge(&self, account: &Account, id: &str, paid: bool) -> anyhow::Result<String> {
        let job = account.transcription(id).await?.expect(200)?;
        match (job.word("status")?, &job.json["error"]["code"]) {
            ("completed", Value::Null) => {
                ensure!(paid, "{id} came from nowhere");
                ensure!(job.word("text")? == self.recording.text, "{}", job.text);
                Ok("completed".to_owned())
            }
            // Refused without a word twice in a row, and never accepted.
            ("failed", Value::String(code)) if code == "submission_unknown" && !paid => {
                Ok(code.clone())
            }
            _ => bail!("{} paid: {paid}", job.text),
        }
    }

    /// Waits until the database and the folders hold nothing that belongs to a live job, and the
    /// engine no copy.
    async fn wait_until_nothing_is_left(&self, service: &mut Service) -> anyhow::Result<()> {
        let data = self.setup.data();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut left = files_in(&data.join("work"));
            left.extend(files_in(&data.join("uploads")));
            left.extend(self.database.left(&data)?);
            let kept =
                self.engine.ledger().iter().filter(|job| !self.engine.is_deleted(&job.id)).count();
            if kept > 0 {
                left.push(format!("{kept} copies at the engine"));
            }
            if left.is_empty() {
                break;
            }
            ensure!(Instant::now() < deadline, "left: {left:?}\n{}", service.log_or_empty());
            sleep(Duration::from_millis(200)).await;
        }
        service.kill().await?;
        wait_until_no_process_is_in(service.setup().folder()).await
    }
}
