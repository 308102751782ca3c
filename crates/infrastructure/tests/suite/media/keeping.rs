//! What stays on the disk, and for how long.

use std::{future, sync::Arc, time::Duration};

use application::ports::MediaSource;
use domain::{FailureCode, TranscriptionId};
use infrastructure::media::{ClaimedFolder, FetchLimits, MediaConfig, MediaLibrary};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, mpsc},
};
use uuid::Uuid;

use super::world::{JOB, Server, World, file, listing, media};

#[tokio::test]
async fn a_complete_file_is_not_fetched_again() {
    let server = Server::serving(b"abc").await;
    let world = World::new();
    let first = world.fetch(&server.url("/")).await.unwrap();
    let again = world.fetch(&server.url("/")).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(server.visits(), 1);
}

#[tokio::test]
async fn an_empty_file_is_not_taken_for_a_complete_one() {
    let server = Server::serving(b"abc").await;
    let world = World::new();
    std::fs::create_dir_all(world.folder()).unwrap();
    std::fs::write(world.folder().join("audio"), "").unwrap();
    assert_eq!(world.fetch(&server.url("/")).await.unwrap().bytes, 3);
}

#[tokio::test]
async fn a_dropped_fetch_hangs_up_and_the_next_starts_afresh() {
    let (gone, mut hung_up) = mpsc::channel(1);
    let server = Server::start(move |mut stream, before| {
        let gone = gone.clone();
        async move {
            if before > 0 {
                stream.write_all(&file(b"abcdef")).await.ok();
                return;
            }
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nold";
            stream.write_all(half).await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
            gone.send(()).await.ok();
        }
    })
    .await;
    let world = World::new();
    let library = world.library();
    let source = media(&server.url("/"));
    {
        let mut fetch = library.fetch(JOB, &source, &());
        future::poll_fn(|context| {
            assert!(fetch.as_mut().poll(context).is_pending());
            if parts(&world) == 1 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
    hung_up.recv().await.unwrap();
    assert_eq!(parts(&world), 0);

    let audio = library.fetch(JOB, &source, &()).await.unwrap();

    assert_eq!(std::fs::read(&audio.path).unwrap(), b"abcdef");
    assert_eq!(listing(&world.folder()), ["audio"]);
}

/// The unfinished files in the folder.
fn part_names(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.folder()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "audio").collect()
}

fn parts(world: &World) -> usize {
    part_names(world).len()
}

#[tokio::test]
async fn an_attempt_that_was_given_up_does_not_finish_its_successors_file() {
    let gates = [Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0))];
    let [first, second] = gates.clone();
    let server = Server::start(move |mut stream, before| {
        let gate = gates[before.min(1)].clone();
        async move {
            let body: &[u8] = if before == 0 { b"old" } else { b"new" };
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n").await.ok();
            stream.write_all(body).await.ok();
            let _pass = gate.acquire().await;
            stream.write_all(body).await.ok();
        }
    })
    .await;
    let world = World::new();
    let (former, latter) = (world.library(), world.library());
    let source = media(&server.url("/"));
    let former = tokio::spawn({
        let source = source.clone();
        async move { former.fetch(JOB, &source, &()).await }
    });
    until(|| parts(&world) == 1).await;
    let begun = part_names(&world);
    let latter = tokio::spawn(async move { latter.fetch(JOB, &source, &()).await });
    until(|| parts(&world) == 1 && part_names(&world) != begun).await;

    first.add_permits(1);
    assert_eq!(former.await.unwrap().unwrap_err().code, FailureCode::LocalResource);
    assert!(!world.folder().join("audio").exists(), "half a file must not be taken for a whole");
    second.add_permits(1);
    let audio = latter.await.unwrap().unwrap();
    assert_eq!(std::fs::read(&audio.path).unwrap(), b"newnew");
}

/// Lets other tasks run until `ready`; a test that waits in vain fails.
async fn until(ready: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not happen");
}

