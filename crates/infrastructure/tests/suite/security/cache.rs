//! Accounts that are remembered for a moment.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use application::ports::{InsertUserError, PortFailure, UserRepository};
use async_trait::async_trait;
use domain::{Email, PasswordDigest, User, UserId, UserParts};
use futures_util::future::join_all;
use infrastructure::cache::CachedUsers;
use uuid::Uuid;

use super::noon;

/// One account at most, counted queries, and failures on demand.
#[derive(Default)]
struct OneUser {
    user: Mutex<Option<User>>,
    failing: Mutex<bool>,
    queries: AtomicU32,
}

impl OneUser {
    fn disable(&self) {
        let mut user = self.user.lock().unwrap();
        let parts = user.as_ref().unwrap().parts().clone();
        *user = Some(User::restore(UserParts { is_active: false, ..parts }));
    }

    fn queries(&self) -> u32 {
        self.queries.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl UserRepository for OneUser {
    async fn insert(&self, user: &User) -> Result<(), InsertUserError> {
        *self.user.lock().unwrap() = Some(user.clone());
        Ok(())
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure> {
        self.queries.fetch_add(1, Ordering::SeqCst);
        // Gives concurrent callers the chance to come while this one is asking.
        tokio::task::yield_now().await;
        if *self.failing.lock().unwrap() {
            return Err(PortFailure::transient("users.find", "away"));
        }
        Ok(self.user.lock().unwrap().clone().filter(|user| user.parts().id == id))
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortFailure> {
        self.queries.fetch_add(1, Ordering::SeqCst);
        Ok(self.user.lock().unwrap().clone().filter(|user| user.parts().email == *email))
    }

    async fn replace_password(
        &self,
        _id: UserId,
        _old: &PasswordDigest,
        new: &PasswordDigest,
    ) -> Result<(), PortFailure> {
        let mut user = self.user.lock().unwrap();
        let parts = user.as_ref().unwrap().parts().clone();
        *user = Some(User::restore(UserParts { password: new.clone(), ..parts }));
        Ok(())
    }
}

fn id() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

fn email() -> Email {
    Email::parse("bob@example.com").unwrap()
}

fn bob() -> User {
    User::register(id(), email(), None, PasswordDigest::new("old"), noon())
}

fn cached(ttl: Duration) -> (Arc<OneUser>, CachedUsers) {
    let inner = Arc::new(OneUser::default());
    (Arc::clone(&inner), CachedUsers::new(inner, ttl))
}

#[tokio::test]
async fn concurrent_misses_of_one_account_cost_one_query() {
    let (inner, users) = cached(Duration::from_secs(1));
    users.insert(&bob()).await.unwrap();
    let found = join_all((0..50).map(|_| users.find(id()))).await;
    assert!(found.into_iter().all(|found| found.unwrap() == Some(bob())));
    assert_eq!(inner.queries(), 1);
}

#[tokio::test]
async fn an_account_that_was_just_opened_is_found() {
    let (_inner, users) = cached(Duration::from_secs(1));
    assert_eq!(users.find(id()).await.unwrap(), None);
    users.insert(&bob()).await.unwrap();
    assert_eq!(users.find(id()).await.unwrap(), Some(bob()));
}

#[tokio::test]
async fn a_new_password_is_seen_at_once() {
    let (_inner, users) = cached(Duration::from_secs(1));
    users.insert(&bob()).await.unwrap();
    users.find(id()).await.unwrap();
    let fresh = PasswordDigest::new("new");
    users.replace_password(id(), &PasswordDigest::new("old"), &fresh).await.unwrap();
    assert_eq!(users.find(id()).await.unwrap().unwrap().parts().password, fresh);
}

#[tokio::test]
async fn a_change_made_elsewhere_is_seen_when_the_moment_has_passed() {
    let (inner, users) = cached(Duration::from_millis(20));
    users.insert(&bob()).await.unwrap();
    users.find(id()).await.unwrap();
    inner.disable();
    while users.find(id()).await.unwrap().unwrap().parts().is_active {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn signing_in_always_asks_the_repository() {
    let (inner, users) = cached(Duration::from_secs(1));
    users.insert(&bob()).await.unwrap();
    users.find(id()).await.unwrap();
    inner.disable();
    let found = users.find_by_email(&email()).await.unwrap().unwrap();
    assert!(!found.parts().is_active);
}

#[tokio::test]
async fn a_failure_reaches_everyone_who_waited_and_is_not_remembered() {
    let (inner, users) = cached(Duration::from_secs(1));
    users.insert(&bob()).await.unwrap();
    *inner.failing.lock().unwrap() = true;
    for outcome in join_all((0..10).map(|_| users.find(id()))).await {
        let failure = outcome.unwrap_err();
        assert!(failure.is_transient());
        assert_eq!(failure.operation(), "users.find");
    }
    *inner.failing.lock().unwrap() = false;
    assert_eq!(users.find(id()).await.unwrap(), Some(bob()));
}
