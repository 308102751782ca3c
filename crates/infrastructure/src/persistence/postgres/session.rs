//! One connection while it is in use.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deadpool::managed::Object;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Postgres, Row,
    postgres::{PgConnection, PgRow},
    query::Query,
};
use tokio::sync::Mutex;

use super::{Connector, Pool, broke};
use crate::persistence::fault::StoreError;

/// What every change begins with. Named, because a role or a database can have another default.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A connection on loan from its pool. It is given back only when it is known to be idle and
/// sound; otherwise it is closed, whereupon the server undoes what was begun on it.
pub(super) struct Session {
    connection: Option<Object<Connector>>,
    /// Something was begun that has not ended: a statement whose caller went away, a change.
    open: bool,
    /// A statement failed inside a change: nothing of it can be committed.
    failed: bool,
}

impl Session {
    pub(super) fn new(connection: Object<Connector>) -> Self {
        Self { connection: Some(connection), open: false, failed: false }
    }

    /// Begins a change.
    pub(super) async fn begin(mut self) -> Result<Change, DbErr> {
        // From here on, whatever fails: there may be a transaction that nobody commits.
        self.open = true;
        self.run(async |connection| sqlx::raw_sql(BEGIN).execute(connection).await)
            .await
            .map_err(exec)?;
        Ok(Change(Mutex::new(self)))
    }

    /// Begins a change and asks for the time in one round trip.
    pub(super) async fn begin_at_server_time(
        mut self,
    ) -> Result<(Change, Option<DateTime<Utc>>), DbErr> {
        const BEGIN_AND_TELL: &str =
            "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT clock_timestamp()";
        self.open = true;
        let row = self
            .run(async |connection| sqlx::raw_sql(BEGIN_AND_TELL).fetch_one(connection).await)
            .await
            .map_err(query)?;
        let now = row.try_get(0).map_err(query)?;
        Ok((Change(Mutex::new(self)), Some(now)))
    }

    /// Runs one statement. Whoever drops the future leaves the connection in an unknown state, and
    /// it is not used again.
    async fn run<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let was_open = std::mem::replace(&mut self.open, true);
        let Some(connection) = self.connection.as_mut() else {
            return Err(sqlx::Error::PoolClosed);
        };
        let result = statement(connection).await;
        match &result {
            Err(error) if is_broken(error) => self.discard(),
            Err(_) => {
                self.failed = true;
                self.open = was_open;
            }
            Ok(_) => self.open = was_open,
        }
        result
    }

    /// Closes the connection, and those that lie idle beside it: what ended one has most likely
    /// ended all.
    fn discard(&mut self) {
        if let Some(connection) = self.connection.take() {
            if let Some(pool) = Object::pool(&connection) {
                pool.retain(|_, _| false);
            }
            drop(Object::take(connection));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open
            && let Some(connection) = self.connection.take()
        {
            drop(Object::take(connection));
        }
    }
}

/// Errors after which a connection is no good: it ended, or the server shuts down, has crashed,
/// starts, or lost its database.
const BROKEN_CLASSES: [&str; 2] = ["08", "57P"];
/// The same one by one: idle inside a transaction for too long, inside a transaction that nobody
/// knows of, on a server that takes no changes any more, statements that were prepared for another
/// schema or got mixed up.
const BROKEN: [&str; 7] = ["25P03", "25P02", "25001", "25006", "0A000", "26000", "42P05"];

/// Whether the connection cannot be used again: it ended, or the server is about to end it.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_broken_code(&code)),
        _ => false,
    }
}

/// The same, by the `SQLSTATE`.
pub(in crate::persistence) fn is_broken_code(code: &str) -> bool {
    BROKEN_CLASSES.iter().any(|class| code.starts_with(class)) || BROKEN.contains(&code)
}

/// A transaction on a server.
pub(in crate::persistence) struct Change(Mutex<Session>);

impl Change {
    pub(in crate::persistence) async fn commit(self) -> Result<(), StoreError> {
        let mut session = self.0.into_inner();
        // The server would undo it and report success.
        if session.failed {
            return Err(StoreError::Uncommitted);
        }
        session
            .run(async |connection| sqlx::raw_sql("COMMIT").execute(connection).await)
            .await
            .map_err(exec)?;
        session.open = false;
        Ok(())
    }

    /// Undoes it, so that the connection can be used again.
    pub(in crate::persistence) async fn undo(self) {
        let mut session = self.0.into_inner();
        let undone =
            session.run(async |connection| sqlx::raw_sql("ROLLBACK").execute(connection).await);
        session.open = undone.await.is_err();
    }
}

#[async_trait]
impl ConnectionTrait for Change {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.lock().await.execute(&statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.lock().await.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.lock().await.one(&statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.lock().await.all(&statement).await
    }
}

/// Takes a connection for each statement. What is read can be read again: a statement on a
/// connection that had ended meanwhile is said once more on another.
pub(in crate::persistence) struct Reader<'a>(&'a Pool);

impl<'a> Reader<'a> {
    pub(super) fn new(pool: &'a Pool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        // Once: it may change something.
        self.0.session().await?.execute(&statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.session().await?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.0.session().await?.one(&statement).await {
            Err(error) if broke(&error) => self.0.session().await?.one(&statement).await,
            answer => answer,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.0.session().await?.all(&statement).await {
            Err(error) if broke(&error) => self.0.session().await?.all(&statement).await,
            answer => answer,
        }
    }
}

impl Session {
    async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, DbErr> {
        let prepared = prepared(statement);
        let done = self.run(async |connection| prepared.execute(connection).await).await;
        done.map(Into::into).map_err(exec)
    }

    async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let plain = sqlx::raw_sql(AssertSqlSafe(sql));
        let done = self.run(async |connection| plain.execute(connection).await).await;
        done.map(Into::into).map_err(exec)
    }

    async fn one(&mut self, statement: &Statement) -> Result<Option<QueryResult>, DbErr> {
        let prepared = prepared(statement);
        let row: Result<Option<PgRow>, _> =
            self.run(async |connection| prepared.fetch_optional(connection).await).await;
        Ok(row.map_err(query)?.map(Into::into))
    }

    async fn all(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let prepared = prepared(statement);
        let rows: Result<Vec<PgRow>, _> =
            self.run(async |connection| prepared.fetch_all(connection).await).await;
        Ok(rows.map_err(query)?.into_iter().map(Into::into).collect())
    }
}

fn prepared(statement: &Statement) -> Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().unwrap_or_else(|| sea_orm::Values(Vec::new()));
    // Built by sea-query: what comes from outside is in the values.
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

fn exec(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
