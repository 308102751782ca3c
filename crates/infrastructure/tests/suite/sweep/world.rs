//! What outlives a process in a run, and what a process makes of it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use application::{
    Adapters, EngineConfig,
    ports::{
        Capabilities, Clock, JobStore, PollAnswer, SpeechError, SpeechToText, SubmitAnswer,
        SubmitRequest, Wanted,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{RetryPolicy, SettlePolicy, Transcript, UserId};
use infrastructure::{
    engines::assemblyai::{AssemblyAi, AssemblyAiConfig},
    persistence::Store,
    system::{OsEntropy, SystemClock, UuidV7Ids},
};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};
use tempfile::TempDir;
use testkit::{
    assemblyai::{FakeAssemblyAi, FakeOptions},
    fakes,
    faults::{Faults, FaultyJobs, FaultyMedia, FaultySpeech},
};
use uuid::Uuid;

use super::{
    database::{self, Database, Lent},
    drive,
    media::FolderMedia,
    mutants::Mutant,
    scenario::{self, Scenario},
};

/// How long a lease lasts: a process that died is replaced after it.
pub(super) const LEASE: Duration = Duration::from_secs(2);

/// How long a process stands still that lost its leases.
pub(super) const FREEZE: Duration = Duration::from_millis(3_200);

/// How long a process stands still whose request is still sent when it goes on: the engine would
/// wait for the answer for five seconds longer than for its lease.
pub(super) const OVERSLEEP: Duration = Duration::from_millis(5_300);

/// How long a submission is looked for. Longer than a process stands still: one that goes on
/// between its last look at its lease and its request, after the job was given up, pays twice.
const WINDOW: TimeDelta = TimeDelta::milliseconds(6_400);

pub(super) const OWNER: UserId =
    UserId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));

/// How an engine of a sweep works: with everything short.
pub(super) fn config() -> EngineConfig {
    EngineConfig {
        lease: LEASE,
        idle: Duration::from_millis(100),
        retry: RetryPolicy {
            base: TimeDelta::milliseconds(100),
            cap: TimeDelta::milliseconds(400),
            paused: TimeDelta::milliseconds(400),
            ..RetryPolicy::default()
        },
        settle: SettlePolicy { window: WINDOW, ..SettlePolicy::default() },
        ..EngineConfig::default()
    }
}

/// The folder, the database and the engine of one run.
pub(super) struct Ground {
    pub(super) scenario: &'static Scenario,
    pub(super) fake: FakeAssemblyAi,
    database: Lent,
    dir: TempDir,
}

impl Ground {
    pub(super) async fn new(database: Database, scenario: &'static Scenario) -> Self {
        let dir = folder();
        let processing = Duration::from_millis(800);
        let options = FakeOptions { processing, ..FakeOptions::default() };
        let fake = FakeAssemblyAi::start_with(options).expect("a server");
        scenario.prepare(&fake);
        let database = Lent::new(database, dir.path()).await;
        let media = FolderMedia::new(dir.path());
        for (place, asked) in scenario.jobs.iter().enumerate() {
            if asked.stumbles {
                media.stumbles(scenario::id(place)).expect("a note");
            }
        }
        Self { scenario, fake, database, dir }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// By which a process finds the database.
    pub(super) fn address(&self) -> String {
        self.database.address()
    }

    /// What a process on this ground has.
    pub(super) async fn world(&self) -> World {
        World::open(self.scenario, self.path(), &self.address(), &self.fake.base_url()).await
    }

    /// What another process has beside that of `world`. A file is open in one at a time: there the
    /// two share a store.
    pub(super) async fn world_beside(&self, world: &World) -> World {
        match self.database {
            Lent::File(_) => world.clone(),
            Lent::Server(_) => self.world().await,
        }
    }
}

/// A folder in memory, where there is one: processes die in a sweep, the machine does not, and
/// a disk that many runs wait for would make leases end by itself.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// What a process has.
#[derive(Clone)]
pub(super) struct World {
    pub(super) scenario: &'static Scenario,
    pub(super) dir: PathBuf,
    pub(super) clock: Arc<LeapClock>,
    pub(super) store: Arc<Store>,
    /// The same by [`World::clock`], which a server does not go by.
    pub(super) later: Arc<Store>,
    base_url: String,
}

impl World {
    pub(super) async fn open(
        scenario: &'static Scenario,
        dir: &Path,
        address: &str,
        base_url: &str,
    ) -> Self {
        let clock = Arc::new(LeapClock::default());
        let (store, later) = database::open(address, &clock).await;
        let (dir, base_url) = (dir.to_owned(), base_url.to_owned());
        Self { scenario, dir, clock, store, later, base_url }
    }

    /// What a query finds.
    pub(super) async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let db = self.store.read_connection();
        let query = Statement::from_string(db.get_database_backend(), sql);
        drive::patiently(|| db.query_all_raw(query.clone())).await.expect("the query runs")
    }

    /// The real adapters, with their faults.
    pub(super) fn adapters(&self, faults: &Arc<Faults>, mutant: Mutant) -> Adapters {
        let base_url = self.base_url.parse().expect("a URL");
        let models = vec!["universal-2".to_owned()];
        let config = AssemblyAiConfig::new(base_url, "key-0123456789abcdef".into(), models);
        let engine = AssemblyAi::new(config, self.clock.clone()).expect("a configuration");
        let speech: Arc<dyn SpeechToText> = Arc::new(Hurried(engine));
        let speech = Arc::new(FaultySpeech::new(mutant.speech(speech), faults.clone()));
        let jobs: Arc<dyn JobStore> = Arc::new(FaultyJobs::new(self.store.clone(), faults.clone()));
        let media = Arc::new(FolderMedia::new(&self.dir));
        Adapters {
            users: self.store.clone(),
            transcriptions: self.store.clone(),
            jobs: mutant.jobs(jobs, &self.store),
            speech,
            media: Arc::new(FaultyMedia::new(media, faults.clone())),
            clock: self.clock.clone(),
            ids: Arc::new(UuidV7Ids),
            entropy: Arc::new(OsEntropy),
            ..fakes::adapters().adapters()
        }
    }
}

/// The clock of the machine, which can be put forward.
#[derive(Default)]
pub(super) struct LeapClock(AtomicI64);

impl LeapClock {
    pub(super) fn leap(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for LeapClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.0.load(Ordering::SeqCst))
    }
}

/// Asks the engine a hundred times as often.
struct Hurried(AssemblyAi);

const HURRY: i32 = 100;

#[async_trait]
impl SpeechToText for Hurried {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        self.0.upload(audio).await
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        let answer = self.0.submit(request).await?;
        Ok(SubmitAnswer { check_after: answer.check_after / HURRY, ..answer })
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.0.find(wanted).await
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        Ok(match self.0.poll(provider_id, polls, since, jitter).await? {
            PollAnswer::Pending { check_after } => {
                PollAnswer::Pending { check_after: check_after / HURRY }
            }
            other => other,
        })
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        self.0.result(provider_id, video_url).await
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.0.erase(provider_id).await
    }
}
