//! A database for each test, on a server that all tests of a process share.

use std::{
    collections::HashMap,
    env, process,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::Context as _;
use tokio::sync::OnceCell;

use super::{PostgresServer, lifeline::Lifeline, psql::Access, secret};

/// The server that this process uses, and what it made there.
struct Shared {
    access: Access,
    /// What the names of its databases begin with; no other process has the same.
    prefix: String,
    templates: Mutex<HashMap<String, Arc<OnceCell<String>>>>,
    next: AtomicU32,
    /// What ends a private server, or sweeps a given one, after this process.
    _until_the_end: Ending,
}

#[expect(dead_code, reason = "held for what happens at its end")]
enum Ending {
    Private(PostgresServer),
    Given(Lifeline),
}

/// A database that belongs to one test. Dropped, with whatever is connected to it, at its end.
pub struct TestDatabase {
    name: String,
    shared: &'static Shared,
}

/// A copy of the database that `prepare` makes, once in this process for each name of a template,
/// from an empty one whose URL it is given.
///
/// It lies on the server that `TEST_DATABASE_URL` names, by an account that may create databases;
/// else on a private one, which this starts once.
///
/// # Panics
/// When there is no server, with a text that says what to install.
pub async fn database(template: &str, prepare: impl AsyncFnOnce(&str)) -> TestDatabase {
    let shared = match shared() {
        Ok(shared) => shared,
        Err(failure) => panic!("no PostgreSQL for this test: {failure}"),
    };
    shared.copy(template, prepare).await.expect("a database for this test")
}

/// An empty database.
///
/// # Panics
/// As [`database()`].
pub async fn empty_database() -> TestDatabase {
    database("empty", async |_| ()).await
}

fn shared() -> Result<&'static Shared, &'static str> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Shared::find().map_err(|failure| format!("{failure:#}")));
    shared.as_ref().map_err(String::as_str)
}

impl Shared {
    fn find() -> anyhow::Result<Self> {
        let prefix = format!("test_{}_{}_", process::id(), &secret()[..8]);
        let given = env::var_os("TEST_DATABASE_URL").filter(|url| !url.is_empty());
        let (access, ending) = if let Some(url) = given {
            let access = Access::given(url.to_str().context("TEST_DATABASE_URL is no URL")?)?;
            access
                .run(access.maintenance(), &["SELECT 1"])
                .context("the server of TEST_DATABASE_URL does not answer")?;
            let psql = access.psql(access.maintenance())?;
            let sweeper = Lifeline::sweep(&psql, &prefix)?;
            (access, Ending::Given(sweeper))
        } else {
            let server = PostgresServer::start_without_fsync()?;
            (server.access().clone(), Ending::Private(server))
        };
        let (templates, next) = (Mutex::default(), AtomicU32::new(0));
        Ok(Self { access, prefix, templates, next, _until_the_end: ending })
    }

    async fn copy(
        &'static self,
        template: &str,
        prepare: impl AsyncFnOnce(&str),
    ) -> anyhow::Result<TestDatabase> {
        let made = {
            let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
            templates.entry(template.to_owned()).or_default().clone()
        };
        let template = made.get_or_try_init(|| self.make(prepare)).await?;
        let name = self.another_name();
        self.admin(&[&format!("CREATE DATABASE {name} TEMPLATE {template}")])?;
        Ok(TestDatabase { name, shared: self })
    }

    async fn make(&self, prepare: impl AsyncFnOnce(&str)) -> anyhow::Result<String> {
        let name = self.another_name();
        // A locale that is the same everywhere; what a given server has by default need not be.
        self.admin(&[&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        )])?;
        prepare(&self.access.url(&name)).await;
        // Nobody can copy a database that somebody is connected to, and pools close late.
        self.admin(&[
            &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
            &format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = '{name}'"
            ),
        ])?;
        Ok(name)
    }

    fn another_name(&self) -> String {
        format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn admin(&self, statements: &[&str]) -> anyhow::Result<String> {
        self.access.run(self.access.maintenance(), statements)
    }
}

impl TestDatabase {
    /// Its URL, by an account that may do everything in it.
    pub fn url(&self) -> String {
        self.shared.access.url(&self.name)
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements in it, each in a transaction of its own, and returns what they print: a row
    /// a line, with `|` between its columns. Not through any driver that may be under test.
    ///
    /// # Errors
    /// When one fails; those before it have taken effect.
    pub fn run(&self, statements: &[&str]) -> anyhow::Result<String> {
        self.shared.access.run(&self.name, statements)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let gone = self.shared.admin(&[&format!("DROP DATABASE {} WITH (FORCE)", self.name)]);
        if let Err(failure) = gone {
            // The end of the process removes it.
            eprintln!("{failure:#}");
        }
    }
}
