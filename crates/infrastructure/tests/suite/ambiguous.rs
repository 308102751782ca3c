//! Answers that are lost on their way, from an engine that costs money: the real job engine,
//! adapter and database against the fake, over real connections and by the clock of the machine.

use std::{
    any::Any,
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use application::{
    Adapters, Engine, EngineConfig,
    engine::StageDeadlines,
    limits::Quotas,
    ports::{
        AudioFile, Clock as _, FetchError, JobStore as _, MediaSource, PortFailure, Progress,
        UserRepository as _,
    },
    transcriptions::CreateTranscription,
    uploads::UploadLimits,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{
    AddressPolicy, FailureCode, Keyterms, Metadata, SettlePolicy, Source, SourceFacts,
    TranscriptionId, TranscriptionOptions, TranscriptionState, UserId,
};
use infrastructure::{
    engines::assemblyai::{AssemblyAi, AssemblyAiConfig},
    events::LocalBus,
    persistence::{DatabaseConfig, PostgresConfig, SqliteConfig, Store},
    system::{OsEntropy, SystemClock, UuidV7Ids},
};
use tempfile::TempDir;
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, Fault},
    contract::a_user,
    fakes, fixtures, servers,
};

use crate::amount;

/// How long a submission may take before its answer counts as lost.
const PATIENCE: Duration = Duration::from_millis(400);

/// How long a run may take: only a hang comes near it.
const LIMIT: Duration = Duration::from_mins(5);

/// Has the same recording for every job, and keeps it.
struct OneRecording(PathBuf);

#[async_trait]
impl MediaSource for OneRecording {
    async fn fetch(
        &self,
        _: TranscriptionId,
        _: &Source,
        _: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        let facts = SourceFacts { title: None, duration_ms: Some(1_000) };
        Ok(AudioFile { path: self.0.clone(), bytes: 1, facts })
    }

    async fn discard(&self, _: TranscriptionId) -> Result<(), PortFailure> {
        Ok(())
    }

    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(Vec::new())
    }
}

/// Which database.
#[derive(Debug, Clone, Copy)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// One of its own, and what must live as long. On a server it goes by the server's clock, as
    /// when it is in use.
    async fn fresh(self) -> (DatabaseConfig, Box<dyn Any + Send + Sync>) {
        match self {
            Self::Sqlite => {
                let directory = tempfile::tempdir().expect("a directory");
                let file = SqliteConfig::new(directory.path().join("saas-ia.db"));
                (file.into(), Box::new(directory))
            }
            Self::Postgres => {
                let database = servers::empty_database().await;
                let config = PostgresConfig::new(&database.url()).expect("an address");
                (config.into(), Box::new(database))
            }
        }
    }
}

struct World {
    fake: FakeAssemblyAi,
    store: Arc<Store>,
    adapters: Adapters,
    config: EngineConfig,
    owner: UserId,
    jobs: Vec<TranscriptionId>,
    /// What must live as long.
    _guard: (TempDir, Box<dyn Any + Send + Sync>),
}

/// How the jobs ended, and what the engine accepted.
struct Outcome {
    completed: usize,
    unknown: usize,
    /// For each job, by its mark.
    accepted: BTreeMap<String, usize>,
}

impl Outcome {
    /// How many acceptances there were beyond the first of each job.
    fn doubles(&self) -> usize {
        self.accepted.values().map(|times| times - 1).sum()
    }
}

