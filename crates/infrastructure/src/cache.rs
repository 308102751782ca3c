//! Accounts kept for a moment, so that a busy caller does not cost a query a request.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use application::ports::{InsertUserError, PortFailure, UserRepository};
use async_trait::async_trait;
use domain::{Email, PasswordDigest, User, UserId};
use moka::future::Cache;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::task::AbortOnDropHandle;

/// What became of accounts elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    /// This one changed.
    One(UserId),
    /// Any may have changed.
    Any,
}

/// Carries the news that an account changed between the instances of a service.
#[async_trait]
pub trait AccountNews: Send + Sync {
    /// Tells the other instances. Returns when they have been told, or cannot be.
    async fn tell(&self, account: UserId);

    /// Listens to what other instances tell.
    fn changes(&self) -> broadcast::Receiver<AccountChange>;
}

/// A [`UserRepository`] whose `find` remembers accounts that exist, for at most a second:
/// a disabled account is let in no longer than that. Absence is never remembered, concurrent
/// misses of one account cost one query, and signing in always asks the inner repository.
///
/// What was read before a change was told is never handed out after it.
pub struct CachedUsers {
    inner: Arc<dyn UserRepository>,
    users: Cache<UserId, Remembered>,
    changes: Arc<Changes>,
    news: Option<Arc<dyn AccountNews>>,
    _listener: Option<AbortOnDropHandle<()>>,
}

/// An account, and how many changes had been told when it was begun to be read.
#[derive(Clone)]
struct Remembered {
    user: User,
    changes: u64,
}

impl CachedUsers {
    /// Longest time an account is remembered.
    pub const MAX_TTL: Duration = Duration::from_secs(1);
    /// Most accounts remembered.
    pub const CAPACITY: u64 = 10_000;
    /// How often a change may come between a query and its answer.
    const TRIES: usize = 3;

    /// Remembers what `inner` finds for `ttl`, at most [`Self::MAX_TTL`].
    pub fn new(inner: Arc<dyn UserRepository>, ttl: Duration) -> Self {
        let users = Cache::builder()
            .max_capacity(Self::CAPACITY)
            .time_to_live(ttl.min(Self::MAX_TTL))
            .build();
        Self { inner, users, changes: Arc::default(), news: None, _listener: None }
    }

    /// Tells other instances what changes here, and forgets at once what changes there. To be
    /// called within the runtime that lives as long as the process.
    #[must_use]
    pub fn sharing(self, news: Arc<dyn AccountNews>) -> Self {
        let heard = listen(news.changes(), Arc::clone(&self.changes));
        let listener = AbortOnDropHandle::new(tokio::spawn(heard));
        Self { news: Some(news), _listener: Some(listener), ..self }
    }

    async fn read(&self, id: UserId) -> Result<Remembered, Miss> {
        let changes = self.changes.of(id);
        match self.inner.find(id).await {
            Ok(Some(user)) => Ok(Remembered { user, changes }),
            Ok(None) => Err(Miss::Absent),
            Err(failure) => Err(Miss::Failed(failure)),
        }
    }

    async fn changed(&self, id: UserId) {
        self.changes.note(AccountChange::One(id));
        if let Some(news) = &self.news {
            news.tell(id).await;
        }
    }
}

#[async_trait]
impl UserRepository for CachedUsers {
    async fn insert(&self, user: &User) -> Result<(), InsertUserError> {
        self.inner.insert(user).await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure> {
        for _ in 0..Self::TRIES {
            let changes = self.changes.of(id);
            match self.users.try_get_with(id, self.read(id)).await {
                // Also what another caller has read, or is still reading, may be from before.
                Ok(found) if found.changes >= changes => return Ok(Some(found.user)),
                Ok(_) => self.users.invalidate(&id).await,
                Err(miss) => return found_nothing(miss),
            }
        }
        self.inner.find(id).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortFailure> {
        self.inner.find_by_email(email).await
    }

    async fn replace_password(
        &self,
        id: UserId,
        old: &PasswordDigest,
        new: &PasswordDigest,
    ) -> Result<(), PortFailure> {
        let replaced = self.inner.replace_password(id, old, new).await;
        // Also after a failure: nothing is known of its outcome.
        self.changed(id).await;
        replaced
    }
}

/// Takes note of what changes elsewhere.
async fn listen(mut heard: broadcast::Receiver<AccountChange>, changes: Arc<Changes>) {
    loop {
        match heard.recv().await {
            Ok(change) => changes.note(change),
            Err(RecvError::Lagged(_)) => changes.note(AccountChange::Any),
            Err(RecvError::Closed) => return,
        }
    }
}

/// How often accounts have changed. Accounts share counters, so that none is needed for each: a
/// change costs some others a query, and a flood of changes no memory.
struct Changes([AtomicU64; Self::COUNTERS]);

impl Changes {
    const COUNTERS: usize = 256;

    fn of(&self, id: UserId) -> u64 {
        self.counter(id).load(Ordering::SeqCst)
    }

    fn note(&self, change: AccountChange) {
        let add = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        match change {
            AccountChange::One(id) => add(self.counter(id)),
            AccountChange::Any => self.0.iter().for_each(add),
        }
    }

    fn counter(&self, id: UserId) -> &AtomicU64 {
        // The last byte is a random one.
        let [.., last] = *id.as_uuid().as_bytes();
        &self.0[usize::from(last)]
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// Why nothing was put into the cache. Shared by all who waited for the same account.
#[derive(Debug)]
enum Miss {
    Absent,
    Failed(PortFailure),
}

fn found_nothing(miss: Arc<Miss>) -> Result<Option<User>, PortFailure> {
    match Arc::try_unwrap(miss) {
        Ok(Miss::Absent) => Ok(None),
        Ok(Miss::Failed(failure)) => Err(failure),
        Err(shared) => match &*shared {
            Miss::Absent => Ok(None),
            Miss::Failed(failure) if failure.is_transient() => {
                Err(PortFailure::transient(failure.operation(), Shared(Arc::clone(&shared))))
            }
            Miss::Failed(failure) => {
                Err(PortFailure::permanent(failure.operation(), Shared(Arc::clone(&shared))))
            }
        },
    }
}

/// The failure of a query that several callers waited for.
#[derive(Debug)]
struct Shared(Arc<Miss>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the query of another caller failed")
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Miss::Absent => None,
            Miss::Failed(failure) => Some(failure),
        }
    }
}
