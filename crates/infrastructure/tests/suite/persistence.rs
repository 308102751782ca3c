//! `SQLite` against the contracts of its ports, and what only a database in a file must do.

mod caps;
mod corrupt;
mod postgres;
mod storm;
mod transcripts;

use std::{path::Path, sync::Arc};

use application::ports::{
    Clock, InsertUserError, JobStore, TranscriptionRepository, UserRepository,
};
use domain::{User, UserParts};
use infrastructure::persistence::{OpenError, SqliteConfig, Store};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};
use tempfile::TempDir;
use testkit::contract::{Stores, TestClock, a_transcription, a_user};

testkit::job_store_contract!(jobs, super::stores());
testkit::transcription_repository_contract!(transcriptions, super::stores());
testkit::user_repository_contract!(users, async {
    let (store, _, directory) = super::fresh().await;
    (Box::new(store), directory)
});

async fn stores() -> Stores {
    let (store, clock, directory) = fresh().await;
    Stores::new(store, clock, directory)
}

async fn fresh() -> (Store, Arc<TestClock>, TempDir) {
    fresh_in(tempfile::tempdir().expect("a directory")).await
}

async fn fresh_in(directory: TempDir) -> (Store, Arc<TestClock>, TempDir) {
    let clock = Arc::new(TestClock::at_noon());
    let store = open(&directory.path().join("saas-ia.db"), &clock).await.expect("it opens");
    migration::up(store.connection()).await.expect("the schema is made");
    (store, clock, directory)
}

async fn open(path: &Path, clock: &Arc<TestClock>) -> Result<Store, OpenError> {
    Store::open(SqliteConfig::new(path), Arc::<TestClock>::clone(clock)).await
}

/// In memory, where there is such a folder: what is shown has nothing to do with the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_jobs_of_one_user_do_not_hold_up_another() {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let (store, clock, directory) = fresh_in(directory.expect("a directory")).await;
    let stores = Stores::new(store, clock, directory);
    testkit::contract::jobs::a_newcomer_does_not_wait_for_a_crowd_of(&stores, 10_000).await;
}

/// The first column of what a query returns.
async fn strings(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.expect("the query runs");
    rows.iter().map(|row| row.try_get_by(0).expect("a text")).collect()
}

#[tokio::test]
async fn a_database_has_one_user_at_a_time() {
    let (store, clock, directory) = fresh().await;
    let path = directory.path().join("saas-ia.db");
    let refused = open(&path, &clock).await.err().expect("it is in use");
    assert!(matches!(refused, OpenError::InUse(_)), "{refused:?}");
    assert!(refused.to_string().contains("saas-ia.db.lock"), "{refused}");

    let beside = SqliteConfig { lock: false, ..SqliteConfig::new(&path) };
    let beside = Store::open(beside, Arc::<TestClock>::clone(&clock)).await;
    beside.expect("a command beside it needs no lock").ping().await.expect("it lives");

    store.close().await;
    drop(store);
    open(&path, &clock).await.expect("it is free again");
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let (store, clock, directory) = fresh().await;
    let user = a_user(clock.now());
    let transcription = a_transcription(user.parts().id, clock.now());
    store.insert(&user).await.expect("it is stored");
    store.enqueue(&transcription).await.expect("it is queued");
    store.close().await;
    drop(store);

    let store = open(&directory.path().join("saas-ia.db"), &clock).await.expect("it opens");
    let status = migration::status(store.connection()).await.expect("it is read");
    assert!(status.pending.is_empty());
    let parts = transcription.parts();
    assert_eq!(UserRepository::find(&store, parts.owner).await.expect("it is read"), Some(user));
    let found = TranscriptionRepository::find(&store, parts.owner, parts.id).await;
    assert_eq!(found.expect("it is read").map(|f| f.transcription), Some(transcription.clone()));
    assert_eq!(store.living(&[parts.id]).await.expect("it is read"), [parts.id]);
}

