//! The adapters over a real Redis: against the contracts of their ports, between instances, and
//! with a Redis that is lost, frozen or emptied.

mod accounts;
mod events;
mod limits;
mod outages;

use std::{sync::Arc, time::Duration};

use infrastructure::{
    limits::InProcessLimiter,
    redis::{Redis, RedisBus, RedisConfig, RedisLimiter},
    system::SystemClock,
};
use testkit::{contract::TestClock, servers};
use uuid::Uuid;

/// Longest time that a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the tests talk to Redis: patient where nothing is to be lost, so that a busy machine is
/// not taken for a Redis that is away.
fn config(url: &str, namespace: &str) -> RedisConfig {
    RedisConfig {
        namespace: namespace.trim_end_matches(':').to_owned(),
        deadline: Duration::from_secs(10),
        pause: Duration::from_millis(20),
        ..RedisConfig::new(url)
    }
}

/// A share of the common Redis, as one test has it for itself.
struct Place(RedisConfig);

impl Place {
    fn new() -> Self {
        let share = servers::redis();
        Self(config(share.url(), share.prefix()))
    }

    /// The way there of one more instance.
    fn redis(&self) -> Redis {
        Redis::open(&self.0).expect("an address of Redis")
    }

    fn limiter(&self, instance: u128) -> RedisLimiter {
        limiter(self.redis(), instance)
    }

    async fn bus(&self, instance: u128) -> RedisBus {
        let bus = RedisBus::start(self.redis(), Uuid::from_u128(instance));
        until_listening(&bus, true).await;
        bus
    }
}

fn limiter(redis: Redis, instance: u128) -> RedisLimiter {
    let alone = InProcessLimiter::new(Arc::new(SystemClock));
    RedisLimiter::new(redis, alone, Uuid::from_u128(instance))
}

fn limiter_and_clock() -> (Box<RedisLimiter>, Arc<TestClock>) {
    let clock = Arc::new(TestClock::at_noon());
    let limiter = Place::new().limiter(1).timed_by(Arc::<TestClock>::clone(&clock));
    (Box::new(limiter), clock)
}

async fn until_listening(bus: &RedisBus, listening: bool) {
    let mut states = bus.listening();
    let reached = tokio::time::timeout(PATIENCE, states.wait_for(|state| *state == listening));
    reached.await.expect("in time").expect("the bus lives");
}

/// Waits until something is so.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

testkit::rate_limiter_contract!(limiter_contract, async { limiter_and_clock() });
testkit::event_bus_contract!(bus_contract, async {
    let bus = Place::new().bus(1).await;
    (Box::new(bus), ())
});
