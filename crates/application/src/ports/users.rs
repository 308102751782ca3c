//! Accounts.

use async_trait::async_trait;
use domain::{Email, PasswordDigest, User, UserId};

use super::PortFailure;

/// Why an account was not stored.
#[derive(Debug, thiserror::Error)]
pub enum InsertUserError {
    /// The address already has an account.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

/// Keeps accounts.
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Stores a new account.
    ///
    /// # Errors
    /// MUST return [`InsertUserError::EmailTaken`] to all but one of several concurrent calls
    /// with one address, and store one account.
    async fn insert(&self, user: &User) -> Result<(), InsertUserError>;

    /// Finds an account by its identifier.
    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure>;

    /// Finds an account by its address.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortFailure>;

    /// Replaces the digest `old` by `new`. MUST change nothing, without an error, when another
    /// digest is stored meanwhile.
    async fn replace_password(
        &self,
        id: UserId,
        old: &PasswordDigest,
        new: &PasswordDigest,
    ) -> Result<(), PortFailure>;
}
