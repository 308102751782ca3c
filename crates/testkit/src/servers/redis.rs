//! A Redis server of one's own, and a share of one for a test that treats it well.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{self, Command},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use super::{
    folder::Folder,
    lifeline::{Lifeline, PATIENCE},
    port, programs, secret,
};

/// How often another port is tried, should a stranger take the first in between.
const PORTS: usize = 5;
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(5);
/// More than a test process has tests.
const DATABASES: u32 = 4_096;

/// A Redis server that a test may treat badly. It keeps nothing on disk. It ends, and its folder
/// goes, when it is dropped or the test process ends.
///
/// The methods block: in an asynchronous test, call them by `spawn_blocking` while others must go
/// on.
pub struct RedisServer {
    folder: Folder,
    port: u16,
    password: String,
    lifeline: Lifeline,
}

impl RedisServer {
    /// Starts a server.
    ///
    /// # Errors
    /// When the program is missing, with a text that says what to install; when the server does not
    /// start, with its log.
    pub fn start() -> anyhow::Result<Self> {
        let mut failure = None;
        for _ in 0..PORTS {
            let server = Self::prepare()?;
            match server.launch() {
                Ok(true) => return Ok(server),
                Ok(false) => failure = Some(server.folder.log()),
                Err(error) => return Err(error.context(server.folder.log())),
            }
        }
        bail!("Redis does not start: {}", failure.unwrap_or_default())
    }

    fn prepare() -> anyhow::Result<Self> {
        let program = programs::redis()?;
        let (folder, port, password) = (Folder::new("redis")?, port::free()?, secret());
        // A file, since every user of the machine can see the arguments of a process.
        let settings = folder.write(
            "redis.conf",
            &format!(
                "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndatabases {DATABASES}\n\
                 save \"\"\nappendonly no\ndaemonize no\nset-proc-title no\n"
            ),
        )?;
        let mut server = Command::new(program);
        server.arg(settings);
        let lifeline = Lifeline::hold(&folder, "KILL", &server)?;
        Ok(Self { folder, port, password, lifeline })
    }

    /// The URL of its database 0.
    pub fn url(&self) -> String {
        self.url_of(0)
    }

    fn url_of(&self, database: u32) -> String {
        format!("redis://:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Everything that the server said since its first start.
    pub fn log(&self) -> String {
        self.folder.log()
    }

    /// Kills the server as `kill -9` does; what it knew is lost.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.lifeline.signal("KILL")?;
        self.lifeline.wait()
    }

    /// Starts the server again on its port, empty, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come back in time, with its log.
    pub fn come_back(&self) -> anyhow::Result<()> {
        let started = self.launch().with_context(|| self.folder.log())?;
        ensure!(started, "Redis does not come back: {}", self.folder.log());
        Ok(())
    }

    /// Stops the process without ending it (SIGSTOP): connections stay open, and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.lifeline.signal("STOP")
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.lifeline.signal("CONT")
    }

    /// Forgets everything, in all of its databases.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn flush_all(&self) -> anyhow::Result<()> {
        self.command(&["FLUSHALL"]).map(drop)
    }

    /// Runs a command on database 0, and returns a status, a number or a text that it answers with.
    ///
    /// # Errors
    /// When the server does not answer, or with an error, or with a list.
    pub fn command(&self, words: &[&str]) -> anyhow::Result<String> {
        let address = ([127, 0, 0, 1], self.port).into();
        let stream = TcpStream::connect_timeout(&address, COMMAND)?;
        stream.set_read_timeout(Some(COMMAND))?;
        stream.set_write_timeout(Some(COMMAND))?;
        let mut stream = BufReader::new(stream);
        exchange(&mut stream, &["AUTH", &self.password])?;
        exchange(&mut stream, words)
    }

    /// Starts the server; `false` when it ended instead.
    fn launch(&self) -> anyhow::Result<bool> {
        let process = self.lifeline.start()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if port::has_ended(process) {
                self.lifeline.wait()?;
                return Ok(false);
            }
            match self.command(&["PING"]) {
                Ok(_) => return Ok(true),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// Sends a command in Redis' protocol, and reads an answer that is not a list.
fn exchange(stream: &mut BufReader<TcpStream>, words: &[&str]) -> anyhow::Result<String> {
    write!(stream.get_mut(), "*{}\r\n", words.len())?;
    for word in words {
        write!(stream.get_mut(), "${}\r\n{word}\r\n", word.len())?;
    }
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", answer)) => Ok(answer.to_owned()),
        Some(("$", "-1")) => Ok(String::new()),
        Some(("$", length)) => {
            let mut text = vec![0; length.parse::<usize>()? + 2];
            stream.read_exact(&mut text)?;
            text.truncate(text.len() - 2);
            Ok(String::from_utf8(text)?)
        }
        _ => bail!("Redis answers {line:?}"),
    }
}

/// A test's share of a Redis server that all tests of a process use.
pub struct TestRedis {
    url: String,
    prefix: String,
}

/// A share of the server that `TEST_REDIS_URL` names, else of a private one, which this starts
/// once.
///
/// On a private server the test has a database of its own, so its keys meet nobody's. Channels know
/// no databases, and on a given server all share the one that its URL names: what must not meet
/// others there begins with [`TestRedis::prefix`]. A given server is never flushed.
///
/// # Panics
/// When there is no server, with a text that says what to install.
pub fn redis() -> TestRedis {
    static SHARED: OnceLock<Result<RedisServer, String>> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("test-{}-{}-{number}:", process::id(), &secret()[..8]);
    if let Some(url) = env::var_os("TEST_REDIS_URL").filter(|url| !url.is_empty()) {
        let url = url.into_string().expect("TEST_REDIS_URL is a URL");
        return TestRedis { url, prefix };
    }
    assert!(number < DATABASES, "Redis has no database left for another test");
    match SHARED.get_or_init(|| RedisServer::start().map_err(|failure| format!("{failure:#}"))) {
        Ok(server) => TestRedis { url: server.url_of(number), prefix },
        Err(failure) => panic!("no Redis for this test: {failure}"),
    }
}

impl TestRedis {
    /// Where it is, with the number of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What keys and channels of this test, and of no other, begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}
