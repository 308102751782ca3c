//! Up, down, and up again.

use migration::{Back, Status};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::place::{Place, column, on_every_database, schema};

on_every_database!(
    every_step_goes_up_and_down_and_up_again,
    all_steps_together_leave_nothing_behind,
    taking_the_steps_again_changes_nothing,
    looking_at_a_schema_changes_nothing,
    a_fresh_schema_is_empty_and_leaves_what_is_not_of_it,
    a_step_that_fails_leaves_nothing_of_those_before_it,
);

async fn status(db: &DatabaseConnection) -> Status {
    migration::status(db).await.expect("a status")
}

async fn every_step_goes_up_and_down_and_up_again(place: Place) {
    let db = place.connect().await;
    let count = migration::up(&db).await.expect("up");
    let complete = schema(&db).await;
    let mut before = complete.clone();
    for back in 1..=u32::try_from(count).expect("a small number") {
        assert_eq!(migration::down(&db, Back::Steps(1)).await.expect("down"), 1);
        let now = schema(&db).await;
        let pending = status(&db).await.pending;
        assert_eq!(pending.len(), usize::try_from(back).expect("a small number"));
        let is_for_another = pending[0].ends_with("_storage")
            && !complete.iter().any(|line| line.contains("fillfactor"));
        assert!(now != before || is_for_another, "{} takes something back", pending[0]);
        before = now;

        // And from here all the way up again.
        let again = place.connect().await;
        assert_eq!(migration::up(&again).await.expect("up").to_string(), back.to_string());
        assert_eq!(schema(&again).await, complete, "after {back} down and up");
        assert_eq!(migration::down(&again, Back::Steps(back)).await.expect("down"), pending.len());
        assert_eq!(schema(&again).await, before);
    }
}

async fn all_steps_together_leave_nothing_behind(place: Place) {
    let db = place.connect().await;
    let count = migration::up(&db).await.expect("up");
    let complete = schema(&db).await;
    assert!(complete.len() > 10, "{complete:?}");
    assert_eq!(migration::down(&db, Back::All).await.expect("down"), count);
    assert_eq!(schema(&db).await, [""; 0]);
    assert_eq!(migration::down(&db, Back::All).await.expect("nothing to do"), 0);
    assert_eq!(migration::up(&db).await.expect("up"), count);
    assert_eq!(schema(&db).await, complete);
}

async fn taking_the_steps_again_changes_nothing(place: Place) {
    let db = place.connect().await;
    assert!(migration::up(&db).await.expect("up") > 0);
    let complete = schema(&db).await;
    assert_eq!(migration::up(&db).await.expect("up"), 0);
    assert_eq!(schema(&db).await, complete);
}

async fn looking_at_a_schema_changes_nothing(place: Place) {
    let db = place.connect().await;
    let empty = status(&db).await;
    assert_eq!((empty.applied.len(), empty.unknown.len()), (0, 0));
    assert!(!empty.pending.is_empty());
    assert_eq!(column::<i64>(&db, tables(&db)).await, [0], "not even the record of the steps");

    migration::up(&db).await.expect("up");
    let complete = status(&db).await;
    assert_eq!(complete.applied, empty.pending, "in the same order");
    assert_eq!((complete.pending.len(), complete.unknown.len()), (0, 0));
}

fn tables(db: &DatabaseConnection) -> &'static str {
    match db.get_database_backend() {
        sea_orm_migration::sea_orm::DbBackend::Sqlite => "SELECT count(*) FROM sqlite_schema",
        _ => "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
    }
}

async fn a_fresh_schema_is_empty_and_leaves_what_is_not_of_it(place: Place) {
    let db = place.connect().await;
    let count = migration::up(&db).await.expect("up");
    let complete = schema(&db).await;
    for statement in [
        "CREATE TABLE notes (line INTEGER NOT NULL)",
        "INSERT INTO notes VALUES (7)",
        "INSERT INTO engine_pauses VALUES
            ('mock', 'provider_auth', '2026-01-01 00:00:00+00:00', '2026-01-01 00:05:00+00:00')",
    ] {
        db.execute_unprepared(statement).await.expect("it runs");
    }
    assert_eq!(column::<i64>(&db, "SELECT count(*) FROM engine_pauses").await, [1]);
    assert_eq!(migration::fresh(&db).await.expect("fresh"), count);
    assert_eq!(column::<i64>(&db, "SELECT count(*) FROM engine_pauses").await, [0]);
    assert_eq!(column::<i32>(&db, "SELECT line FROM notes").await, [7]);
    db.execute_unprepared("DROP TABLE notes").await.expect("it runs");
    assert_eq!(schema(&db).await, complete);
}

async fn a_step_that_fails_leaves_nothing_of_those_before_it(place: Place) {
    let db = place.connect().await;
    // The place of a table of a later step is taken.
    db.execute_unprepared("CREATE TABLE erasures (line INTEGER)").await.expect("it runs");
    let before = schema(&db).await;
    let error = migration::up(&db).await.expect_err("the table is there already");
    assert!(matches!(error, migration::MigrationError::Database(_)), "{error:?}");
    assert!(!error.is_away(), "{error:?}");
    assert_eq!(schema(&db).await, before);
    assert_eq!(status(&db).await.applied, [""; 0]);

    db.execute_unprepared("DROP TABLE erasures").await.expect("it runs");
    migration::up(&db).await.expect("and then they are taken");
}
