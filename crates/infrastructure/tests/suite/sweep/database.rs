//! The databases that a sweep runs over: a file for each run, or a database on a server, which is
//! brought back to its beginning from run to run.

use std::{
    fs,
    ops::Deref,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use application::ports::{Clock as _, UserRepository as _};
use domain::{Email, PasswordDigest, User};
use infrastructure::{
    persistence::{PostgresConfig, SqliteConfig, Store, TimeSource},
    system::SystemClock,
};
use sea_orm::ConnectionTrait as _;
use testkit::servers::{self, TestDatabase};
use tokio::{runtime::Handle, sync::OnceCell, task::spawn_blocking};

use super::world::{LeapClock, OWNER};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Sqlite,
    Postgres,
}

/// The database of one run, with its schema and the owner of all jobs.
pub(super) enum Lent {
    File(String),
    Server(Returned),
}

impl Lent {
    /// One for a run whose folder is `dir`.
    pub(super) async fn new(database: Database, dir: &Path) -> Self {
        match database {
            Database::Sqlite => {
                let path = dir.join("saas-ia.db");
                fs::write(&path, file().await).expect("a database");
                Self::File(path.into_os_string().into_string().expect("a text"))
            }
            Database::Postgres => Self::Server(Returned::lend().await),
        }
    }

    /// By which a process finds it.
    pub(super) fn address(&self) -> String {
        match self {
            Self::File(path) => path.clone(),
            Self::Server(database) => database.url(),
        }
    }
}

/// The store of a process, as it is in use, and the same by a clock that can be put forward.
pub(super) async fn open(address: &str, clock: &Arc<LeapClock>) -> (Arc<Store>, Arc<Store>) {
    if !address.starts_with("postgresql://") {
        let store = Store::open(SqliteConfig::new(address), clock.clone()).await;
        let store = Arc::new(store.expect("nobody else has it open"));
        return (store.clone(), store);
    }
    let mut config = PostgresConfig::new(address).expect("an address");
    // Few: many runs share a server.
    (config.api_connections, config.engine_connections) = (2, 2);
    config.time = TimeSource::Server;
    let store = Store::open(config.clone(), clock.clone()).await.expect("it opens");
    config.time = TimeSource::Process;
    let later = Store::open(config, clock.clone()).await.expect("it opens");
    (Arc::new(store), Arc::new(later))
}

/// The bytes of a file as it is at first.
async fn file() -> &'static [u8] {
    static MADE: OnceCell<Vec<u8>> = OnceCell::const_new();
    MADE.get_or_init(|| async {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("saas-ia.db");
        let store = Store::open(SqliteConfig::new(&path), Arc::new(SystemClock)).await;
        begin(store.expect("it opens")).await;
        fs::read(path).expect("it is read")
    })
    .await
}

async fn begin(store: Store) {
    migration::up(store.connection()).await.expect("the schema is made");
    let email = Email::parse("owner@example.com").expect("an address");
    let digest = PasswordDigest::new("digest");
    let owner = User::register(OWNER, email, None, digest, SystemClock.now());
    store.insert(&owner).await.expect("it is stored");
    store.close().await;
}

/// A database on a server, for the next run once this one is over: to bring one back to its
/// beginning takes far less than to make one.
pub(super) struct Returned(Option<TestDatabase>);

static FREE: Mutex<Vec<TestDatabase>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<TestDatabase>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what every table held at first.
const REMEMBER: &str = "
    CREATE SCHEMA first;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('CREATE TABLE first.%1$I AS TABLE public.%1$I', name);
        END LOOP;
    END $$;";

/// Ends what a process left that died.
const END_OTHERS: &str = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
     WHERE datname = current_database() AND backend_type = 'client backend' \
     AND pid <> pg_backend_pid()";

/// Brings every table back to what it held at first.
const FORGET: &str = "
    DO $$ DECLARE name text; tables text; BEGIN
        SELECT string_agg(format('public.%I', tablename), ', ') INTO tables
            FROM pg_tables WHERE schemaname = 'first';
        EXECUTE 'TRUNCATE ' || tables;
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'first' LOOP
            EXECUTE format('INSERT INTO public.%1$I SELECT * FROM first.%1$I', name);
        END LOOP;
    END $$";

impl Returned {
    async fn lend() -> Self {
        // The programs that are asked for it block, and others have leases to keep meanwhile.
        let ready = spawn_blocking(|| {
            let Some(used) = free().pop() else {
                return Handle::current().block_on(servers::database("sweep", make));
            };
            used.run(&[END_OTHERS, FORGET]).expect("it is brought back");
            used
        });
        Self(Some(ready.await.expect("it does not panic")))
    }
}

async fn make(url: &str) {
    let config = PostgresConfig::new(url).expect("an address");
    begin(Store::open(config, Arc::new(SystemClock)).await.expect("it opens")).await;
    let db = migration::connect(url).await.expect("it connects");
    db.execute_unprepared(REMEMBER).await.expect("it is remembered");
    db.close().await.expect("it closes");
}

impl Deref for Returned {
    type Target = TestDatabase;

    fn deref(&self) -> &TestDatabase {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        free().extend(self.0.take());
    }
}
