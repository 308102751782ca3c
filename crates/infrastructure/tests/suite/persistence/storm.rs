//! Many processes do everything at once to a few jobs, on a server that watches every change of a
//! row: nothing impossible happens, and nobody waits for another in a circle.

mod hand;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use application::ports::{Clock as _, UserRepository as _};
use domain::{CallbackDigest, Epoch, SubmissionId, TranscriptionId, UserId, WorkerId};
use infrastructure::{
    persistence::{PostgresConfig, Store},
    system::SystemClock,
};
use testkit::{contract::a_user, servers::TestDatabase};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::amount;
use hand::Hand;

const PROCESSES: u64 = 6;
/// Tasks of each process.
const HANDS: u64 = 3;

/// What everybody knows.
#[derive(Default)]
struct Known {
    owners: Vec<UserId>,
    jobs: Vec<(UserId, TranscriptionId)>,
    submissions: Vec<(SubmissionId, CallbackDigest)>,
    waiting: Vec<(TranscriptionId, Epoch)>,
    claimed: HashSet<(TranscriptionId, Epoch)>,
}

fn known(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn open(database: &TestDatabase) -> Arc<Store> {
    let mut config = PostgresConfig::new(&database.url()).expect("an address");
    (config.api_connections, config.engine_connections) = (2, 3);
    Arc::new(Store::open(config, Arc::new(SystemClock)).await.expect("it opens"))
}

/// `STORM` calls by each pair of hands, or 60.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_calls_changes_no_row_as_it_must_not_and_blocks_nobody() {
    let calls = amount("STORM", 60);
    let database = super::postgres::migrated().await;
    database.run(&[include_str!("storm/watch.sql")]).expect("it is watched");
    let known = Arc::new(Mutex::new(Known::default()));
    let mut hands = JoinSet::new();
    for process in 0..PROCESSES {
        let store = open(&database).await;
        if process % 2 == 0 {
            let user = a_user(SystemClock.now());
            store.insert(&user).await.expect("an account");
            self::known(&known).owners.push(user.parts().id);
        }
        for hand in 1..=HANDS {
            let number = process * HANDS + hand;
            let worker = WorkerId::from_uuid(Uuid::from_u128(u128::from(number)));
            let hand = Hand::new(Arc::clone(&store), Arc::clone(&known), worker, number);
            hands.spawn(hand.work(calls));
        }
    }
    hands.join_all().await;
    let claims = self::known(&known).claimed.len();
    println!("{claims} claims in a storm of {} calls", u64::from(calls) * PROCESSES * HANDS);
    assert!(claims > 100, "hardly anything happened");
    for (what, sql) in [
        ("circles", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
        (
            "rows that were given up",
            "SELECT count(*) FROM transcriptions WHERE failure_code = 'internal'",
        ),
        (
            "lines of history after an end, or of an epoch before",
            "SELECT count(*) FROM job_attempts earlier JOIN job_attempts later \
             ON later.job_id = earlier.job_id AND later.id > earlier.id \
             WHERE later.epoch < earlier.epoch \
             OR earlier.outcome IN ('complete', 'fail', 'cancel', 'expire')",
        ),
    ] {
        assert_eq!(database.run(&[sql]).expect("it is counted").trim(), "0", "{what}");
    }
}
