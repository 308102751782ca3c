use std::{sync::Arc, time::Duration};

use application::ports::{ClaimRequest, Claimed, Clock, JobStore, StepEffects, UserRepository};
use chrono::TimeDelta;
use domain::{Failure, FailureCode, Stage, Step, WorkerId};
use sea_orm::{EntityTrait, QueryOrder};
use tempfile::TempDir;
use testkit::contract::{TestClock, a_transcription, a_user};
use uuid::Uuid;

use crate::persistence::{
    SqliteConfig,
    entities::attempts,
    store::{Lane, Store},
};

async fn store() -> (Store, Arc<TestClock>, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(TestClock::at_noon());
    let config = SqliteConfig::new(directory.path().join("saas-ia.db"));
    let store = Store::open(config, Arc::<TestClock>::clone(&clock)).await;
    let store = store.expect("it opens");
    migration::up(store.connection()).await.expect("the schema is made");
    let user = a_user(clock.now());
    store.insert(&user).await.expect("it is stored");
    let queued = a_transcription(user.parts().id, clock.now());
    store.enqueue(&queued).await.expect("it is queued");
    (store, clock, directory)
}

async fn claim(store: &Store) -> Claimed {
    let request = ClaimRequest {
        worker: WorkerId::from_uuid(Uuid::from_u128(1)),
        slots: 1,
        lease: Duration::from_mins(1),
        per_owner: 1,
        provider_cap: Some(1),
    };
    store.claim(&request).await.expect("it is claimed").pop().expect("the job is ready")
}

async fn step(store: &Store, step: Step) {
    let lease = claim(store).await.lease;
    store.commit(&lease, step, StepEffects::default()).await.expect("it is applied");
}

async fn history(store: &Store) -> Vec<(i64, String, Option<String>)> {
    let lines = attempts::Entity::find().order_by_asc(attempts::Column::Id);
    let lines = lines.all(&store.reader(Lane::Api)).await.expect("it is read");
    lines.into_iter().map(|line| (line.epoch, line.outcome, line.code)).collect()
}

#[tokio::test]
async fn the_history_says_how_each_claim_ended_and_is_forgotten_after_a_month() {
    let (store, clock, _directory) = store().await;
    let failure = Failure::new(FailureCode::SourceUnreachable, Stage::Fetching);
    step(&store, Step::Release).await;
    step(&store, Step::Retry { failure: failure.clone(), run_at: clock.now() }).await;
    store.tick(9).await.expect("it is promoted");
    claim(&store).await;
    clock.advance(TimeDelta::minutes(2));
    store.tick(9).await.expect("it is reaped");
    step(&store, Step::Fail(failure)).await;
    let code = Some("source_unreachable".to_owned());
    let expected = [
        (1, "release".to_owned(), None),
        (2, "retry".to_owned(), code.clone()),
        (3, "crash".to_owned(), None),
        (4, "fail".to_owned(), code),
    ];
    assert_eq!(history(&store).await, expected);

    clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    store.tick(9).await.expect("it is pruned");
    assert_eq!(history(&store).await, expected[2..], "two of them are older than the others");
    clock.advance(TimeDelta::seconds(2));
    store.tick(9).await.expect("it is pruned");
    assert_eq!(history(&store).await, []);
}

#[tokio::test]
async fn the_connections_that_read_cannot_write() {
    let (store, _, _directory) = store().await;
    let refused = attempts::Entity::delete_many().exec(&store.reader(Lane::Api)).await;
    let refused = refused.expect_err("it is refused").to_string();
    assert!(refused.contains("readonly"), "{refused}");
}
