//! The service as a process of its own, in a folder of its own, on a port of its own.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{binary, client::Client, workspace};

/// How long anything may take before the test gives up. Not an expectation: a busy machine is slow.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The folder and the environment that a process is started with.
#[derive(Clone)]
pub struct Setup {
    folder: Arc<TempDir>,
    environment: BTreeMap<String, String>,
    port: u16,
    role: &'static [&'static str],
}

/// What a process is started as, unless something else is said.
const WHOLE: &[&str] = &["serve"];

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Ended {
    /// Everything it printed, wherever.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Setup {
    /// An empty folder and the settings of a quick test: the mock engine, cheap passwords, no rate
    /// limits. Nothing of the environment of the test run reaches the process but `PATH`.
    ///
    /// # Errors
    /// When there is no room for the folder.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let folder = Arc::new(folder);
        let setup = Self { folder, environment: BTreeMap::new(), port: 0, role: WHOLE };
        let data = setup.data().to_string_lossy().into_owned();
        Ok(setup
            .on_another_port()?
            .with("ENVIRONMENT", "test")
            .with("HOST", "127.0.0.1")
            .with("DATA_DIR", &data)
            .with("LOG_FORMAT", "json")
            .with("SECRET_KEY", "8f1c5e0b7a924d3680f2c9d47b6e1a35d0c8f79e24b15a6c")
            .with("ASSEMBLYAI_API_KEY", "MOCK")
            .with("BCRYPT_COST", "4")
            .with("RATE_LIMITS", "off"))
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Leaves a variable out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The same folder and settings, but a port that is free.
    ///
    /// # Errors
    /// When no port is free.
    pub fn on_another_port(mut self) -> anyhow::Result<Self> {
        self.port = free_port()?;
        let port = self.port.to_string();
        Ok(self.with("PORT", &port))
    }

    /// The same folder and settings, for a process that serves the API and runs no jobs.
    ///
    /// # Errors
    /// When no port is free.
    pub fn as_api(mut self) -> anyhow::Result<Self> {
        self.role = &["serve", "--no-worker"];
        self.on_another_port()
    }

    /// The same folder and settings, for a process that only runs jobs. Its port is the one at
    /// which it tells how it is.
    ///
    /// # Errors
    /// When no port is free.
    pub fn as_worker(mut self) -> anyhow::Result<Self> {
        self.role = &["worker"];
        let setup = self.on_another_port()?;
        let port = setup.port.to_string();
        Ok(setup.with("WORKER_HEALTH_PORT", &port))
    }

    /// `DATA_DIR`; it does not exist before the first start.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The working directory of the process.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port that the service listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the service listens.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        let mut command = Command::from(self.command(binary(), arguments));
        let output = timeout(PATIENCE, command.kill_on_drop(true).output())
            .await
            .with_context(|| format!("saas-ia {arguments:?} does not end"))??;
        Ok(Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts the service and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead, or does not get ready; with its log.
    pub async fn start(self) -> anyhow::Result<Service> {
        let mut service = self.begin()?;
        service.wait_until_ready().await?;
        Ok(service)
    }

    /// Starts the service and does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(self) -> anyhow::Result<Service> {
        let client = Client::new(&self.base_url())?;
        let child = self.spawn()?;
        Ok(Service { setup: self, client, child })
    }

    /// The command line that everything is run with, for whoever wants to run it himself.
    pub fn command(&self, binary: &Path, arguments: &[&str]) -> process::Command {
        let mut command = process::Command::new(binary);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(workspace::variable("PATH").map(|path| ("PATH", path)))
            .envs(&self.environment)
            .stdin(Stdio::null());
        command
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log = self.open_log()?;
        let mut command = Command::from(self.command(binary(), self.role));
        Ok(command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn()?)
    }

    fn log_path(&self) -> PathBuf {
        let name = match self.role {
            WHOLE => "service.log".to_owned(),
            // Several processes may share the folder.
            role => format!("{}-{}.log", role.concat(), self.port),
        };
        self.folder.path().join(name)
    }

    fn open_log(&self) -> anyhow::Result<File> {
        Ok(OpenOptions::new().create(true).append(true).open(self.log_path())?)
    }
}

/// A running service. Killed when dropped.
pub struct Service {
    setup: Setup,
    client: Client,
    child: Child,
}

impl Service {
    /// Speaks to the service.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Everything that was logged since the first start in this folder.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.setup.log_path())?)
    }

    /// [`Service::log`], for the message of a test that fails.
    pub fn log_or_empty(&self) -> String {
        self.log().unwrap_or_default()
    }

    /// Kills the process as `kill -9` does.
    ///
    /// # Errors
    /// When it had ended by itself before.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the service had ended by itself with {status}:\n{}", self.log()?);
        }
        Ok(self.child.kill().await?)
    }

    /// Asks the process to end (SIGTERM) and waits until it has, for at most `within`.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn terminate(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let ended = timeout(within, self.child.wait()).await;
        Ok(ended.context("the service did not end in time")??)
    }

    /// Stops the process without ending it (SIGSTOP).
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().context("the service has ended")?;
        Ok(kill(Pid::from_raw(id.try_into()?), signal)?)
    }

    /// Waits until it has logged `text`.
    ///
    /// # Errors
    /// When it ends instead, or does not log it; with its log.
    pub async fn wait_until_logged(&mut self, text: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log()?;
            if log.contains(text) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status} and never logged {text}:\n{log}");
            }
            if Instant::now() > deadline {
                bail!("the service does not log {text}:\n{log}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until_ended(&mut self) -> anyhow::Result<ExitStatus> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.with_context(|| format!("it does not end:\n{}", self.log_or_empty()))??)
    }

    /// Starts the service again, in the same folder with the same settings, after it has ended.
    ///
    /// # Errors
    /// As [`Setup::start`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child = self.setup.spawn()?;
        self.wait_until_ready().await
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead, or does not get ready; with its log.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status} at its start:\n{}", self.log()?);
            }
            if let Ok(answer) = self.client.get("/health/ready", None).await
                && answer.status == 200
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the service does not get ready:\n{}", self.log()?);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How much memory a process has in RAM, in KiB. Linux only.
///
/// # Errors
/// When the system does not say.
pub fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    Ok(words.context("no VmRSS")?.parse()?)
}

/// A port on which nobody listens. Taken from below the ports that systems give to outgoing
/// connections, so that none of these can take it before the service does.
fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(process::id() % 100)? * 100;
    for _ in 0..10_000 {
        let offset = (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let port = 20_000 + offset;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
