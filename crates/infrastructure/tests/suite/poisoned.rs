//! A connection that `SQLite` or a caller left halfway is not used again: what is answered as
//! stored is in the file.

use std::{
    future::{Future, poll_fn},
    path::Path,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use application::ports::{
    Clock, EnqueueError, InsertUserError, JobStore, TranscriptionRepository, UserRepository,
};
use domain::{Role, Transcription, User, UserId, UserParts};
use infrastructure::persistence::{OpenError, SqliteConfig, Store};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use testkit::contract::{TestClock, a_transcription, a_user};

/// A store with an account, whose identifier is returned.
async fn fresh() -> (Store, UserId, Arc<TestClock>, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(TestClock::at_noon());
    let store = open(&directory.path().join("saas-ia.db"), &clock).await.expect("it opens");
    migration::up(store.connection()).await.expect("the schema is made");
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    (store, user.parts().id, clock, directory)
}

async fn open(path: &Path, clock: &Arc<TestClock>) -> Result<Store, OpenError> {
    Store::open(SqliteConfig::new(path), Arc::<TestClock>::clone(clock)).await
}

async fn run(store: &Store, sql: &str) {
    store.connection().execute_unprepared(sql).await.expect("it is run");
}

/// Lets the file grow no further, for as long as the connection lives.
async fn fill(store: &Store) {
    run(store, "PRAGMA max_page_count = 1").await;
}

async fn make_room(store: &Store) {
    run(store, "PRAGMA max_page_count = 1000000").await;
}

/// What readers see of a transcription.
async fn is_there(store: &Store, wanted: &Transcription) -> bool {
    let parts = wanted.parts();
    let found = TranscriptionRepository::find(store, parts.owner, parts.id).await;
    let found = found.expect("it is read").is_some();
    let living = store.living(&[parts.id]).await.expect("it is read");
    assert_eq!(living.len(), usize::from(found), "a row and its job come together");
    found
}

/// Stores one more, and looks for it.
async fn works(store: &Store, owner: UserId, clock: &TestClock) -> Transcription {
    let wanted = a_transcription(owner, clock.now());
    store.enqueue(&wanted).await.expect("it is queued");
    assert!(is_there(store, &wanted).await, "it was answered as stored");
    wanted
}

/// Has a change undone for a reason of ours: inside a transaction left over it would be undone in
/// part only.
async fn is_refused_for_its_address(store: &Store, owner: UserId, clock: &TestClock) {
    let known = UserRepository::find(store, owner).await.expect("it is read").expect("is there");
    let email = known.parts().email.clone();
    let rival = User::restore(UserParts { email, ..a_user(clock.now()).parts().clone() });
    let refused = store.insert(&rival).await;
    assert!(matches!(refused, Err(InsertUserError::EmailTaken)), "{refused:?}");
}

/// Creates with a full disk until it was refused `times` times; what was stored, and what was not.
async fn refused(
    store: &Store,
    owner: UserId,
    clock: &TestClock,
    times: usize,
) -> (Vec<Transcription>, Vec<Transcription>) {
    let (mut stored, mut lost) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        fill(store).await;
        let wanted = a_transcription(owner, clock.now());
        match store.enqueue(&wanted).await {
            Ok(()) => stored.push(wanted),
            Err(EnqueueError::Failed(failure)) => {
                assert!(failure.is_transient(), "{failure:?}");
                lost.push(wanted);
            }
            Err(other) => panic!("{other:?}"),
        }
        if lost.len() == times {
            return (stored, lost);
        }
    }
    panic!("the disk never fills up");
}

/// Opens the file anew and looks for what was answered as stored.
async fn all_there_when_opened_again(
    store: Store,
    directory: &TempDir,
    clock: &Arc<TestClock>,
    stored: &[Transcription],
) -> Store {
    store.close().await;
    drop(store);
    let store = open(&directory.path().join("saas-ia.db"), clock).await.expect("it opens");
    for wanted in stored {
        assert!(is_there(&store, wanted).await, "it was answered as stored");
    }
    store
}

