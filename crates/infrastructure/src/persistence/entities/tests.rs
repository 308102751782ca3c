use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, EntityTrait, IdenStatic, Iterable, Statement, Value,
};

async fn migrated() -> DatabaseConnection {
    let db = migration::connect("sqlite::memory:").await.expect("it connects");
    migration::up(&db).await.expect("the schema is made");
    db
}

async fn strings(db: &DatabaseConnection, sql: &str, values: Vec<Value>) -> Vec<String> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await.expect("the query runs");
    rows.iter().map(|row| row.try_get_by(0).expect("a text")).collect()
}

async fn assert_columns<E: EntityTrait>(db: &DatabaseConnection, entity: E) -> String {
    let table = entity.table_name().to_owned();
    let sql = "SELECT name FROM pragma_table_info(?)";
    let stored = strings(db, sql, vec![table.clone().into()]).await;
    let stored: BTreeSet<&str> = stored.iter().map(String::as_str).collect();
    let mapped: BTreeSet<&str> = E::Column::iter().map(|column| column.as_str()).collect();
    assert_eq!(stored, mapped, "columns of {table}");
    table
}

#[tokio::test]
async fn every_table_has_an_entity_with_the_same_columns() {
    let db = migrated().await;
    let mapped = BTreeSet::from([
        assert_columns(&db, super::users::Entity).await,
        assert_columns(&db, super::transcriptions::Entity).await,
        assert_columns(&db, super::transcripts::Entity).await,
        assert_columns(&db, super::jobs::Entity).await,
        assert_columns(&db, super::tenant_sched::Entity).await,
        assert_columns(&db, super::sched_clock::Entity).await,
        assert_columns(&db, super::submissions::Entity).await,
        assert_columns(&db, super::attempts::Entity).await,
        assert_columns(&db, super::erasures::Entity).await,
        assert_columns(&db, super::pauses::Entity).await,
    ]);
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' \
               AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'";
    let stored: BTreeSet<String> = strings(&db, sql, vec![]).await.into_iter().collect();
    assert_eq!(stored, mapped);
}

/// Instants of the years 0 to 9999, to the microsecond, many of them with a short fraction.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let seconds = -62_167_219_200_i64..253_402_300_799;
    let fraction = prop_oneof![Just(0), (0..1_000_i64).prop_map(|ms| ms * 1_000), 0..1_000_000_i64];
    (seconds, fraction).prop_map(|(seconds, micros)| {
        let whole = DateTime::from_timestamp(seconds, 0).expect("an instant");
        whole + TimeDelta::microseconds(micros)
    })
}

/// What the database thinks of two instants, as they are stored.
async fn compare(db: &DatabaseConnection, a: DateTime<Utc>, b: DateTime<Utc>) -> String {
    let sql = "SELECT CASE WHEN ? < ? THEN 'Less' WHEN ? = ? THEN 'Equal' ELSE 'Greater' END";
    strings(db, sql, vec![a.into(), b.into(), a.into(), b.into()]).await.remove(0)
}

#[test]
fn stored_instants_are_ordered_by_time() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(migrated());
    let config = Config { failure_persistence: None, ..Config::with_cases(300) };
    let near = -2_000_000..2_000_000_i64;
    let held = TestRunner::new(config).run(&(instants(), instants(), near), |(a, far, micros)| {
        for b in [far, a + TimeDelta::microseconds(micros), a] {
            let seen = runtime.block_on(compare(&db, a, b));
            prop_assert_eq!(seen, format!("{:?}", a.cmp(&b)), "{} and {}", a, b);
        }
        Ok(())
    });
    held.expect("the order holds");
}
