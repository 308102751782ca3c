//! A PostgreSQL server of one's own, in a folder of its own.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{
    folder::Folder,
    lifeline::{Lifeline, PATIENCE},
    port, programs, psql,
    psql::Access,
    secret,
};

/// How often another port is tried, should a stranger take the first in between.
const PORTS: usize = 5;

/// A PostgreSQL server that a test may treat badly. Its user `postgres` may do everything. It ends,
/// and its folder goes, when it is dropped or the test process ends.
///
/// The methods block: in an asynchronous test, call them by `spawn_blocking` while others must go
/// on.
pub struct PostgresServer {
    access: Access,
    folder: Folder,
    lifeline: Lifeline,
}

impl PostgresServer {
    /// Starts a server that forces to disk what it commits, as one that is in use does.
    ///
    /// # Errors
    /// When a program is missing, with a text that says what to install; when the server does not
    /// start, with its log.
    pub fn start() -> anyhow::Result<Self> {
        Self::with(&[])
    }

    /// Starts a server that trusts the machine to stay up: quick, and safe to kill none the less.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub fn start_without_fsync() -> anyhow::Result<Self> {
        Self::with(&["fsync=off", "full_page_writes=off"])
    }

    /// Starts a server as [`PostgresServer::start`] does, with more settings, such as
    /// `max_connections=20`.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub fn with(settings: &[&str]) -> anyhow::Result<Self> {
        let mut failure = None;
        for _ in 0..PORTS {
            let server = Self::initialise(settings)?;
            match server.launch() {
                Ok(true) => return Ok(server),
                Ok(false) => failure = Some(server.folder.log()),
                Err(error) => return Err(error.context(server.folder.log())),
            }
        }
        bail!("PostgreSQL does not start: {}", failure.unwrap_or_default())
    }

    fn initialise(settings: &[&str]) -> anyhow::Result<Self> {
        let (initdb, postgres) = (programs::postgres("initdb")?, programs::postgres("postgres")?);
        let port = port::free()?;
        let folder = Folder::new("postgres")?;
        let data = folder.path().join("data");

        let mut server = Command::new(postgres);
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        let common = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "jit=off"];
        let roomy = ["max_connections=200", "max_wal_senders=0", "wal_level=minimal"];
        for setting in common.iter().chain(&roomy).chain(settings) {
            server.args(["-c", setting]);
        }
        // SIGQUIT: at once, with all of its processes.
        let lifeline = Lifeline::hold(&folder, "QUIT", &server)?;

        let password = secret();
        let file = folder.write("password", &password)?;
        let mut initdb = Command::new(initdb);
        initdb.args(["--no-sync", "--username=postgres", "--auth=password", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--no-instructions"]).arg("--pwfile").arg(&file);
        initdb.arg("-D").arg(&data).current_dir(folder.path());
        folder.own(&mut initdb);
        psql::output(initdb, PATIENCE).context("initdb failed")?;

        Ok(Self { access: Access::private(port, &password)?, folder, lifeline })
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The URL of one of its databases; `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        self.access.url(database)
    }

    /// Runs statements, each in a transaction of its own, and returns what they print: a row a
    /// line, with `|` between its columns.
    ///
    /// # Errors
    /// When one fails; those before it have taken effect.
    pub fn run(&self, database: &str, statements: &[&str]) -> anyhow::Result<String> {
        self.access.run(database, statements)
    }

    /// Everything that the server said since its first start.
    pub fn log(&self) -> String {
        self.folder.log()
    }

    /// Ends the server in order (SIGINT): its connections break, nothing needs to be recovered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.lifeline.signal("INT")?;
        self.lifeline.wait()
    }

    /// Kills the server as `kill -9` does; it recovers when it comes back.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.lifeline.signal("KILL")?;
        self.lifeline.wait()
    }

    /// Starts the server again, on its port and with its data, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come back in time, with its log.
    pub fn come_back(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // What a killed server leaves behind ends by itself, and keeps the next one out until then.
        while !self.launch().with_context(|| self.folder.log())? {
            if Instant::now() > deadline {
                bail!("PostgreSQL does not come back: {}", self.folder.log());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
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
            match self.run("postgres", &["SELECT 1"]) {
                Ok(_) => return Ok(true),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}
