//! Why Redis did not do something.

use deadpool::managed::{PoolError, TimeoutType};
use deadpool_redis::redis::{ErrorKind, RedisError};

/// Why Redis did not do something.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// It was not asked: it has been found to be away.
    #[error("Redis is away")]
    Away,
    /// It was not asked: this process has more to ask than it has connections.
    #[error("no connection to Redis was free in time")]
    Busy,
    /// It did not answer in time.
    #[error("Redis did not answer in time")]
    Late,
    /// There is no connection.
    #[error("no connection to Redis: {0}")]
    Unreachable(PoolError<RedisError>),
    /// It refused, or the connection broke.
    #[error("Redis refused or was lost: {0}")]
    Failed(#[from] RedisError),
}

impl Unavailable {
    /// Whether it is there, and lets us not do what we must: that does not pass by itself.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Unreachable(PoolError::Backend(error)) | Self::Failed(error) => is_refusal(error),
            Self::Unreachable(_) | Self::Away | Self::Busy | Self::Late => false,
        }
    }
}

impl From<PoolError<RedisError>> for Unavailable {
    fn from(error: PoolError<RedisError>) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            other => Self::Unreachable(other),
        }
    }
}

/// Whether an error says that the password, the user or his rights are not the right ones.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    let coded = matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    // Without a code of its own: what is refused within a script, and when a database is chosen.
    let sentences = ["The user executing the script", "Authentication required", "no permissions"];
    let text = error.to_string();
    error.kind() == ErrorKind::AuthenticationFailed
        || coded
        || sentences.iter().any(|sentence| text.contains(sentence))
}