#[tokio::test]
async fn a_folder_that_is_made_for_the_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path().join("data");
    let clock: Arc<TestClock> = Arc::new(TestClock::at_noon());
    open(&folder.join("saas-ia.db"), &clock).await.expect("it opens");
    let mode = std::fs::metadata(folder).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (store, clock, directory) = fresh().await;
    store.insert(&a_user(clock.now())).await.expect("it is stored");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.path()).expect("it is listed") {
        let entry = entry.expect("a file");
        let mode = entry.metadata().expect("it is there").permissions().mode();
        let name = entry.file_name().into_string().expect("a name");
        assert_eq!(mode & 0o777, 0o600, "{name}");
        names.push(name);
    }
    names.sort();
    let expected = ["saas-ia.db", "saas-ia.db-shm", "saas-ia.db-wal", "saas-ia.db.lock"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn the_connection_that_writes_is_set_up_for_it() {
    let (store, _, _directory) = fresh().await;
    let db = store.connection();
    for (pragma, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("busy_timeout", "5000"),
        ("journal_size_limit", "67108864"),
    ] {
        let column = if pragma == "busy_timeout" { "timeout" } else { pragma };
        let sql = format!("SELECT CAST({column} AS TEXT) FROM pragma_{pragma}");
        assert_eq!(strings(db, &sql).await, [expected], "{pragma}");
    }
}

#[tokio::test]
async fn a_directory_that_is_missing_is_made_and_a_file_in_its_place_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(TestClock::at_noon());
    let deep = directory.path().join("a ?#%20/b/saas-ia.db");
    open(&deep, &clock).await.expect("it opens");
    assert!(deep.is_file());

    let blocked = deep.join("saas-ia.db");
    let refused = open(&blocked, &clock).await.err().expect("a file is in the way");
    assert!(matches!(&refused, OpenError::File { path, .. } if *path == deep), "{refused:?}");
    let garbage = directory.path().join("garbage.db");
    std::fs::write(&garbage, "certainly not a database, but some text. ".repeat(50)).expect("room");
    let refused = open(&garbage, &clock).await.err().expect("it is no database");
    assert!(matches!(refused, OpenError::Database { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_registrations_of_one_address_leave_one_account() {
    let (store, clock, _directory) = fresh().await;
    let store = Arc::new(store);
    let wanted = a_user(clock.now());
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (store, id) = (Arc::clone(&store), a_user(clock.now()).parts().id);
            let rival = User::restore(UserParts { id, ..wanted.parts().clone() });
            tokio::spawn(async move { store.insert(&rival).await })
        })
        .collect();
    let (mut stored, mut taken) = (0, 0);
    for task in tasks {
        match task.await.expect("the task lives") {
            Ok(()) => stored += 1,
            Err(InsertUserError::EmailTaken) => taken += 1,
            Err(InsertUserError::Failed(error)) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    assert_eq!(stored, 1);
    assert!(taken > 0);
    let rows = strings(store.connection(), "SELECT CAST(count(*) AS TEXT) FROM users");
    assert_eq!(rows.await, ["1"]);
}

#[tokio::test]
async fn a_used_identifier_is_a_failure_that_names_no_value() {
    let (store, clock, _directory) = fresh().await;
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    let id = user.parts().id;
    let clash = User::restore(UserParts { id, ..a_user(clock.now()).parts().clone() });
    let Err(InsertUserError::Failed(failure)) = store.insert(&clash).await else {
        panic!("the identifier is taken, not the address");
    };
    assert!(!failure.is_transient());
    let shown = format!("{failure} {failure:?}");
    for value in [clash.parts().email.as_str(), clash.parts().password.expose(), &id.to_string()] {
        assert!(!shown.contains(value), "{shown}");
    }
}

#[tokio::test]
async fn a_writer_that_holds_on_is_a_passing_failure() {
    let (store, clock, _directory) = fresh().await;
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    // The one connection that writes is taken, as by a long migration.
    let held = store.connection().begin().await.expect("it begins");
    let refused = store.enqueue(&a_transcription(user.parts().id, clock.now())).await;
    let application::ports::EnqueueError::Failed(failure) = refused.expect_err("nobody can write")
    else {
        panic!("the owner exists");
    };
    assert!(failure.is_transient(), "{failure:?}");
    let found = UserRepository::find(&store, user.parts().id).await;
    assert_eq!(found.expect("readers go on"), Some(user));
    let status = migration::status(store.read_connection()).await;
    assert!(status.expect("the schema is read").pending.is_empty());
    drop(held);
}

#[tokio::test]
async fn a_row_that_nothing_here_wrote_is_reported_by_its_place() {
    let (store, clock, _directory) = fresh().await;
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    let queued = a_transcription(user.parts().id, clock.now());
    store.enqueue(&queued).await.expect("it is queued");
    let sql = "UPDATE transcriptions SET status = 'canceled', failure_detail = 'a secret', \
               completed_at = NULL, metadata = '[1]'";
    store.connection().execute_unprepared(sql).await.expect("the row is spoilt");
    let found = TranscriptionRepository::find(&store, user.parts().id, queued.parts().id).await;
    let failure = found.expect_err("it cannot be read");
    assert!(!failure.is_transient());
    let shown = format!("{failure:?}");
    assert!(shown.contains("transcriptions") && !shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn the_database_itself_refuses_words_and_leases_that_cannot_be() {
    let (store, clock, _directory) = fresh().await;
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    store.enqueue(&a_transcription(user.parts().id, clock.now())).await.expect("it is queued");
    let sql = "INSERT INTO provider_submissions SELECT id, id, 1, NULL, 1, 'abandoned', 'one', NULL, \
               created_at, NULL, 0, NULL, FALSE, FALSE FROM transcriptions";
    store.connection().execute_unprepared(sql).await.expect("it is stored");
    for sql in [
        "UPDATE provider_submissions SET state = 'lost'",
        "UPDATE provider_submissions SET state = 'accepted'",
        "UPDATE provider_submissions SET state = 'intent', provider_id = 'name'",
        "UPDATE provider_submissions SET callback = x'00'",
        "UPDATE provider_submissions SET clean_listings = -1",
        "UPDATE provider_submissions SET hinted_id = ''",
        "UPDATE provider_submissions SET is_duplicate = TRUE",
        "UPDATE users SET role = 'root'",
        "UPDATE transcriptions SET status = 'done'",
        "UPDATE transcriptions SET status = 'processing'",
        "UPDATE transcriptions SET status = 'failed'",
        "UPDATE jobs SET state = 'lost'",
        "UPDATE jobs SET stage = 'lost'",
        "UPDATE jobs SET state = 'leased'",
        "UPDATE jobs SET lease_owner = x'00'",
        "INSERT INTO sched_clock VALUES (2, 0)",
    ] {
        assert!(store.connection().execute_unprepared(sql).await.is_err(), "{sql}");
    }
}
