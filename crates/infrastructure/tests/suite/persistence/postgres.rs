//! `PostgreSQL` against the contracts of its ports, and what only a server must do.

mod server;

use std::sync::Arc;

use application::ports::Clock;
use infrastructure::persistence::{PostgresConfig, Store, TimeSource};
use testkit::{
    contract::{Stores, TestClock},
    servers::{self, TestDatabase},
};

testkit::job_store_contract!(jobs, super::stores());
testkit::transcription_repository_contract!(transcriptions, super::stores());
testkit::user_repository_contract!(users, async {
    let (store, _, database) = super::fresh().await;
    (Box::new(store), database)
});

async fn stores() -> Stores {
    let (store, clock, database) = fresh().await;
    Stores::new(store, clock, database)
}

async fn fresh() -> (Store, Arc<TestClock>, TestDatabase) {
    let database = migrated().await;
    let clock = Arc::new(TestClock::at_noon());
    let store = open(&database, &clock, TimeSource::Process).await;
    (store, clock, database)
}

/// A database with the schema in it.
pub(super) async fn migrated() -> TestDatabase {
    servers::database("infrastructure", async |url| {
        let db = migration::connect(url).await.expect("it connects");
        migration::up(&db).await.expect("the schema is made");
        db.close().await.expect("it closes");
    })
    .await
}

async fn open(database: &TestDatabase, clock: &Arc<TestClock>, time: TimeSource) -> Store {
    let mut config = PostgresConfig::new(&database.url()).expect("an address");
    config.time = time;
    // Few: every test has connections of its own to one server.
    (config.api_connections, config.engine_connections) = (4, 4);
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    Store::open(config, clock).await.expect("it opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_jobs_of_one_user_do_not_hold_up_another() {
    testkit::contract::jobs::a_newcomer_does_not_wait_for_a_crowd_of(&stores().await, 10_000).await;
}
