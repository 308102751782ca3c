//! Limits of our own, which hold where those of yt-dlp do not.

use std::{io, path::Path, process::Command, sync::Arc, time::Duration};

use domain::FailureCode;
use infrastructure::media::FreeSpace;

use super::{
    super::world::JOB, MAKES_SOUND, fetch, fetch_by, lives, played_by, refusal_code, until,
};

/// Half a megabyte a time, without end.
const GROWS: &str = "while :; do head -c 500000 /dev/zero >> FILE; sleep 0.05; done";

#[tokio::test]
async fn a_file_that_grows_beyond_the_limit_is_not_waited_for() {
    for (file, code) in [
        ("audio.webm", FailureCode::SourceTooLarge),
        ("some.thing.else", FailureCode::SourceTooLarge),
        ("audio.wav", FailureCode::SourceTooLong),
    ] {
        let mut world = played_by(&GROWS.replace("FILE", file));
        world.config.max_bytes = 2_000_000;
        world.config.max_seconds = 10;
        assert_eq!(refusal_code(&world).await, code, "{file}");
    }
}

#[tokio::test]
async fn a_whole_file_that_is_larger_than_allowed_is_not_taken() {
    for (file, code) in
        [("audio.webm", FailureCode::SourceTooLarge), ("audio.wav", FailureCode::SourceTooLong)]
    {
        let mut world = played_by(&format!("{MAKES_SOUND}; head -c 900000 /dev/zero > {file}"));
        world.config.max_bytes = 800_000;
        world.config.max_seconds = 10;
        assert_eq!(refusal_code(&world).await, code, "{file}");
        (world.config.max_bytes, world.config.max_seconds) = (900_000, 60);
        fetch(&world).await;
    }
}

#[tokio::test]
async fn the_disk_keeps_its_floor() {
    struct Full;

    impl FreeSpace for Full {
        fn free_bytes(&self, _: &Path) -> io::Result<u64> {
            Ok(1_000_000)
        }
    }

    let mut world = played_by("sleep 60");
    world.config.min_free_bytes = 1_000_000;
    let library = world.library().measuring(Arc::new(Full));
    assert_eq!(fetch_by(&library).await.unwrap_err().code, FailureCode::LocalResource);
    assert!(!world.folder().exists(), "{JOB}");
}

#[tokio::test]
async fn a_run_has_its_time_and_what_it_has_started_goes_with_it() {
    let world = played_by("sleep 60 &\necho $! $$ > ../../../pids\nwait")
        .limits(|limits| limits.total = Duration::from_millis(800));
    assert_eq!(refusal_code(&world).await, FailureCode::StageTimeout);
    let pids = world.config.work_dir.parent().unwrap().join("pids");
    let pids = std::fs::read_to_string(pids).unwrap();
    until("they are gone", || pids.split_whitespace().all(|pid| !lives(pid))).await;
}

#[tokio::test]
async fn a_gigabyte_of_complaints_neither_blocks_nor_fills_the_memory() {
    let before = peak_kib();
    let script = format!("head -c 1073741824 /dev/zero >&2\n{MAKES_SOUND}");
    let world = played_by(&script).limits(|limits| limits.total = Duration::from_mins(2));
    fetch(&world).await;
    let grown = peak_kib() - before;
    assert!(grown < 256 * 1_024, "{grown} KiB");
}

/// The most memory that this process ever had, with all tests that run beside this one.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_link_is_not_taken_for_a_file() {
    let world = played_by("ln -s /bin/sh audio.wav");
    assert_eq!(refusal_code(&world).await, FailureCode::NoAudio);
    assert!(Command::new("/bin/sh").args(["-c", ":"]).status().unwrap().success());
}

#[tokio::test]
async fn an_empty_recording_is_none() {
    let world = played_by("head -c 44 /dev/zero > audio.wav");
    assert_eq!(refusal_code(&world).await, FailureCode::NoAudio);
}
