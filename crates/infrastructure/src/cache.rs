//! Accounts kept for a moment, so that a busy caller does not cost a query a request.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use application::ports::{InsertUserError, PortFailure, UserRepository};
use async_trait::async_trait;
use domain::{Email, PasswordDigest, User, UserId};
use moka::future::Cache;

/// A [`UserRepository`] whose `find` remembers accounts that exist, for at most a second:
/// a disabled account is let in no longer than that. Absence is never remembered, concurrent
/// misses of one account cost one query, and signing in always asks the inner repository.
pub struct CachedUsers {
    inner: Arc<dyn UserRepository>,
    users: Cache<UserId, User>,
}

impl CachedUsers {
    /// Longest time an account is remembered.
    pub const MAX_TTL: Duration = Duration::from_secs(1);
    /// Most accounts remembered.
    pub const CAPACITY: u64 = 10_000;

    /// Remembers what `inner` finds for `ttl`, at most [`Self::MAX_TTL`].
    pub fn new(inner: Arc<dyn UserRepository>, ttl: Duration) -> Self {
        let users = Cache::builder()
            .max_capacity(Self::CAPACITY)
            .time_to_live(ttl.min(Self::MAX_TTL))
            .build();
        Self { inner, users }
    }
}

#[async_trait]
impl UserRepository for CachedUsers {
    async fn insert(&self, user: &User) -> Result<(), InsertUserError> {
        self.inner.insert(user).await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure> {
        let load = async {
            match self.inner.find(id).await {
                Ok(Some(user)) => Ok(user),
                Ok(None) => Err(Miss::Absent),
                Err(failure) => Err(Miss::Failed(failure)),
            }
        };
        match self.users.try_get_with(id, load).await {
            Ok(user) => Ok(Some(user)),
            Err(miss) => found_nothing(miss),
        }
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
        self.users.invalidate(&id).await;
        replaced
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
