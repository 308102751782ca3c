//! Passwords and tokens.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{PasswordDigest, UserId};

use super::PortFailure;

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are being hashed; try again later.
    #[error("too many passwords are being hashed")]
    Overloaded {
        /// When a place will be free, by estimate.
        retry_after: Duration,
    },
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

/// What a password check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whether the password is right.
    pub matches: bool,
    /// Whether the digest is of an older scheme, key or cost and should be made anew.
    pub outdated: bool,
}

/// Hashes passwords, off the async threads and few at a time.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Makes a digest of every character of `password`.
    async fn hash(&self, password: &str) -> Result<PasswordDigest, HashError>;

    /// Checks `password`, of any length, against `digest`. MUST cost one hash also when `digest`
    /// is `None` (no such account, or none that may sign in) and then not match.
    async fn verify(
        &self,
        password: &str,
        digest: Option<&PasswordDigest>,
    ) -> Result<Verified, HashError>;
}

/// A token that was issued.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// How long it is valid.
    pub expires_in: Duration,
}

/// Why a token is not accepted. The cause is for the log; callers are told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub &'static str);

/// Issues and checks access tokens. Both are computations: no I/O.
pub trait TokenIssuer: Send + Sync {
    /// Issues an access token for `user`.
    ///
    /// # Errors
    /// [`PortFailure`] when signing fails.
    fn issue(&self, user: UserId, now: DateTime<Utc>) -> Result<IssuedToken, PortFailure>;

    /// Whose token it is, if it is one of ours, for access, and in time.
    ///
    /// # Errors
    /// [`TokenError`] otherwise.
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<UserId, TokenError>;
}
