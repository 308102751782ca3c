//! A library in a folder of its own, and the servers and names that it meets.

use std::{
    collections::VecDeque,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use application::ports::{AudioFile, FetchError, MediaSource};
use async_trait::async_trait;
use domain::{AddressPolicy, FailureCode, MediaUrl, Source, TranscriptionId};
use futures_util::future::BoxFuture;
use infrastructure::confinement::Confinement;
use infrastructure::media::{FetchLimits, MediaConfig, MediaLibrary, Resolver};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use uuid::Uuid;

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The network that is [`LOOPBACK`] and nothing else.
pub(super) const ONLY: &str = "127.0.0.1/32";

pub(super) const JOB: TranscriptionId = TranscriptionId::from_uuid(Uuid::from_u128(7));

/// What a test builds a library from, to be changed before [`World::library`].
pub(super) struct World {
    pub(super) config: MediaConfig,
    pub(super) names: Arc<Names>,
    _dir: TempDir,
}

impl World {
    /// [`LOOPBACK`] is exempted, so that local servers can be reached; nothing is probed.
    pub(super) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let limits = FetchLimits {
            total: Duration::from_secs(20),
            answer: Duration::from_secs(10),
            pace_window: Duration::from_secs(10),
            pace_bytes: 1,
            probe: Duration::from_secs(10),
        };
        let config = MediaConfig {
            work_dir: dir.path().join("data/work"),
            max_bytes: 1_000_000,
            min_free_bytes: 0,
            max_seconds: 3_600,
            policy: exempting(ONLY),
            ffprobe: None,
            ytdlp: None,
            ffmpeg: None,
            confinement: Confinement::none(),
            limits,
        };
        Self { config, names: Arc::default(), _dir: dir }
    }

    pub(super) fn policy(mut self, policy: AddressPolicy) -> Self {
        self.config.policy = policy;
        self
    }

    pub(super) fn limits(mut self, change: impl FnOnce(&mut FetchLimits)) -> Self {
        change(&mut self.config.limits);
        self
    }

    pub(super) fn library(&self) -> MediaLibrary {
        MediaLibrary::with_resolver(self.config.clone(), self.names.clone())
    }

    pub(super) async fn fetch(&self, url: &str) -> Result<AudioFile, FetchError> {
        self.library().fetch(JOB, &media(url), &()).await
    }

    /// Fetches what must fail, and checks what is true of every failure: nothing is kept, and the
    /// detail tells no more of the URL than its host.
    pub(super) async fn refusal(&self, url: &str) -> FetchError {
        let error = self.fetch(url).await.expect_err(url);
        assert!(!self.folder().exists(), "{error:?}");
        assert!(!error.detail.contains("secret") && !error.detail.contains("://"), "{error:?}");
        error
    }

    pub(super) async fn refusal_code(&self, url: &str) -> FailureCode {
        self.refusal(url).await.code
    }

    /// The folder of [`JOB`].
    pub(super) fn folder(&self) -> PathBuf {
        self.config.work_dir.join(JOB.to_string())
    }
}

pub(super) fn exempting(network: &str) -> AddressPolicy {
    AddressPolicy::new(vec![network.parse().unwrap()])
}

pub(super) fn media(url: &str) -> Source {
    Source::Media(MediaUrl::parse(url).unwrap())
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The names in `folder`, sorted.
pub(super) fn listing(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes a shell script that stands for the program `name`, in the folder above that of the jobs.
/// Another process writes it: a file that this one has open for writing cannot be started by any of
/// its threads.
pub(super) fn stub(world: &World, name: &str, script: &str) -> PathBuf {
    let folder = world.config.work_dir.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    let mut writer = Command::new("sh")
        .args(["-c", r#"cat > "$0.new" && chmod 700 "$0.new" && mv "$0.new" "$0""#])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text = format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n");
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
    path
}

/// Answers each look-up with the next of a list; the last answer stays.
#[derive(Default)]
pub(super) struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(super) fn then(&self, addresses: &[IpAddr]) -> &Self {
        self.answers.lock().unwrap().push_back(addresses.to_vec());
        self
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 {
            return Ok(answers.pop_front().unwrap());
        }
        answers.front().cloned().ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A server on a port of loopback that counts its visitors.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    visits: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Reads the head of a request, then leaves the connection to `serve`, which is told how many
    /// visits there were before.
    pub(super) async fn start<F, Fut>(serve: F) -> Self
    where
        F: Fn(TcpStream, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::listening(TcpListener::bind((LOOPBACK, 0)).await.unwrap(), serve)
    }

    /// A server with `body`, and a canary on the same port of another address of this machine,
    /// one that [`ONLY`] does not cover.
    pub(super) async fn with_canary(body: &[u8]) -> (Self, Self) {
        loop {
            let inside = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await {
                Ok(listener) => listener,
                Err(_) => TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.unwrap(),
            };
            let port = inside.local_addr().unwrap().port();
            // Another process may have the port on the other address.
            if let Ok(outside) = TcpListener::bind((LOOPBACK, port)).await {
                let canary = Self::listening(inside, always(file(b"inside")));
                return (Self::listening(outside, always(file(body))), canary);
            }
        }
    }

    fn listening<F, Fut>(listener: TcpListener, serve: F) -> Self
    where
        F: Fn(TcpStream, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let (visits, heads) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (count, seen, serve) = (visits.clone(), heads.clone(), Arc::new(serve));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let before = count.fetch_add(1, Ordering::SeqCst);
                let (seen, serve) = (seen.clone(), serve.clone());
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    seen.lock().unwrap().push(head);
                    serve(stream, before).await;
                });
            }
        });
        Self { address, visits, heads, task }
    }

    /// Answers everybody with the same bytes and closes.
    pub(super) async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(always(answer.into())).await
    }

    /// Answers with a file.
    pub(super) async fn serving(body: &[u8]) -> Self {
        Self::saying(file(body)).await
    }

    /// Sends everybody to `location`.
    pub(super) async fn redirecting(location: &str) -> Self {
        Self::saying(redirect(location)).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of this server under a name.
    pub(super) fn named(&self, name: &str) -> String {
        format!("http://{name}:{}/secret.wav", self.address.port())
    }

    pub(super) fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    /// The heads of all requests.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn file(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) fn redirect(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

fn always(answer: Vec<u8>) -> impl Fn(TcpStream, usize) -> BoxFuture<'static, ()> {
    let answer = Arc::new(answer);
    move |mut stream, _| {
        let answer = answer.clone();
        Box::pin(async move {
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
        })
    }
}

/// Bytes that no codec leaves alone.
pub(super) fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
