//! What outlives a process in a run, and what a process makes of it.

use std::{
    fs,
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
        SubmitRequest, UserRepository, Wanted,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Email, PasswordDigest, RetryPolicy, SettlePolicy, Transcript, User, UserId};
use infrastructure::{
    engines::assemblyai::{AssemblyAi, AssemblyAiConfig},
    persistence::{SqliteConfig, Store},
    system::{OsEntropy, SystemClock, UuidV7Ids},
};
use tempfile::TempDir;
use testkit::{
    assemblyai::{FakeAssemblyAi, FakeOptions},
    fakes,
    faults::{Faults, FaultyJobs, FaultyMedia, FaultySpeech},
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
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

/// The folder and the engine of one run.
pub(super) struct Ground {
    pub(super) scenario: &'static Scenario,
    pub(super) fake: FakeAssemblyAi,
    dir: TempDir,
}

impl Ground {
    pub(super) async fn new(scenario: &'static Scenario) -> Self {
        let dir = folder();
        let processing = Duration::from_millis(800);
        let options = FakeOptions { processing, ..FakeOptions::default() };
        let fake = FakeAssemblyAi::start_with(options).expect("a server");
        scenario.prepare(&fake);
        fs::write(database(dir.path()), template().await).expect("a database");
        let media = FolderMedia::new(dir.path());
        for (place, asked) in scenario.jobs.iter().enumerate() {
            if asked.stumbles {
                media.stumbles(scenario::id(place)).expect("a note");
            }
        }
        Self { scenario, fake, dir }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What a process on this ground has.
    pub(super) async fn world(&self) -> World {
        World::open(self.scenario, self.path(), &self.fake.base_url()).await
    }
}

/// A folder in memory, where there is one: processes die in a sweep, the machine does not, and
/// a disk that many runs wait for would make leases end by itself.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn database(dir: &Path) -> PathBuf {
    dir.join("saas-ia.db")
}

/// A database with its schema and the owner of all jobs.
async fn template() -> &'static [u8] {
    static MADE: OnceCell<Vec<u8>> = OnceCell::const_new();
    MADE.get_or_init(|| async {
        let dir = tempfile::tempdir().expect("a directory");
        let path = database(dir.path());
        let store = Store::open(SqliteConfig::new(&path), Arc::new(SystemClock)).await;
        let store = store.expect("it opens");
        migration::up(store.connection()).await.expect("the schema is made");
        let email = Email::parse("owner@example.com").expect("an address");
        let digest = PasswordDigest::new("digest");
        let owner = User::register(OWNER, email, None, digest, SystemClock.now());
        store.insert(&owner).await.expect("it is stored");
        store.close().await;
        fs::read(path).expect("it is read")
    })
    .await
}

/// What one process has of a run.
pub(super) struct World {
    pub(super) scenario: &'static Scenario,
    pub(super) dir: PathBuf,
    pub(super) clock: Arc<LeapClock>,
    pub(super) store: Arc<Store>,
    base_url: String,
}

impl World {
    pub(super) async fn open(scenario: &'static Scenario, dir: &Path, base_url: &str) -> Self {
        let clock = Arc::new(LeapClock::default());
        let store = Store::open(SqliteConfig::new(database(dir)), clock.clone()).await;
        let store = Arc::new(store.expect("nobody else has it open"));
        Self { scenario, dir: dir.to_owned(), clock, store, base_url: base_url.to_owned() }
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
