//! A bucket of a server that stands for S3: moto of `PyPI`, as `scripts/test-s3.sh` installs it.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use application::ports::{BrokenOff, ByteStream, ObjectStore, PutError};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use infrastructure::objects::{Objects, S3Config};

use super::{UPLOAD, store};

const SERVER: &str = include_str!("../../../../../scripts/test-s3.py");

/// Ends when this process does: its input is ours.
struct Server {
    port: u16,
    _process: Child,
    _output: BufReader<ChildStdout>,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let mut process = Command::new(python())
        .args(["-c", SERVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let port = line.trim().parse().expect("the server that stands for S3 says its port");
    Server { port, _process: process, _output: output }
}

/// The interpreter that has moto, in the target folder that this test lies in.
fn python() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let installed = test.ancestors().map(|folder| folder.join("tools/moto"));
    let found = installed.into_iter().find(|folder| folder.join("installed.txt").exists());
    found.expect("what stands for S3 is not installed: run scripts/test-s3.sh").join("bin/python")
}

fn config(prefix: &str) -> S3Config {
    S3Config {
        bucket: "uploads".to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(format!("http://127.0.0.1:{}", server().port)),
        region: "us-east-1".to_owned(),
        access_key_id: "test".to_owned(),
        secret_access_key: "test".into(),
        allow_http: true,
    }
}

/// A place in the bucket that nobody else uses.
pub(crate) fn bucket() -> Objects {
    static USED: AtomicU32 = AtomicU32::new(0);
    let number = USED.fetch_add(1, Ordering::Relaxed);
    Objects::in_bucket(&config(&format!("{}/{number}", std::process::id()))).unwrap()
}

/// What the server itself says at `path`.
async fn ask(path: &str) -> String {
    let url = format!("http://127.0.0.1:{}/uploads{path}", server().port);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_file_lies_under_the_prefix_with_a_name_of_our_own() {
    let objects = Objects::in_bucket(&config("where/uploads/lie")).unwrap();
    store(&objects, b"abc").await;
    assert_eq!(ask(&format!("/where/uploads/lie/{UPLOAD}")).await, "abc");
}

#[tokio::test]
async fn an_upload_in_parts_that_breaks_off_leaves_no_parts() {
    let prefix = "parts";
    let objects = Objects::in_bucket(&config(prefix)).unwrap();
    let piece = || Ok(Bytes::from(vec![7; 9 * 1_024 * 1_024]));
    let unfinished = || async move { ask(&format!("?uploads&prefix={prefix}")).await };
    let seen = async move {
        assert!(unfinished().await.contains("<Upload>"), "it is one in parts");
        Err(BrokenOff("gone".to_owned()))
    };
    let body: ByteStream<'_> = stream::iter([piece()]).chain(stream::once(seen)).boxed();
    let refused = objects.put(UPLOAD, body, u64::MAX).await;
    assert!(matches!(refused, Err(PutError::BrokenOff(_))), "{refused:?}");
    let left = unfinished().await;
    assert!(left.contains("ListMultipartUploadsResult") && !left.contains("<Upload>"), "{left}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_a_failure_that_may_pass() {
    let missing = S3Config { bucket: "nowhere".to_owned(), ..config("x") };
    let objects = Objects::in_bucket(&missing).unwrap();
    let body: ByteStream<'_> = stream::iter([Ok(Bytes::from_static(b"a"))]).boxed();
    match objects.put(UPLOAD, body, 9).await {
        Err(PutError::Failed(failure)) => assert!(failure.is_transient()),
        other => panic!("{other:?}"),
    }
    assert!(objects.list(1).await.is_err());
}

#[test]
fn a_key_is_never_shown() {
    let config = S3Config { secret_access_key: "hush".into(), ..config("x") };
    assert!(!format!("{config:?}").contains("hush"));
}

#[tokio::test]
async fn http_is_spoken_only_where_it_is_allowed() {
    let objects = Objects::in_bucket(&S3Config { allow_http: false, ..config("x") });
    let refused = match objects {
        Ok(objects) => objects.list(1).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
}
