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
use infrastructure::cache::{AccountChange, AccountNews, CachedUsers};
use testkit::{contract::TestClock, memory::InMemoryStore};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::noon;

/// One account at most, counted queries, and failures on demand.
#[derive(Default)]
struct OneUser {
    user: Mutex<Option<User>>,
    failing: Mutex<bool>,
    queries: AtomicU32,
    /// Holds up the answer of the next query.
    holding: Mutex<Option<Arc<Notify>>>,
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
        let found = self.user.lock().unwrap().clone().filter(|user| user.parts().id == id);
        let holding = self.holding.lock().unwrap().take();
        if let Some(answer) = holding {
            answer.notified().await;
        }
        Ok(found)
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

/// News that a test spreads by hand.
struct ByHand {
    told: Mutex<Vec<UserId>>,
    changes: broadcast::Sender<AccountChange>,
}

#[async_trait]
impl AccountNews for ByHand {
    async fn tell(&self, account: UserId) {
        self.told.lock().unwrap().push(account);
    }

    fn changes(&self) -> broadcast::Receiver<AccountChange> {
        self.changes.subscribe()
    }
}

fn shared() -> (Arc<OneUser>, Arc<ByHand>, Arc<CachedUsers>) {
    let news = Arc::new(ByHand { told: Mutex::default(), changes: broadcast::Sender::new(2) });
    let (inner, users) = cached(CachedUsers::MAX_TTL);
    (inner, Arc::clone(&news), Arc::new(users.sharing(news)))
}

/// Lets the tasks of a runtime of one thread do what they can do now.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn is_active(users: &CachedUsers) -> bool {
    users.find(id()).await.unwrap().unwrap().parts().is_active
}

#[tokio::test]
async fn a_change_that_another_instance_tells_of_is_seen_at_once() {
    for change in [AccountChange::One(id()), AccountChange::Any] {
        let (inner, news, users) = shared();
        users.insert(&bob()).await.unwrap();
        assert!(is_active(&users).await && is_active(&users).await);
        assert_eq!(inner.queries(), 1);
        inner.disable();
        news.changes.send(change).unwrap();
        settle().await;
        assert!(!is_active(&users).await, "{change:?}");
    }
}

#[tokio::test]
async fn more_news_than_can_be_followed_make_everything_forgotten() {
    let (inner, news, users) = shared();
    users.insert(&bob()).await.unwrap();
    assert!(is_active(&users).await);
    inner.disable();
    for other in 2..10 {
        news.changes.send(AccountChange::One(UserId::from_uuid(Uuid::from_u128(other)))).unwrap();
    }
    settle().await;
    assert!(!is_active(&users).await);
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_handed_out_after_it() {
    let (inner, news, users) = shared();
    users.insert(&bob()).await.unwrap();
    let answer = Arc::new(Notify::new());
    *inner.holding.lock().unwrap() = Some(Arc::clone(&answer));
    let finder = |users: &Arc<CachedUsers>| {
        let users = Arc::clone(users);
        tokio::spawn(async move { is_active(&users).await })
    };
    let early = finder(&users);
    settle().await;
    inner.disable();
    news.changes.send(AccountChange::One(id())).unwrap();
    settle().await;
    // Waits for the query of the early one, which has read what was.
    let late = finder(&users);
    settle().await;
    answer.notify_one();
    assert!(!late.await.unwrap());
    early.await.unwrap();
    assert!(!is_active(&users).await);
}

#[tokio::test]
async fn a_change_is_told_to_the_other_instances() {
    let (_inner, news, users) = shared();
    users.insert(&bob()).await.unwrap();
    let (old, new) = (PasswordDigest::new("old"), PasswordDigest::new("new"));
    users.replace_password(id(), &old, &new).await.unwrap();
    assert_eq!(*news.told.lock().unwrap(), [id()]);
}

testkit::user_repository_contract!(cached_users_contract, async {
    let store = Arc::new(InMemoryStore::new(Arc::new(TestClock::at_noon())));
    (Arc::new(CachedUsers::new(store, CachedUsers::MAX_TTL)), ())
});
