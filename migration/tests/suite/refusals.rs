//! What is refused, with nothing changed.

use migration::{Back, MigrationError};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::place::{Place, on_every_database, schema};

on_every_database!(
    a_schema_of_a_newer_version_is_read_and_not_changed,
    more_steps_than_there_are_are_not_taken_back,
    who_finds_the_schema_in_use_gives_up,
);

async fn a_schema_of_a_newer_version_is_read_and_not_changed(place: Place) {
    let db = place.connect().await;
    migration::up(&db).await.expect("up");
    let newer = "INSERT INTO seaql_migrations VALUES ('m20991231_000099_telepathy', 1)";
    db.execute_unprepared(newer).await.expect("it runs");
    let before = schema(&db).await;

    let status = migration::status(&db).await.expect("it is read");
    assert_eq!(status.unknown, ["m20991231_000099_telepathy"]);
    assert!(status.pending.is_empty(), "what this version needs is there: {status:?}");
    for refused in [
        migration::up(&db).await,
        migration::down(&db, Back::Steps(1)).await,
        migration::down(&db, Back::All).await,
        migration::fresh(&db).await,
    ] {
        let error = refused.expect_err("it does not know what it would do");
        assert!(matches!(error, MigrationError::Newer(_)), "{error:?}");
        assert!(error.to_string().contains("m20991231_000099_telepathy"), "{error}");
    }
    assert_eq!(schema(&db).await, before);
    assert_eq!(migration::status(&db).await.expect("a status"), status);
}

async fn more_steps_than_there_are_are_not_taken_back(place: Place) {
    let db = place.connect().await;
    let count = migration::up(&db).await.expect("up");
    let before = schema(&db).await;
    let asked = u32::try_from(count + 1).expect("a small number");
    let error = migration::down(&db, Back::Steps(asked)).await.expect_err("too many");
    assert_eq!(
        error.to_string(),
        format!("cannot take {asked} back: {count} applied; nothing was changed")
    );
    assert_eq!(schema(&db).await, before);
}

async fn who_finds_the_schema_in_use_gives_up(place: Place) {
    let db = place.connect().await;
    migration::up(&db).await.expect("up");
    let before = schema(&db).await;
    let another = place.connect().await;
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    // What a service does all the time, but for as long as this test likes.
    let user = another.begin_with_options(options).await.expect("it begins");
    user.execute_unprepared("DELETE FROM jobs").await.expect("it runs");
    let error = migration::down(&db, Back::All).await.expect_err("the table is in use");
    assert!(matches!(error, MigrationError::Busy(_)), "{error:?}");
    user.rollback().await.expect("it ends");
    assert_eq!(schema(&db).await, before);
    migration::down(&db, Back::All).await.expect("and then it goes");
}
