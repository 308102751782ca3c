//! Passwords and tokens without cryptography: fast, countable, and safe for nothing.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use application::ports::{
    HashError, IssuedToken, PasswordHasher, PortFailure, TokenError, TokenIssuer, Verified,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{PasswordDigest, UserId};

use super::lock;

/// Keeps passwords as they are, salted with a number, and counts what real hashes would cost.
#[derive(Debug, Default)]
pub struct PlainHasher {
    hashes: AtomicU64,
    overloaded: Mutex<Option<Duration>>,
}

impl PlainHasher {
    const CURRENT: &str = "plain";
    const OUTDATED: &str = "outdated";

    /// How many hashes were computed, by [`PasswordHasher::hash`] and by
    /// [`PasswordHasher::verify`].
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// Refuses every call as overloaded, until [`Self::relieve`].
    pub fn overload(&self, retry_after: Duration) {
        *lock(&self.overloaded) = Some(retry_after);
    }

    /// Works again.
    pub fn relieve(&self) {
        *lock(&self.overloaded) = None;
    }

    /// A digest of `password` that matches and is reported as outdated.
    pub fn outdated_digest(password: &str) -> PasswordDigest {
        PasswordDigest::new(format!("{}$0${password}", Self::OUTDATED))
    }

    /// Counts one hash and returns its number.
    fn cost(&self) -> Result<u64, HashError> {
        match *lock(&self.overloaded) {
            Some(retry_after) => Err(HashError::Overloaded { retry_after }),
            None => Ok(self.hashes.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

#[async_trait]
impl PasswordHasher for PlainHasher {
    async fn hash(&self, password: &str) -> Result<PasswordDigest, HashError> {
        let salt = self.cost()?;
        Ok(PasswordDigest::new(format!("{}${salt}${password}", Self::CURRENT)))
    }

    async fn verify(
        &self,
        password: &str,
        digest: Option<&PasswordDigest>,
    ) -> Result<Verified, HashError> {
        self.cost()?;
        let mut parts = digest.map_or("", PasswordDigest::expose).splitn(3, '$');
        let scheme = parts.next();
        let kept = parts.nth(1);
        Ok(Verified { matches: kept == Some(password), outdated: scheme == Some(Self::OUTDATED) })
    }
}

/// Issues tokens that say nothing, and remembers whose they are. Accepts none but its own.
#[derive(Debug)]
pub struct PlainTokens {
    instance: u64,
    lifetime: Duration,
    issued: Mutex<HashMap<String, (UserId, DateTime<Utc>)>>,
}

impl PlainTokens {
    /// Tokens that are valid for `lifetime`.
    pub fn lasting(lifetime: Duration) -> Self {
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self { instance, lifetime, issued: Mutex::default() }
    }
}

impl Default for PlainTokens {
    /// Tokens that are valid for thirty minutes.
    fn default() -> Self {
        Self::lasting(Duration::from_mins(30))
    }
}

impl TokenIssuer for PlainTokens {
    fn issue(&self, user: UserId, now: DateTime<Utc>) -> Result<IssuedToken, PortFailure> {
        let lifetime = TimeDelta::from_std(self.lifetime)
            .map_err(|error| PortFailure::permanent("tokens.issue", error))?;
        let mut issued = lock(&self.issued);
        // The number stands there twice, so that no altered token is another one.
        let number = issued.len();
        let token = format!("plain-token-{}-{number}-{number}", self.instance);
        issued.insert(token.clone(), (user, now + lifetime));
        Ok(IssuedToken { token, expires_in: self.lifetime })
    }

    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<UserId, TokenError> {
        match lock(&self.issued).get(token) {
            Some((user, expires_at)) if now < *expires_at => Ok(*user),
            Some(_) => Err(TokenError("the token has expired")),
            None => Err(TokenError("the token is not one of ours")),
        }
    }
}
