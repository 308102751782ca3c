//! The contract suites of the ports, over the in-memory store and the fakes.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use testkit::{
    contract::{Stores, TestClock},
    fakes::WindowLimiter,
    memory::InMemoryStore,
};

testkit::job_store_contract!(jobs, super::stores());
testkit::transcription_repository_contract!(transcriptions, super::stores());
testkit::user_repository_contract!(users, async {
    (Box::new(InMemoryStore::new(Arc::new(TestClock::at_noon()))), ())
});
testkit::rate_limiter_contract!(limits, async {
    let clock = Arc::new(TestClock::at_noon());
    (Box::new(WindowLimiter::new(Arc::<TestClock>::clone(&clock))), clock)
});

fn stores() -> Ready<Stores> {
    let clock = Arc::new(TestClock::at_noon());
    ready(Stores::new(InMemoryStore::new(Arc::<TestClock>::clone(&clock)), clock, ()))
}

#[tokio::test]
async fn ten_thousand_jobs_of_one_user_do_not_hold_up_another() {
    testkit::contract::jobs::a_newcomer_does_not_wait_for_a_crowd_of(&stores().await, 10_000).await;
}
