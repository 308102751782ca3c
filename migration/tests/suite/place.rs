//! An empty database of a test, and what it holds.

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, Statement, TryGetable,
};
use tempfile::TempDir;
use testkit::servers::{self, TestDatabase};

/// An empty database. It goes when it is dropped.
pub(crate) struct Place {
    url: String,
    _kept: Kept,
}

#[expect(dead_code, reason = "held for what happens at its end")]
enum Kept {
    Folder(TempDir),
    Server(TestDatabase),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/saas-ia.db?mode=rwc", folder.path().display());
        Self { url, _kept: Kept::Folder(folder) }
    }

    pub(crate) async fn postgres() -> Self {
        let database = servers::empty_database().await;
        Self { url: database.url(), _kept: Kept::Server(database) }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        migration::connect(&self.url).await.expect("it connects")
    }
}

/// The values of the first column that a query answers.
pub(crate) async fn column<T: TryGetable>(db: &impl ConnectionTrait, sql: &str) -> Vec<T> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.expect("the query runs");
    rows.iter().map(|row| row.try_get_by(0).expect("a value")).collect()
}

/// Everything that the schema consists of, but for the record of the steps.
pub(crate) async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let queries: &[&str] = match db.get_database_backend() {
        DbBackend::Postgres => &[
            "SELECT concat_ws(' ', c.relname, c.relkind, c.reloptions) FROM pg_class c
              WHERE c.relnamespace = 'public'::regnamespace
                AND c.relname NOT LIKE 'seaql_migrations%' ORDER BY 1",
            "SELECT concat_ws(' ', table_name, column_name, ordinal_position, data_type,
                    character_maximum_length, is_nullable, column_default)
               FROM information_schema.columns WHERE table_schema = 'public'
                AND table_name <> 'seaql_migrations' ORDER BY 1",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
                AND tablename <> 'seaql_migrations' ORDER BY 1",
            "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
               FROM pg_constraint WHERE connamespace = 'public'::regnamespace
                AND conrelid IS DISTINCT FROM to_regclass('seaql_migrations') ORDER BY 1",
        ],
        // What SQLite makes by itself is left out.
        _ => &["SELECT sql FROM sqlite_schema WHERE tbl_name <> 'seaql_migrations'
                   AND name NOT LIKE 'sqlite_%' ORDER BY 1"],
    };
    let mut found = Vec::new();
    for query in queries {
        found.extend(column::<String>(db, query).await);
    }
    found
}

/// Runs each case over every database.
macro_rules! on_every_database {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::place::Place::sqlite()).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::place::Place::postgres().await).await;
            })+
        }
    };
}

pub(crate) use on_every_database;
