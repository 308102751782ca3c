//! What a server does to those who use it, and what they do to each other.

use std::{sync::Arc, time::Duration};

use application::ports::{
    CancelOutcome, ClaimRequest, Claimed, Clock, EnqueueError, JobStore, TranscriptionRepository,
    UserRepository,
};
use chrono::TimeDelta;
use domain::{JobState, WorkerId};
use infrastructure::{
    persistence::{PostgresConfig, Store, TimeSource},
    system::SystemClock,
};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait,
};
use testkit::{
    contract::{TestClock, a_transcription, a_user},
    servers::{PostgresServer, TestDatabase},
};
use uuid::Uuid;

use super::{fresh, migrated, open};

/// A job of a new user, held by a worker for a minute.
async fn a_claimed_job(store: &Store, clock: &TestClock) -> Claimed {
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    let queued = a_transcription(user.parts().id, clock.now());
    store.enqueue(&queued).await.expect("it is queued");
    let request = ClaimRequest {
        worker: WorkerId::from_uuid(Uuid::from_u128(7)),
        slots: 1,
        lease: Duration::from_mins(1),
        per_owner: 1,
        provider_cap: None,
    };
    store.claim(&request).await.expect("it is claimed").pop().expect("it is ready")
}

async fn on_a_server_of_its_own() -> (Arc<PostgresServer>, Store, Arc<TestClock>) {
    let server = blocking(|| PostgresServer::start_without_fsync().expect("it starts")).await;
    let url = server.url("postgres");
    let db = migration::connect(&url).await.expect("it connects");
    migration::up(&db).await.expect("the schema is made");
    db.close().await.expect("it closes");
    let clock = Arc::new(TestClock::at_noon());
    let config = PostgresConfig::new(&url).expect("an address");
    let store = Store::open(config, Arc::new(SystemClock)).await.expect("it opens");
    (Arc::new(server), store, clock)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

/// Somebody who has locked a table.
struct Blocker {
    transaction: DatabaseTransaction,
    observer: DatabaseConnection,
}

impl Blocker {
    async fn of(database: &TestDatabase, table: &str) -> Self {
        let url = database.url();
        let blocker = Database::connect(&url).await.expect("it connects");
        let transaction = blocker.begin().await.expect("it begins");
        let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        transaction.execute_unprepared(&lock).await.expect("it is locked");
        let observer = Database::connect(&url).await.expect("it connects");
        Self { transaction, observer }
    }

    /// Ends when so many statements wait for a lock.
    async fn until_waited_for(&self, statements: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        for _ in 0..500 {
            let statement = Statement::from_string(self.observer.get_database_backend(), sql);
            let row = self.observer.query_one_raw(statement).await.expect("it is asked");
            let waiting: i64 = row.expect("a row").try_get_by(0).expect("a number");
            if waiting >= statements {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("nobody waits");
    }

    async fn end(self) {
        self.transaction.rollback().await.expect("it lets go");
    }
}

#[tokio::test]
async fn the_clock_of_the_server_counts_and_not_that_of_the_process() {
    let database = migrated().await;
    // Noon of a day long past: were it to count, the lease would be over.
    let clock = Arc::new(TestClock::at_noon());
    let store = open(&database, &clock, TimeSource::Server).await;
    let claimed = a_claimed_job(&store, &clock).await;
    let JobState::Leased { until, .. } = claimed.job.parts().state else {
        panic!("it is leased");
    };
    let expected = SystemClock.now() + TimeDelta::minutes(1);
    assert!((until - expected).abs() < TimeDelta::minutes(1), "{until} is not near {expected}");
    clock.advance(TimeDelta::days(9_999));
    assert_eq!(store.tick(9).await.expect("it looks").reaped, 0, "time passed here alone");
}

/// Whatever ended the connections, the next call has new ones, and no caller is told.
#[tokio::test]
async fn a_server_that_was_restarted_is_used_again_without_a_failure() {
    let (server, store, clock) = on_a_server_of_its_own().await;
    let owner = a_claimed_job(&store, &clock).await.transcription.parts().owner;
    let ends: [fn(&PostgresServer); 3] = [
        |server| {
            server.stop().and_then(|()| server.come_back()).expect("it is restarted");
        },
        |server| {
            server.kill().and_then(|()| server.come_back()).expect("it recovers");
        },
        |server| {
            let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE application_name LIKE 'saas-ia-%'";
            server.run("postgres", &[all]).expect("they are ended");
        },
    ];
    for (which, end) in ends.into_iter().enumerate() {
        // So that each pool has a connection that will have ended.
        store.ping().await.expect("it lives");
        store.tick(1).await.expect("it looks");
        let ending = Arc::clone(&server);
        blocking(move || end(&ending)).await;
        let found = UserRepository::find(&store, owner).await;
        assert!(found.unwrap_or_else(|error| panic!("{which}: {error:?}")).is_some());
        let queued = a_transcription(owner, SystemClock.now());
        store.enqueue(&queued).await.unwrap_or_else(|error| panic!("{which}: {error:?}"));
        store.tick(1).await.unwrap_or_else(|error| panic!("{which}: {error:?}"));
        assert_eq!(store.living(&[queued.parts().id]).await.expect("it is read").len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_a_failure_that_passes_and_the_store_outlives_it() {
    let (server, store, clock) = on_a_server_of_its_own().await;
    let claimed = a_claimed_job(&store, &clock).await;
    let owner = claimed.transcription.parts().owner;
    let away = Arc::clone(&server);
    blocking(move || away.kill().expect("it is killed")).await;

    let failed = UserRepository::find(&store, owner).await.expect_err("nobody answers");
    assert!(failed.is_transient(), "{failed:?}");
    let failed = store.enqueue(&a_transcription(owner, clock.now())).await;
    let failed = failed.expect_err("nobody answers");
    assert!(matches!(&failed, EnqueueError::Failed(f) if f.is_transient()), "{failed:?}");
    assert!(store.tick(1).await.expect_err("nobody answers").is_transient());
    assert!(store.ping().await.is_err());

    let back = Arc::clone(&server);
    blocking(move || back.come_back().expect("it comes back")).await;
    assert!(UserRepository::find(&store, owner).await.expect("it is back").is_some());
    store.ping().await.expect("it is back");
}

/// Requests that have every connection of theirs keep no lease from being prolonged.
#[tokio::test]
async fn requests_do_not_keep_heartbeats_waiting() {
    let (store, clock, database) = fresh().await;
    let claimed = a_claimed_job(&store, &clock).await;
    let (owner, id) = (claimed.transcription.parts().owner, claimed.lease.job);
    let blocker = Blocker::of(&database, "transcriptions").await;
    let store = Arc::new(store);
    let read =
        |store: Arc<Store>| async move { TranscriptionRepository::find(&*store, owner, id).await };
    let stuck: Vec<_> = (0..20).map(|_| tokio::spawn(read(Arc::clone(&store)))).collect();
    blocker.until_waited_for(4).await;
    let JobState::Leased { worker, .. } = claimed.job.parts().state else {
        panic!("it is leased");
    };
    let held = [(id, claimed.lease.epoch)];
    let kept = store.heartbeat(worker, &held, Duration::from_mins(1)).await;
    assert_eq!(kept.expect("there is a connection for it"), [id]);
    blocker.end().await;
    for reader in stuck {
        // Some may have waited for longer than anybody does.
        if let Err(failure) = reader.await.expect("no panic") {
            assert!(failure.is_transient(), "{failure:?}");
        }
    }
}

/// What waits for another for too long is told to try again, and changes nothing.
#[tokio::test]
async fn a_lock_is_not_waited_for_without_end() {
    let (store, clock, database) = fresh().await;
    let claimed = a_claimed_job(&store, &clock).await;
    let owner = claimed.transcription.parts().owner;
    let blocker = Blocker::of(&database, "jobs").await;
    let failed = store.cancel(owner, claimed.lease.job).await.expect_err("it is locked");
    assert!(failed.is_transient(), "{failed:?}");
    blocker.end().await;
    let canceled = store.cancel(owner, claimed.lease.job).await.expect("it is free");
    assert!(matches!(canceled, Some(CancelOutcome::Canceled(_))), "{canceled:?}");
}

/// A caller that goes away in the middle leaves nothing behind: no lock, no open transaction.
#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_transaction_behind() {
    let (store, clock, database) = fresh().await;
    let claimed = a_claimed_job(&store, &clock).await;
    let (owner, id) = (claimed.transcription.parts().owner, claimed.lease.job);
    let blocker = Blocker::of(&database, "provider_submissions").await;
    {
        let mut canceling = store.cancel(owner, id);
        tokio::select! {
            _ = &mut canceling => panic!("it waits for the lock"),
            () = blocker.until_waited_for(1) => {}
        }
    }
    blocker.end().await;
    assert_eq!(store.living(&[id]).await.expect("it is read"), [id], "it was undone");
    let canceled = store.cancel(owner, id).await.expect("nothing stands in its way");
    assert!(matches!(canceled, Some(CancelOutcome::Canceled(_))), "{canceled:?}");
}

/// A heartbeat rewrites its row in the page where it is and touches no index, so that what keeps
/// leases alive leaves nothing behind for the vacuum to find.
#[tokio::test]
async fn heartbeats_move_no_index() {
    const BEATS: i64 = 25;
    let (store, clock, database) = fresh().await;
    let claimed = a_claimed_job(&store, &clock).await;
    let JobState::Leased { worker, .. } = claimed.job.parts().state else {
        panic!("it is leased");
    };
    let held = [(claimed.lease.job, claimed.lease.epoch)];
    for _ in 0..BEATS {
        let kept = store.heartbeat(worker, &held, Duration::from_mins(1)).await;
        assert_eq!(kept.expect("it is prolonged"), [claimed.lease.job]);
    }
    // What a connection counted is told when it ends.
    store.close().await;
    let observer = Database::connect(database.url()).await.expect("it connects");
    let sql = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'jobs'";
    for _ in 0..500 {
        let statement = Statement::from_string(observer.get_database_backend(), sql);
        let row = observer.query_one_raw(statement).await.expect("it is asked").expect("a row");
        let (all, hot): (i64, i64) =
            (row.try_get_by(0).expect("a number"), row.try_get_by(1).expect("a number"));
        // The claim is the one that does.
        if all == BEATS + 1 {
            assert_eq!(hot, BEATS);
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the counts are not told");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_being_repeated() {
    for bad in ["", "mysql://u:secret@h/d", "postgresql://u:secret@h:notaport/d", "sqlite://x"] {
        let refused = PostgresConfig::new(bad).expect_err("no address").to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }
    for good in ["postgresql://u:p@h:5432/d", "postgres://u@h/d?sslmode=require"] {
        PostgresConfig::new(good).expect("an address");
    }
    let shown = format!("{:?}", PostgresConfig::new("postgresql://u:secret@h/d").expect("one"));
    assert!(!shown.contains("secret"), "{shown}");
}
