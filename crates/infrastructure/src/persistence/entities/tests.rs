use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value};

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
