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
