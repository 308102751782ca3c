//! Statements for a PostgreSQL server, by its own client: the tests of an adapter had better not
//! look at its work through its driver.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use url::Url;

use super::{lifeline::PATIENCE, programs};

/// A server, as one of its users sees it.
#[derive(Clone)]
pub(super) struct Access {
    url: Url,
    /// Kept apart from the URL, which every user of the machine can see in the list of processes.
    password: Option<String>,
}

impl Access {
    /// A private server, with a password that needs no quoting.
    pub(super) fn private(port: u16, password: &str) -> anyhow::Result<Self> {
        let url = Url::parse(&format!("postgresql://postgres@127.0.0.1:{port}/postgres"))?;
        Ok(Self { url, password: Some(password.to_owned()) })
    }

    /// A server that runs already.
    pub(super) fn given(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("TEST_DATABASE_URL is no URL")?;
        let known = ["postgres", "postgresql"].contains(&url.scheme());
        ensure!(known, "TEST_DATABASE_URL must begin with postgresql://");
        Ok(Self { url, password: None })
    }

    /// The URL of one of its databases, with the password.
    pub(super) fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        if let Some(password) = &self.password {
            url.set_password(Some(password)).expect("a URL with a host may have a password");
        }
        url.into()
    }

    /// The maintenance database: the one that the URL of the server names.
    pub(super) fn maintenance(&self) -> &str {
        self.url.path().trim_start_matches('/')
    }

    /// `psql` on one of its databases; it reads statements from its standard input unless told
    /// otherwise.
    pub(super) fn psql(&self, database: &str) -> anyhow::Result<Command> {
        let mut url = self.url.clone();
        url.set_path(database);
        let mut psql = Command::new(programs::postgres("psql")?);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname", url.as_str()])
            .envs(self.password.as_ref().map(|password| ("PGPASSWORD", password)))
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGOPTIONS", "-c statement_timeout=60s");
        Ok(psql)
    }

    /// Runs statements, each in a transaction of its own, and returns what they print: a row a
    /// line, with `|` between its columns.
    pub(super) fn run(&self, database: &str, statements: &[&str]) -> anyhow::Result<String> {
        let mut psql = self.psql(database)?;
        for statement in statements {
            psql.args(["--command", statement]);
        }
        output(psql, PATIENCE).with_context(|| format!("psql: {}", statements.join("; ")))
    }
}

/// What a command prints, if it succeeds in time.
pub(super) fn output(mut command: Command, patience: Duration) -> anyhow::Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut printed = child.stdout.take().context("no standard output")?;
    let mut complained = child.stderr.take().context("no standard error")?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        printed.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("does not end");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let mut errors = String::new();
    complained.read_to_string(&mut errors)?;
    ensure!(status.success(), "{status}: {}", errors.trim_end());
    Ok(reader.join().ok().context("its output cannot be read")??)
}