/// Polls `future` up to `polls` times and drops it then: at once, or when it could go on.
async fn dropped_after<F: Future>(polls: usize, at_once: bool, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left == 0 && at_once => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

#[tokio::test]
async fn what_is_stored_after_the_disk_was_full_is_in_the_file() {
    let (store, owner, clock, directory) = fresh().await;
    let (mut stored, lost) = refused(&store, owner, &clock, 5).await;
    make_room(&store).await;
    for _ in 0..3 {
        is_refused_for_its_address(&store, owner, &clock).await;
        stored.push(works(&store, owner, &clock).await);
    }
    store.ping().await.expect("it lives");
    let store = all_there_when_opened_again(store, &directory, &clock, &stored).await;
    for refused in &lost {
        assert!(!is_there(&store, refused).await, "it was refused");
    }
}

#[tokio::test]
async fn what_is_stored_after_sqlite_undid_a_transaction_is_in_the_file() {
    let (store, owner, clock, directory) = fresh().await;
    run(
        &store,
        "CREATE TRIGGER failing BEFORE INSERT ON users WHEN new.role = 'admin' \
         BEGIN SELECT RAISE(ROLLBACK, 'as an error of the disk would'); END",
    )
    .await;
    let mut stored = Vec::new();
    for _ in 0..3 {
        let parts = UserParts { role: Role::Admin, ..a_user(clock.now()).parts().clone() };
        let refused = store.insert(&User::restore(parts)).await;
        assert!(matches!(refused, Err(InsertUserError::Failed(_))), "{refused:?}");
        is_refused_for_its_address(&store, owner, &clock).await;
        stored.push(works(&store, owner, &clock).await);
    }
    all_there_when_opened_again(store, &directory, &clock, &stored).await;
}

/// Where calls are given up: after how many polls, and whether at once. How far one poll gets is up
/// to the threads, so each is tried several times.
fn places() -> impl Iterator<Item = (usize, bool)> {
    (0..40).map(|round| (1 + round % 4, round % 8 < 4))
}

#[tokio::test]
async fn a_call_given_up_anywhere_spoils_no_later_one() {
    let (store, owner, clock, directory) = fresh().await;
    let (mut stored, mut given_up) = (Vec::new(), 0);
    for (polls, at_once) in places() {
        let wanted = a_transcription(owner, clock.now());
        match dropped_after(polls, at_once, store.enqueue(&wanted)).await {
            Some(ended) => ended.map(|()| stored.push(wanted)).expect("it is queued"),
            None => given_up += 1,
        }
        stored.push(works(&store, owner, &clock).await);
    }
    assert!(given_up > 4, "calls were given up");
    all_there_when_opened_again(store, &directory, &clock, &stored).await;
}

#[tokio::test]
async fn a_call_given_up_while_the_disk_is_full_spoils_no_later_one() {
    let (store, owner, clock, directory) = fresh().await;
    let (mut stored, mut given_up) = (Vec::new(), 0);
    for (polls, at_once) in places() {
        // The room that earlier calls left is used up.
        stored.extend(refused(&store, owner, &clock, 1).await.0);
        fill(&store).await;
        let wanted = a_transcription(owner, clock.now());
        match dropped_after(polls, at_once, store.enqueue(&wanted)).await {
            Some(Ok(())) => stored.push(wanted),
            Some(Err(_)) => {}
            None => given_up += 1,
        }
        make_room(&store).await;
        let other = a_transcription(owner, clock.now());
        dropped_after(1, at_once, store.enqueue(&other)).await;
        stored.push(works(&store, owner, &clock).await);
    }
    assert!(given_up > 4, "calls were given up");
    all_there_when_opened_again(store, &directory, &clock, &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_tasks_lose_nothing_of_their_neighbours() {
    let (store, owner, clock, _directory) = fresh().await;
    let store = Arc::new(store);
    let mut tasks = Vec::new();
    for number in 0..60 {
        let (store, wanted) = (Arc::clone(&store), a_transcription(owner, clock.now()));
        let task = tokio::spawn(async move { store.enqueue(&wanted).await.map(|()| wanted) });
        if number % 3 == 0 {
            tokio::task::yield_now().await;
        }
        tasks.push(task);
    }
    for task in tasks.iter().step_by(2) {
        tokio::task::yield_now().await;
        task.abort();
    }
    let mut kept = 0;
    for task in tasks {
        match task.await {
            Ok(Ok(wanted)) => {
                assert!(is_there(&store, &wanted).await, "it was answered as stored");
                kept += 1;
            }
            Ok(Err(EnqueueError::Failed(failure))) => assert!(failure.is_transient()),
            Ok(Err(other)) => panic!("{other:?}"),
            Err(error) => assert!(error.is_cancelled(), "{error:?}"),
        }
    }
    assert!(kept > 0, "some went on");
    works(&store, owner, &clock).await;
}

#[tokio::test]
async fn a_writer_that_cannot_commit_gives_no_sign_of_life() {
    let (store, ..) = fresh().await;
    store.ping().await.expect("it lives");
    store.connection().close_by_ref().await.expect("it closes");
    assert!(store.ping().await.expect_err("nothing can be stored").is_transient());
}

#[tokio::test]
async fn a_sign_of_life_writes_nothing() {
    let (store, _, _, directory) = fresh().await;
    let log = directory.path().join("saas-ia.db-wal");
    let before = std::fs::read(&log).expect("there is a log");
    for _ in 0..3 {
        store.ping().await.expect("it lives");
    }
    assert!(std::fs::read(&log).expect("there is a log") == before, "the log has changed");
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_in_use_is_refused_under_its_other_names() {
    use std::os::unix::fs::symlink;
    let (_store, _, clock, directory) = fresh().await;
    let file = directory.path().join("other.db");
    symlink("saas-ia.db", &file).expect("a link to the file");
    let folder = directory.path().join("folder");
    symlink(directory.path(), &folder).expect("a link to its directory");
    for path in [file.clone(), folder.join("saas-ia.db"), folder.join("other.db")] {
        let refused = open(&path, &clock).await.err().expect("it is in use");
        assert!(matches!(refused, OpenError::InUse(_)), "{refused:?}");
    }

    // Opened by a link first, before the file is there.
    let early = directory.path().join("early.db");
    symlink("late.db", &early).expect("a link to nothing");
    let _held = open(&early, &clock).await.expect("it is made");
    let late = directory.path().join("late.db");
    assert!(late.is_file());
    let refused = open(&late, &clock).await.err().expect("it is in use");
    assert!(matches!(refused, OpenError::InUse(_)), "{refused:?}");
}
