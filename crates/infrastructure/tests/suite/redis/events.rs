//! Hints between instances.

use application::ports::{EventBus, Hint, Hints};
use domain::TranscriptionId;
use infrastructure::redis::{Redis, RedisBus};
use testkit::servers::RedisServer;
use tokio::{sync::broadcast::error::TryRecvError, time::timeout};
use uuid::Uuid;

use super::{PATIENCE, Place, config, until_listening};

fn id(number: u128) -> TranscriptionId {
    TranscriptionId::from_uuid(Uuid::from_u128(number))
}

async fn next(hints: &mut Hints) -> Hint {
    timeout(PATIENCE, hints.recv()).await.expect("in time").expect("nothing was missed")
}

#[tokio::test]
async fn instances_hear_each_other_and_nobody_hears_a_hint_twice() {
    let place = Place::new();
    let (one, other) = (place.bus(1).await, place.bus(2).await);
    let (mut here, mut there) = (one.subscribe(), other.subscribe());
    let told = [Hint::Changed(id(1)), Hint::Ended(id(2)), Hint::Ready];
    for hint in told {
        one.publish(hint);
    }
    for hint in told {
        assert_eq!(next(&mut there).await, hint);
        assert_eq!(here.try_recv(), Ok(hint));
    }
    // An answer comes after everything that could have come back.
    other.publish(Hint::Changed(id(3)));
    assert_eq!(next(&mut here).await, Hint::Changed(id(3)));
    assert_eq!(here.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(next(&mut there).await, Hint::Changed(id(3)));
    assert_eq!(there.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test]
async fn installations_on_databases_of_one_redis_do_not_hear_each_other() {
    let server = RedisServer::start().expect("a server");
    let bus = async |database: u128, instance| {
        let url = server.url().trim_end_matches('0').to_owned() + &database.to_string();
        let redis = Redis::open(&config(&url, "test")).expect("an address");
        let bus = RedisBus::start(redis, Uuid::from_u128(instance));
        until_listening(&bus, true).await;
        bus
    };
    let (one, friend, stranger) = (bus(1, 1).await, bus(1, 2).await, bus(2, 3).await);
    let (mut there, mut elsewhere) = (friend.subscribe(), stranger.subscribe());
    one.publish(Hint::Changed(id(1)));
    assert_eq!(next(&mut there).await, Hint::Changed(id(1)));
    let second = bus(2, 4).await;
    second.publish(Hint::Changed(id(2)));
    assert_eq!(next(&mut elsewhere).await, Hint::Changed(id(2)));
}

#[tokio::test]
async fn what_is_no_message_of_ours_is_not_heard() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let bus = RedisBus::start(redis, Uuid::from_u128(1));
    until_listening(&bus, true).await;
    let mut hints = bus.subscribe();
    let tell = |message: &str| {
        let heard = server.command(&["PUBLISH", "test:v1:news:0", message]).expect("an answer");
        assert_eq!(heard, "1");
    };
    tell("");
    tell("ready");
    tell("not-a-uuid ready");
    tell(&format!("{} changed:nobody ended: {}", Uuid::from_u128(2), "x".repeat(100_000)));
    tell(&format!("{} nonsense changed:{}", Uuid::from_u128(2), id(7)));
    assert_eq!(next(&mut hints).await, Hint::Changed(id(7)));
}

#[tokio::test]
async fn after_a_gap_jobs_are_looked_for() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let bus = RedisBus::start(redis, Uuid::from_u128(1));
    until_listening(&bus, true).await;
    let mut hints = bus.subscribe();
    server.kill().expect("it runs");
    until_listening(&bus, false).await;
    // Without Redis the parts of this process still hear each other.
    bus.publish(Hint::Changed(id(1)));
    assert_eq!(hints.try_recv(), Ok(Hint::Changed(id(1))));
    server.come_back().expect("it comes back");
    until_listening(&bus, true).await;
    assert_eq!(next(&mut hints).await, Hint::Ready);
}
