//! Accounts that change on another instance.

use std::sync::Arc;

use application::ports::{Clock, UserRepository};
use domain::PasswordDigest;
use infrastructure::{
    cache::{AccountChange, AccountNews as _, CachedUsers},
    redis::{Redis, RedisBus},
};
use testkit::{
    contract::{TestClock, a_user},
    memory::InMemoryStore,
    servers::RedisServer,
};
use tokio::time::timeout;
use uuid::Uuid;

use super::{PATIENCE, Place, config, until_listening};

/// An instance of a service over `store`.
fn instance(store: &Arc<InMemoryStore>, bus: &Arc<RedisBus>) -> CachedUsers {
    let store = Arc::<InMemoryStore>::clone(store);
    CachedUsers::new(store, CachedUsers::MAX_TTL).sharing(Arc::<RedisBus>::clone(bus))
}

/// Lets the tasks of a runtime of one thread do what they can do now.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_new_password_is_in_force_on_every_instance() {
    let place = Place::new();
    let clock = Arc::new(TestClock::at_noon());
    let store = Arc::new(InMemoryStore::new(Arc::<TestClock>::clone(&clock)));
    let buses = [Arc::new(place.bus(1).await), Arc::new(place.bus(2).await)];
    let [here, there] = [&buses[0], &buses[1]].map(|bus| instance(&store, bus));
    let (user, fresh) = (a_user(clock.now()), PasswordDigest::new("fresh"));
    let id = user.parts().id;
    here.insert(&user).await.expect("it is stored");
    assert_eq!(there.find(id).await.expect("it is read").as_ref(), Some(&user));

    let mut heard = buses[1].changes();
    here.replace_password(id, &user.parts().password, &fresh).await.expect("it is replaced");
    let change = timeout(PATIENCE, heard.recv()).await.expect("in time").expect("news");
    assert_eq!(change, AccountChange::One(id));
    settle().await;
    let found = there.find(id).await.expect("it is read").expect("it is there");
    assert_eq!(found.parts().password, fresh);
}

#[tokio::test]
async fn after_a_gap_no_account_is_taken_from_memory() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let bus = RedisBus::start(redis, Uuid::from_u128(1));
    until_listening(&bus, true).await;
    let mut heard = bus.changes();
    server.kill().expect("it runs");
    until_listening(&bus, false).await;
    // Nobody can be told, and nobody is kept waiting for it.
    bus.tell(a_user(TestClock::at_noon().now()).parts().id).await;
    server.come_back().expect("it comes back");
    let change = timeout(PATIENCE, heard.recv()).await.expect("in time").expect("news");
    assert_eq!(change, AccountChange::Any);
}

#[tokio::test]
async fn nothing_about_an_account_but_its_identifier_is_in_redis() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let bus = Arc::new(RedisBus::start(redis, Uuid::from_u128(1)));
    let clock = Arc::new(TestClock::at_noon());
    let store = Arc::new(InMemoryStore::new(Arc::<TestClock>::clone(&clock)));
    let users = instance(&store, &bus);
    let user = a_user(clock.now());
    let id = user.parts().id;
    users.insert(&user).await.expect("it is stored");
    users.find(id).await.expect("it is read");
    let fresh = PasswordDigest::new("fresh");
    users.replace_password(id, &user.parts().password, &fresh).await.expect("it is replaced");
    assert_eq!(server.command(&["DBSIZE"]).expect("an answer"), "0");
}
