//! How `SQLite` runs the queries that are asked all the time: through an index, and without
//! sorting.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{CallbackDigest, Cursor, ListFilter, PageRequest, TranscriptionId, UserId};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QuerySelect, QueryTrait, Select,
    Statement,
};
use uuid::Uuid;

use super::{claim, erase, found, polls, submissions, tick};
use crate::persistence::transcriptions;

async fn migrated() -> DatabaseConnection {
    let db = migration::connect("sqlite::memory:").await.expect("it connects");
    migration::up(&db).await.expect("the schema is made");
    db
}

async fn assert_plan<E: EntityTrait>(select: Select<E>, index: &str) {
    let db = migrated().await;
    let Statement { sql, values, .. } = select.build(DbBackend::Sqlite);
    let explained = Statement {
        sql: format!("EXPLAIN QUERY PLAN {sql}"),
        values,
        db_backend: DbBackend::Sqlite,
    };
    let rows = db.query_all_raw(explained).await.expect("it is explained");
    let plan: Vec<String> =
        rows.iter().map(|row| row.try_get("", "detail").expect("a text")).collect();
    assert!(plan.iter().any(|line| line.contains(&format!("USING INDEX {index}"))), "{plan:?}");
    assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:?}");
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

#[tokio::test]
async fn the_queue_is_walked_through_its_index() {
    let shut_out = HashMap::from([(Uuid::from_u128(1), 2), (Uuid::from_u128(2), 1)]);
    for (room, leased, behind) in [
        (9, HashMap::new(), None),
        (9, shut_out.clone(), None),
        (0, shut_out, Some((1.5, Uuid::from_u128(3)))),
    ] {
        let limits = claim::Limits { per_owner: 2, room, leased };
        assert_plan(claim::queue(&limits, behind).limit(64), "ix_jobs_ready").await;
    }
}

#[tokio::test]
async fn what_is_due_is_found_through_its_index() {
    assert_plan(tick::scheduled(64, now()), "ix_jobs_due").await;
    assert_plan(polls::waiting(64, now()), "ix_jobs_due").await;
    for state in tick::DUE {
        assert_plan(tick::next_in(state), "ix_jobs_due").await;
    }
    assert_plan(erase::at("engine", 32, now()), "ix_erasures_due").await;
}

#[tokio::test]
async fn what_took_too_long_is_found_through_its_index() {
    assert_plan(tick::past_deadline(64, now()), "ix_jobs_deadline").await;
    assert_plan(tick::past_await(64, now()), "ix_jobs_await").await;
}

#[tokio::test]
async fn submissions_are_found_through_their_indexes() {
    let callback = CallbackDigest::from_bytes([7; 32]);
    assert_plan(found::under(&callback), "ix_provider_submissions_callback").await;
    assert_plan(found::named("engine", "name"), "ix_provider_submissions_provider").await;
    let lost = found::lost("engine", now(), 64);
    assert_plan(lost, "ix_provider_submissions_unresolved").await;
    assert_plan(found::duplicates(), "ix_provider_submissions_duplicates").await;
    let forgotten = submissions::forgotten(64, now());
    assert_plan(forgotten, "ix_provider_submissions_forgotten").await;
    let of_job = submissions::of_job(Uuid::from_u128(1));
    assert_plan(of_job, "ix_provider_submissions_seq").await;
}

#[tokio::test]
async fn a_page_is_read_through_the_index_of_its_owner() {
    let owner = UserId::from_uuid(Uuid::from_u128(1));
    let cursor = Cursor { created_at: now(), id: TranscriptionId::from_uuid(Uuid::from_u128(2)) };
    let filter = ListFilter { created_after: Some(now()), ..ListFilter::default() };
    for (filter, after) in
        [(ListFilter::default(), None), (ListFilter::default(), Some(cursor)), (filter, None)]
    {
        let page = PageRequest { after, ..PageRequest::default() };
        let rows = transcriptions::on_page(owner, &filter, &page);
        assert_plan(rows, "ix_transcriptions_user_newest").await;
    }
}