#[tokio::test]
async fn jobs_are_kept_until_they_are_discarded() {
    let server = Server::serving(b"abc").await;
    let world = World::new();
    let library = world.library();
    assert_eq!(library.kept().await.unwrap(), []);
    library.discard(JOB).await.unwrap();

    let other = TranscriptionId::from_uuid(Uuid::from_u128(8));
    for job in [JOB, other] {
        library.fetch(job, &media(&server.url("/")), &()).await.unwrap();
    }
    let mut kept = library.kept().await.unwrap();
    kept.sort();
    assert_eq!(kept, [JOB, other]);

    library.discard(JOB).await.unwrap();
    library.discard(JOB).await.unwrap();
    assert_eq!(library.kept().await.unwrap(), [other]);
    assert!(!world.folder().exists());
}

#[tokio::test]
async fn what_is_called_otherwise_is_left_alone() {
    let world = World::new();
    let work = &world.config.work_dir;
    for stranger in ["lost+found", "00000000000000000000000000000007", ".cache"] {
        std::fs::create_dir_all(work.join(stranger)).unwrap();
    }
    std::fs::write(work.join("00000000-0000-0000-0000-000000000009"), "a file").unwrap();
    assert_eq!(world.library().kept().await.unwrap(), []);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_on_the_machine_can_look_into_a_folder() {
    use std::os::unix::fs::PermissionsExt;

    let server = Server::serving(b"abc").await;
    let world = World::new();
    world.fetch(&server.url("/")).await.unwrap();
    let mode = std::fs::metadata(world.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// Answers the first two visitors with the first half of a recording of their own, and with the rest
/// when they are let; everybody else at once.
fn halting(gates: [Arc<Semaphore>; 2]) -> impl Future<Output = Server> {
    Server::start(move |mut stream, before| {
        let gates = gates.clone();
        async move {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
            let half = [&head[..], [&b"aaa"[..], b"bbb", b"ccc"][before.min(2)]].concat();
            stream.write_all(&half).await.ok();
            if let Some(gate) = gates.get(before) {
                gate.acquire().await.unwrap().forget();
            }
            stream.write_all([&b"AAA"[..], b"BBB", b"CCC"][before.min(2)]).await.ok();
        }
    })
}

#[tokio::test]
async fn processes_in_one_place_do_not_touch_each_others_files() {
    let gates = [Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0))];
    let server = halting(gates.clone()).await;
    // A holder that lost its job and has not noticed yet, with little time left, and the next one.
    let hasty = World::new().limits(|limits| limits.total = Duration::from_millis(1_500));
    let work = hasty.config.work_dir.clone();
    let claim = || ClaimedFolder::take(&work).unwrap();
    let former = hasty.library().holding(claim());
    let patient = MediaConfig { limits: FetchLimits::default(), ..hasty.config.clone() };
    let latter = MediaLibrary::new(patient).holding(claim());
    let source = media(&server.url("/"));
    let (stale, fetched) = tokio::join!(former.fetch(JOB, &source, &()), async {
        until(|| server.visits() == 1).await;
        let (fetched, ()) = tokio::join!(latter.fetch(JOB, &source, &()), async {
            until(|| server.visits() == 2).await;
            gates[1].add_permits(1);
        });
        fetched
    });
    assert_eq!(stale.unwrap_err().code, FailureCode::SourceUnreachable);
    let audio = fetched.unwrap().path;
    assert_eq!(std::fs::read(&audio).unwrap(), b"bbbBBB");
    former.discard(JOB).await.unwrap();
    assert_eq!(former.kept().await.unwrap(), []);
    assert_eq!(latter.kept().await.unwrap(), [JOB]);
    assert!(audio.exists(), "another process lives on it");
}

#[tokio::test]
async fn what_a_process_left_is_found_by_the_next_or_cleared_by_another() {
    let server = Server::serving(b"abc").await;
    let world = World::new();
    let source = media(&server.url("/"));
    let library = || {
        let claimed = ClaimedFolder::take(&world.config.work_dir).unwrap();
        world.library().holding(claimed)
    };
    let dead = library();
    dead.fetch(JOB, &source, &()).await.unwrap();
    drop(dead);
    let next = library();
    assert_eq!(next.kept().await.unwrap(), [JOB], "as after any restart");
    next.fetch(JOB, &source, &()).await.unwrap();
    assert_eq!(server.visits(), 1);

    let other = library();
    assert_eq!(other.kept().await.unwrap(), []);
    assert!(world.folder().exists(), "its holder lives");
    drop(next);
    assert_eq!(other.kept().await.unwrap(), []);
    assert!(!world.folder().exists(), "its holder is gone");
}
