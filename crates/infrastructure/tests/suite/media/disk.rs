//! What a fetch leaves free on the disk.

use std::{
    collections::VecDeque,
    future, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use application::ports::{AudioFile, FetchError, MediaSource};
use domain::FailureCode;
use infrastructure::media::FreeSpace;
use tokio::io::AsyncWriteExt;

use super::world::{JOB, Server, World, media, noise};

const FLOOR: u64 = 5_000;

const MIB: u64 = 1_024 * 1_024;

/// A disk with this much free at one look after the other; the last answer stays, and where there
/// is none it cannot be measured.
struct Disk {
    free: Mutex<VecDeque<u64>>,
    asked: Mutex<Vec<PathBuf>>,
}

impl Disk {
    fn with(free: &[u64]) -> Arc<Self> {
        let free = Mutex::new(free.iter().copied().collect());
        Arc::new(Self { free, asked: Mutex::default() })
    }

    fn looks(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl FreeSpace for Disk {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        assert!(path.exists(), "the real one could not answer");
        self.asked.lock().unwrap().push(path.to_owned());
        let mut free = self.free.lock().unwrap();
        if free.len() > 1 {
            return Ok(free.pop_front().unwrap());
        }
        free.front().copied().ok_or_else(|| io::Error::other("no such disk"))
    }
}

fn world() -> World {
    let mut world = World::new();
    world.config.min_free_bytes = FLOOR;
    world.config.max_bytes = 100 * MIB;
    world
}

async fn fetch(world: &World, disk: &Arc<Disk>, server: &Server) -> Result<AudioFile, FetchError> {
    world.library().measuring(disk.clone()).fetch(JOB, &media(&server.url("/")), &()).await
}

/// Fetches what must fail for want of room, and leave nothing.
async fn refused(world: &World, disk: &Arc<Disk>, server: &Server) {
    let error = fetch(world, disk, server).await.expect_err("no room");
    assert_eq!(error.code, FailureCode::LocalResource, "{error:?}");
    assert!(!world.folder().exists(), "{error:?}");
}

/// A server that announces a file and never sends a byte of it.
async fn announcing(bytes: u64) -> Server {
    Server::start(move |mut stream, _| async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok();
        future::pending::<()>().await;
    })
    .await
}

/// A server that sends without an end after this head.
async fn endless(head: &'static str) -> Server {
    Server::start(move |mut stream, _| async move {
        stream.write_all(head.as_bytes()).await.ok();
        while stream.write_all(&[7; 8_192]).await.is_ok() {}
    })
    .await
}

#[tokio::test]
async fn an_announced_size_that_does_not_fit_is_refused_before_its_first_byte() {
    let (world, disk) = (world(), Disk::with(&[FLOOR + 999]));
    refused(&world, &disk, &announcing(1_000).await).await;
    assert_eq!(disk.looks(), 1);
}

#[tokio::test]
async fn a_file_that_leaves_exactly_the_floor_is_taken() {
    let (world, disk) = (world(), Disk::with(&[FLOOR + 1_000]));
    let server = Server::serving(&noise(1_000)).await;
    assert_eq!(fetch(&world, &disk, &server).await.unwrap().bytes, 1_000);
    assert_eq!(*disk.asked.lock().unwrap(), [world.folder()]);
}

#[tokio::test]
async fn a_disk_that_others_fill_meanwhile_ends_a_fetch() {
    let (world, disk) = (world(), Disk::with(&[FLOOR + 20 * MIB, FLOOR + 20 * MIB, FLOOR + MIB]));
    let server = endless("HTTP/1.1 200 OK\r\ncontent-length: 20971520\r\n\r\n").await;
    refused(&world, &disk, &server).await;
    assert_eq!(disk.looks(), 3);
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_before_it_takes_the_floor() {
    let (world, disk) = (world(), Disk::with(&[FLOOR + 9 * MIB, FLOOR + 5 * MIB, FLOOR + MIB]));
    refused(&world, &disk, &endless("HTTP/1.1 200 OK\r\n\r\n").await).await;
    assert_eq!(disk.looks(), 3);
}

#[tokio::test]
async fn a_full_disk_refuses_a_body_of_unknown_length_before_its_first_byte() {
    let (world, disk) = (world(), Disk::with(&[FLOOR - 1]));
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        future::pending::<()>().await;
    });
    refused(&world, &disk, &server.await).await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_measured_takes_nothing() {
    refused(&world(), &Disk::with(&[]), &Server::serving(b"abc").await).await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_too_large_however_full_the_disk_is() {
    let (world, disk) = (world(), Disk::with(&[0]));
    let error = fetch(&world, &disk, &announcing(100 * MIB + 1).await).await.unwrap_err();
    assert_eq!(error.code, FailureCode::SourceTooLarge);
}

#[tokio::test]
async fn a_complete_file_needs_no_more_room() {
    let (world, server) = (world(), Server::serving(b"abc").await);
    let first = fetch(&world, &Disk::with(&[FLOOR + 3]), &server).await.unwrap();
    assert_eq!(fetch(&world, &Disk::with(&[0]), &server).await.unwrap(), first);
}

#[tokio::test]
async fn the_disk_of_the_machine_is_asked_by_default() {
    let server = Server::serving(b"abc").await;
    let mut world = World::new();
    world.config.min_free_bytes = u64::MAX;
    assert_eq!(world.refusal_code(&server.url("/")).await, FailureCode::LocalResource);
}
