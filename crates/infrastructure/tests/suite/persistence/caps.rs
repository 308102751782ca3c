//! The limits on what is claimed, over all processes together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use application::ports::{
    ClaimRequest, Claimed, Clock as _, JobStore, Lease, PortFailure, StepEffects, UserRepository,
};
use domain::{
    CompletedFacts, Failure, FailureCode, PollStep, SourceFacts, Stage, Step, Upload, UserId,
    WorkerId,
};
use infrastructure::{
    persistence::{PostgresConfig, Store},
    system::SystemClock,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use testkit::{
    contract::{a_submission, a_transcript, a_transcription, a_user},
    servers::TestDatabase,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::amount;

const CLAIMERS: u32 = 8;
const OWNERS: u32 = 4;
/// Of each owner.
const JOBS: u32 = 40;
const PER_OWNER: u32 = 3;
/// Less than all owners may have together, so that each limit is the one that counts at times.
const AT_THE_ENGINE: u32 = 10;

/// Looks from outside at what is leased and on its way.
struct Observer {
    db: DatabaseConnection,
    most: Arc<Most>,
}

/// The most that was ever seen.
#[derive(Default)]
struct Most {
    of_one_owner: AtomicU32,
    at_the_engine: AtomicU32,
    looks: AtomicU64,
}

impl Observer {
    async fn new(database: &TestDatabase, most: &Arc<Most>) -> Self {
        let db = migration::connect(&database.url()).await.expect("it connects");
        Self { db, most: Arc::clone(most) }
    }

    async fn look(&self) {
        let sql = "SELECT coalesce(max(leased), 0)::int4, coalesce(sum(away), 0)::int4 FROM (\
                   SELECT count(*) FILTER (WHERE state = 'leased') AS leased, \
                   count(*) FILTER (WHERE state = 'waiting' \
                   OR (state = 'leased' AND stage <> 'storing')) AS away \
                   FROM jobs GROUP BY user_id) AS owners";
        let query = Statement::from_string(self.db.get_database_backend(), sql);
        let row = self.db.query_one_raw(query).await.expect("it is looked at").expect("a row");
        let count = |at| u32::try_from(row.try_get_by::<i32, _>(at).expect("a number"));
        let (leased, away) = (count(0).expect("a count"), count(1).expect("a count"));
        self.most.of_one_owner.fetch_max(leased, Ordering::Relaxed);
        self.most.at_the_engine.fetch_max(away, Ordering::Relaxed);
        self.most.looks.fetch_add(1, Ordering::Relaxed);
        assert!(leased <= PER_OWNER, "{leased} jobs of one owner are leased");
        assert!(away <= AT_THE_ENGINE, "{away} jobs are at the engine or on their way");
    }
}

/// A process that claims, with connections of its own.
struct Claimer {
    store: Store,
    observer: Observer,
    number: u32,
    turn: u32,
}

impl Claimer {
    async fn new(database: &TestDatabase, most: &Arc<Most>, number: u32) -> Self {
        let mut config = PostgresConfig::new(&database.url()).expect("an address");
        (config.api_connections, config.engine_connections) = (1, 2);
        let store = Store::open(config, Arc::new(SystemClock)).await.expect("it opens");
        Self { store, observer: Observer::new(database, most).await, number, turn: number }
    }

    /// Claims until all have claimed `wanted` jobs together.
    async fn work(mut self, claims: Arc<AtomicU64>, wanted: u64) {
        while claims.load(Ordering::Relaxed) < wanted {
            self.turn += 1;
            let request = ClaimRequest {
                worker: WorkerId::from_uuid(Uuid::from_u128(u128::from(self.number) + 1)),
                slots: 1 + self.turn % 5,
                lease: Duration::from_mins(1),
                per_owner: PER_OWNER,
                provider_cap: Some(AT_THE_ENGINE),
            };
            let claimed = patient(self.store.claim(&request).await);
            self.observer.look().await;
            claims.fetch_add(claimed.len() as u64, Ordering::Relaxed);
            if claimed.is_empty() {
                patient(self.store.tick(50).await);
            }
            for claimed in claimed {
                self.turn += 1;
                self.go_on(&claimed).await;
            }
        }
    }

    /// Does something with a job that makes room for another, sooner or later.
    async fn go_on(&self, claimed: &Claimed) {
        let lease = &claimed.lease;
        let failure = || Failure::new(FailureCode::SourceUnreachable, Stage::Fetching);
        match claimed.job.parts().stage {
            Stage::Storing => {
                self.complete(lease).await;
                queue(&self.store, claimed.job.parts().owner).await;
            }
            _ if self.turn.is_multiple_of(16) => self.submit(lease).await,
            _ if self.turn % 16 < 5 => {
                let step = Step::Retry { failure: failure(), run_at: SystemClock.now() };
                self.commit(lease, step, StepEffects::default()).await;
            }
            _ => self.commit(lease, Step::Release, StepEffects::default()).await,
        }
    }

    /// Lets a job wait for the engine, and has the engine finish it.
    async fn submit(&self, lease: &Lease) {
        let upload =
            Upload { url: "https://upload.example.com/1".to_owned(), at: SystemClock.now() };
        for step in [Step::Fetched(SourceFacts::default()), Step::Uploaded(Some(upload))] {
            self.commit(lease, step, StepEffects::default()).await;
        }
        let intent = self.store.intend(lease, a_submission()).await.expect("written down");
        let accepted = Some((intent.id, intent.id.to_string()));
        let effects = StepEffects { accepted, ..StepEffects::default() };
        self.commit(lease, Step::Submitted { check_at: SystemClock.now() }, effects).await;
        self.observer.look().await;
        let finished = self.store.settle(lease.job, lease.epoch, PollStep::Finished).await;
        finished.expect("it goes on");
    }

    async fn complete(&self, lease: &Lease) {
        let transcript = a_transcript();
        let facts = CompletedFacts {
            language_detected: transcript.language.clone(),
            confidence: transcript.confidence,
            duration_ms: transcript.duration_ms,
        };
        let effects = StepEffects { transcript: Some(transcript), ..StepEffects::default() };
        self.commit(lease, Step::Complete(facts), effects).await;
    }

    async fn commit(&self, lease: &Lease, step: Step, effects: StepEffects) {
        self.store.commit(lease, step, effects).await.expect("the lease is held");
    }
}

/// On a busy machine the lock of the claims may not come in time.
fn patient<T: Default>(answer: Result<T, PortFailure>) -> T {
    answer.unwrap_or_else(|failure| {
        assert!(failure.is_transient(), "{failure:?}");
        T::default()
    })
}

async fn queue(store: &Store, owner: UserId) {
    store.enqueue(&a_transcription(owner, SystemClock.now())).await.expect("it is queued");
}

/// `CLAIMS` claims, or 2,000.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_racing_processes_never_claim_beyond_a_limit() {
    let wanted = amount("CLAIMS", 2_000);
    let database = super::postgres::migrated().await;
    let most = Arc::new(Most::default());
    let mut claimers = Vec::new();
    for number in 0..CLAIMERS {
        claimers.push(Claimer::new(&database, &most, number).await);
    }
    let store = &claimers[0].store;
    for _ in 0..OWNERS {
        let user = a_user(SystemClock.now());
        store.insert(&user).await.expect("an account");
        for _ in 0..JOBS {
            queue(store, user.parts().id).await;
        }
    }
    let observer = Observer::new(&database, &most).await;
    let over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            while !over.load(Ordering::Relaxed) {
                observer.look().await;
            }
        }
    });

    let (claims, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let working: JoinSet<_> =
        claimers.into_iter().map(|claimer| claimer.work(Arc::clone(&claims), wanted)).collect();
    working.join_all().await;
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    watch.await.expect("it saw nothing beyond a limit");
    println!(
        "{} claims by {CLAIMERS} processes in {took:?}: at most {} of one owner, {} at the engine; \
         looked at {} times",
        claims.load(Ordering::Relaxed),
        most.of_one_owner.load(Ordering::Relaxed),
        most.at_the_engine.load(Ordering::Relaxed),
        most.looks.load(Ordering::Relaxed),
    );
    assert_eq!(most.of_one_owner.load(Ordering::Relaxed), PER_OWNER, "the limit was not reached");
    assert_eq!(most.at_the_engine.load(Ordering::Relaxed), AT_THE_ENGINE, "nor was this one");
}