impl World {
    /// A world in which a lost submission is given up after `window`.
    async fn new(database: Database, window: TimeDelta) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(SystemClock);
        let (database, guard) = database.fresh().await;
        let store = Arc::new(Store::open(database, clock.clone()).await.expect("it opens"));
        migration::up(store.connection()).await.expect("the schema is made");
        let user = a_user(clock.now());
        store.insert(&user).await.expect("an account");
        let recording = directory.path().join("audio.wav");
        std::fs::write(&recording, fixtures::by_name("mary").expect("a recording").wav)
            .expect("a file");
        let fake = FakeAssemblyAi::start();
        let base_url = fake.base_url().parse().expect("a URL");
        let engine = AssemblyAiConfig::new(base_url, "key".into(), vec!["universal-2".into()]);
        let adapters = Adapters {
            users: store.clone(),
            transcriptions: store.clone(),
            jobs: store.clone(),
            speech: Arc::new(AssemblyAi::new(engine, clock.clone()).expect("a configuration")),
            media: Arc::new(OneRecording(recording)),
            events: Arc::new(LocalBus::new()),
            clock,
            ids: Arc::new(UuidV7Ids),
            entropy: Arc::new(OsEntropy),
            ..fakes::adapters().adapters()
        };
        let config = EngineConfig {
            slots: 16,
            per_owner: 16,
            provider_cap: 1_000,
            idle: Duration::from_millis(100),
            deadlines: StageDeadlines { submit: PATIENCE, ..StageDeadlines::default() },
            settle: SettlePolicy { window, ..SettlePolicy::default() },
            ..EngineConfig::default()
        };
        let owner = user.parts().id;
        let (jobs, guard) = (Vec::new(), (directory, guard));
        Self { fake, store, adapters, config, owner, jobs, _guard: guard }
    }

    /// Accepts so many more jobs, each with a mark that it keeps at the engine.
    async fn create(&mut self, count: usize) {
        let services =
            self.adapters.services(Quotas::OFF, AddressPolicy::default(), UploadLimits::default());
        for _ in 0..count {
            let mark = format!("mark {}", self.jobs.len());
            let video_url = "https://media.example/talk.wav".to_owned();
            let options = TranscriptionOptions {
                keyterms: Keyterms::parse(vec![mark]).expect("a term"),
                ..TranscriptionOptions::default()
            };
            let command = CreateTranscription {
                owner: self.owner,
                source: Source::parse(&video_url).expect("a source"),
                video_url,
                options,
                metadata: Metadata::default(),
            };
            let created = services.transcriptions.create(command).await.expect("accepted");
            self.jobs.push(created.parts().id);
        }
    }

    /// Waits until `count` jobs have ended.
    async fn ended(&self, count: usize) {
        let began = Instant::now();
        loop {
            let living = self.store.living(&self.jobs).await.expect("the store answers");
            if self.jobs.len() - living.len() >= count {
                return;
            }
            assert!(began.elapsed() < LIMIT, "{} jobs are left", living.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn outcome(&self) -> Outcome {
        let mut accepted = BTreeMap::<String, usize>::new();
        for job in self.fake.ledger() {
            let mark = job.params["keyterms_prompt"][0].as_str().expect("a mark").to_owned();
            *accepted.entry(mark).or_default() += 1;
        }
        let mut outcome = Outcome { completed: 0, unknown: 0, accepted };
        for (at, id) in self.jobs.iter().enumerate() {
            let found = self
                .adapters
                .transcriptions
                .find(self.owner, *id)
                .await
                .expect("the store answers");
            let transcription = found.expect("it is there").transcription;
            let times = outcome.accepted.get(&format!("mark {at}")).copied().unwrap_or_default();
            match &transcription.parts().state {
                TranscriptionState::Completed { .. } => {
                    assert!(times > 0, "{at} came from nowhere");
                    outcome.completed += 1;
                }
                TranscriptionState::Failed { failure, .. } => {
                    assert_eq!(failure.code(), FailureCode::SubmissionUnknown, "{at}");
                    assert_eq!(times, 0, "{at} was paid for, and lost");
                    outcome.unknown += 1;
                }
                other => panic!("{at}: {other:?}"),
            }
        }
        outcome
    }
}

/// Every way in which an answer says nothing about whether the job was accepted.
fn ambiguous(at: usize) -> Fault {
    match at % 8 {
        0 | 1 => Fault::AcceptThenCut,
        2 => Fault::EmptyBody504 { accepted: true },
        3 => Fault::Hang(PATIENCE * 5),
        4 => Fault::EmptyBody504 { accepted: false },
        5 => Fault::CutBody,
        6 => Fault::TruncatedJson,
        _ => Fault::Html { accepted: true },
    }
}

/// How many answers are ambiguous: `AMBIGUOUS_ANSWERS`, or so many.
fn answers(otherwise: usize) -> usize {
    amount("AMBIGUOUS_ANSWERS", otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_ambiguous_answers_pay_for_no_job_twice() {
    ambiguous_answers_pay_for_no_job_twice(Database::Sqlite, answers(320)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_ambiguous_answers_pay_for_no_job_twice_on_postgres() {
    ambiguous_answers_pay_for_no_job_twice(Database::Postgres, answers(100)).await;
}

async fn ambiguous_answers_pay_for_no_job_twice(database: Database, count: usize) {
    let half = count / 2;
    let mut world = World::new(database, TimeDelta::seconds(6)).await;
    // What is erased is not what is tested here, and takes its time.
    world.config.erase_after_store = false;
    for at in 0..2 * half {
        world.fake.script(Endpoint::Create, ambiguous(at));
    }
    // The other half settles all the same while the list lags, as long as it lags less than the
    // window.
    world.fake.set_list_lag(Duration::ZERO);
    let engine = Engine::new(&world.adapters, world.config);
    let handle = engine.start();
    world.create(half).await;
    world.ended(half / 2).await;
    world.fake.set_list_lag(Duration::from_secs(1));
    world.create(half).await;
    world.ended(2 * half).await;
    handle.drain().await;

    let outcome = world.outcome().await;
    println!(
        "{database:?}: {} ambiguous answers to {} submissions of {} jobs: {} completed, {} ended as unknown, \
         {} accepted twice",
        2 * half,
        world.fake.requests(Endpoint::Create),
        world.jobs.len(),
        outcome.completed,
        outcome.unknown,
        outcome.doubles(),
    );
    assert!(world.fake.requests(Endpoint::Create) > 2 * half, "not every answer was ambiguous");
    assert_eq!(outcome.doubles(), 0);
    assert_eq!(outcome.completed + outcome.unknown, 2 * half);
    assert_eq!(engine.reconcile_orphans().await.expect("a sweep"), 0);
    assert_eq!(world.store.duplicates().await.expect("a count"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_list_that_lags_too_long_costs_is_counted() {
    a_list_that_lags_too_long_is_counted(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_list_that_lags_too_long_costs_is_counted_on_postgres() {
    a_list_that_lags_too_long_is_counted(Database::Postgres).await;
}

async fn a_list_that_lags_too_long_is_counted(database: Database) {
    const JOBS: usize = 24;
    let mut world = World::new(database, TimeDelta::seconds(1)).await;
    // Longer than the whole run: the list shows nothing before it is told to.
    let hidden = Duration::from_hours(1);
    world.fake.set_list_lag(hidden);
    for _ in 0..JOBS {
        world.fake.script(Endpoint::Create, Fault::AcceptThenCut);
    }
    let engine = Engine::new(&world.adapters, world.config);
    let handle = engine.start();
    world.create(JOBS).await;
    world.ended(JOBS).await;
    assert_eq!(engine.reconcile_orphans().await.expect("a sweep"), 0, "nothing is listed yet");
    assert_eq!(world.store.duplicates().await.expect("a count"), 0);
    world.fake.catch_up();
    engine.reconcile_orphans().await.expect("a sweep");
    let outcome = world.outcome().await;
    let duplicates = world.store.duplicates().await.expect("a count");
    println!(
        "a list that lags longer than the window: {JOBS} lost answers, {} jobs paid for twice, \
         {duplicates} counted",
        outcome.doubles()
    );
    assert!(duplicates > 0);
    assert_eq!(duplicates, outcome.doubles() as u64);
    assert_eq!(engine.reconcile_orphans().await.expect("a sweep"), 0, "each is counted once");
    assert_eq!(world.store.duplicates().await.expect("a count"), duplicates);
    let erased = || world.fake.ledger().iter().all(|job| world.fake.is_deleted(&job.id));
    let began = Instant::now();
    // By the engine itself: an erasure that a drain breaks off is due again only much later.
    while !erased() {
        assert!(began.elapsed() < LIMIT, "copies are left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    handle.drain().await;
}
