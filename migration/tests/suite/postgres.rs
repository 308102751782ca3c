//! What holds on PostgreSQL alone.

use sea_orm_migration::sea_orm::{ConnectionTrait, TransactionTrait};

use crate::place::{Place, column};

/// An account, a transcription of it, and its job, leased.
const LEASED: [&str; 3] = [
    "INSERT INTO users VALUES ('00000000-0000-7000-8000-000000000001', 'ada@example.com', NULL,
        'user', true, '!', now(), now())",
    "INSERT INTO transcriptions (id, user_id, video_url, source_kind, source_value, options,
        metadata, engine, status, stage, retry_count, created_at, updated_at)
     VALUES ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'u',
        'media', 'u', '{}', '{}', 'mock', 'processing', 'fetching', 0, now(), now())",
    "INSERT INTO jobs (id, user_id, state, stage, vtime, cost, run_at, failures, crashes, polls,
        epoch, lease_owner, lease_until, deadline_at)
     VALUES ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001',
        'leased', 'fetching', 0, 1, now(), 0, 0, 0, 1, '00000000-0000-7000-8000-000000000003',
        now(), now())",
];

#[tokio::test]
async fn a_heartbeat_touches_no_index() {
    let place = Place::postgres().await;
    let db = place.connect().await;
    migration::up(&db).await.expect("up");
    for statement in LEASED {
        db.execute_unprepared(statement).await.expect("it runs");
    }
    let heartbeat = db.begin().await.expect("it begins");
    for _ in 0..3 {
        let prolong = "UPDATE jobs SET lease_until = lease_until + interval '60 s'
                        WHERE state = 'leased' AND epoch = 1";
        heartbeat.execute_unprepared(prolong).await.expect("it runs");
    }
    let hot = "SELECT pg_stat_get_xact_tuples_hot_updated('jobs'::regclass)";
    assert_eq!(column::<i64>(&heartbeat, hot).await, [3]);
}

#[tokio::test]
async fn live_jobs_have_room_on_their_pages_and_are_cleared_away_by_number() {
    let place = Place::postgres().await;
    let db = place.connect().await;
    migration::up(&db).await.expect("up");
    let options = "SELECT unnest(reloptions) FROM pg_class WHERE relname = 'jobs' ORDER BY 1";
    assert_eq!(
        column::<String>(&db, options).await,
        ["autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=500", "fillfactor=80",]
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_known_to_be_away() {
    // Nobody listens there, and nobody is waited for: the name of no host.
    let nowhere = migration::connect("postgres://saas-ia@saas-ia.invalid:1/saas-ia").await;
    let error = nowhere.expect_err("there is no such host");
    assert!(error.is_away(), "{error:?}");
}
