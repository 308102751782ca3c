//! Uploads that end before their end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use api::UploadPace;
use application::uploads::UploadLimits;
use infrastructure::objects::Objects;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::{BOUNDARY, PATH, form, names, rows, upload};
use crate::app::{Builder, TestApp};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service whose files lie in a folder.
struct World {
    app: TestApp,
    token: String,
    folder: PathBuf,
    _directory: TempDir,
}

impl World {
    async fn new(change: impl FnOnce(Builder) -> Builder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("uploads");
        let objects = Arc::new(Objects::in_folder(&folder, 0).unwrap());
        let builder = TestApp::builder().over_sqlite(directory.path()).await;
        let builder = change(builder.with(|adapters, _| adapters.objects = objects));
        let app = builder.start();
        let token = app.token("a@example.com").await;
        Self { app, token, folder, _directory: directory }
    }

    fn request(&self, length: usize) -> String {
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
             Content-Length: {length}\r\n\r\n",
            self.token
        )
    }

    async fn begin(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.app.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Waits until so many files lie in the folder.
    async fn until(&self, files: usize) {
        let waiting = async {
            while names(&self.folder).len() != files {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{files} files wanted: {:?}", names(&self.folder));
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_anywhere_leaves_nothing() {
    const POINTS: usize = 20;
    let world = World::new(|builder| builder).await;
    let body = form("talk.wav", &vec![7; 3 * 1_024 * 1_024]);
    let whole = [world.request(body.len()).as_bytes(), &body].concat();
    let head = whole.windows(4).position(|window| window == [7; 4]).unwrap();
    let mut staged = 0;
    for point in 0..POINTS {
        // The first ones in front of the file, the last one in its very end.
        let cut = match point {
            0..3 => head * (point + 1) / 4,
            19 => whole.len() - 1,
            _ => head + (whole.len() - head) * (point - 2) / POINTS,
        };
        let stream = world.begin(&whole[..cut]).await;
        if cut > head {
            world.until(1).await;
            staged += 1;
        }
        drop(stream);
        world.until(0).await;
    }
    assert!(staged > 10, "nothing was tested");
    assert_eq!(rows(&world.app, &world.token).await, 0);
    let answer = upload(&world.app, &world.token, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(names(&world.folder).len(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_once_its_file_has_come_parts_no_file_from_its_row() {
    let world = World::new(|builder| builder).await;
    let body = form("talk.wav", b"RIFF");
    let gate = world.app.fakes.media.gate();
    gate.close();
    let stream = world.begin(&[world.request(body.len()).as_bytes(), &body].concat()).await;
    gate.reached().await;
    assert_eq!(names(&world.folder).len(), 1);
    drop(stream);
    gate.open();
    // The file has come whole, and nobody can know whether the client has seen the answer.
    let accepted = async {
        while rows(&world.app, &world.token).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, accepted).await.is_ok(), "it is accepted");
    assert_eq!(names(&world.folder).len(), 1);
}

#[tokio::test]
async fn a_file_that_comes_too_slowly_is_answered_and_its_connection_freed() {
    let hurried = |total, window| UploadPace {
        total: Duration::from_millis(total),
        window: Duration::from_millis(window),
        window_bytes: 1_000_000,
    };
    for pace in [hurried(60_000, 100), hurried(100, 60_000)] {
        let world = World::new(|builder| builder.config(|c| c.api.upload_pace = pace)).await;
        let body = form("talk.wav", &[7; 2_000]);
        let begun = [world.request(body.len()).as_bytes(), &body[..1_000]].concat();
        let answer = world.app.raw(&begun).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":\"body_too_slow\""), "{answer}");
        world.until(0).await;
        assert_eq!(rows(&world.app, &world.token).await, 0);
    }
}

#[tokio::test]
async fn a_user_has_no_more_uploads_under_way_than_allowed() {
    let limits = UploadLimits { at_once: 1, ..UploadLimits::default() };
    let world = World::new(|builder| builder.config(|config| config.uploads = limits)).await;
    let body = form("talk.wav", b"RIFF");
    let begun = [world.request(body.len()).as_bytes(), &body[..body.len() - 4]].concat();
    let stream = world.begin(&begun).await;
    world.until(1).await;
    upload(&world.app, &world.token, body.clone()).await.problem(503, "overloaded");
    drop(stream);
    world.until(0).await;
    assert_eq!(upload(&world.app, &world.token, body).await.status, 201);
}

#[tokio::test]
async fn a_full_disk_refuses_files_and_says_when_to_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("uploads");
    let objects = Arc::new(Objects::in_folder(&folder, u64::MAX).unwrap());
    let app = TestApp::builder().with(|adapters, _| adapters.objects = objects).start();
    let token = app.token("a@example.com").await;
    let answer = upload(&app, &token, form("talk.wav", b"RIFF")).await;
    answer.problem(503, "storage_full");
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[tokio::test]
async fn a_large_file_needs_no_limit_of_other_bodies_and_they_keep_theirs() {
    let world = World::new(|builder| builder).await;
    let answer = upload(&world.app, &world.token, form("talk.wav", &vec![7; 1_000_000])).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let large = format!("{{\"video_url\":\"{}\"}}", "x".repeat(70_000));
    let answer = world.app.post_text("/api/transcription", &world.token, large).await;
    answer.problem(413, "body_too_large");
}

#[tokio::test]
async fn a_connection_serves_on_behind_a_file() {
    let world = World::new(|builder| builder).await;
    let body = form("talk.wav", b"RIFF");
    let next = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let both = [world.request(body.len()).as_bytes(), &body, next].concat();
    let answers = world.app.raw(&both).await;
    assert!(answers.starts_with("HTTP/1.1 201 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 OK"), "{answers}");
}
