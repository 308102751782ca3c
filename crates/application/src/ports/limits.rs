//! Rate limits.

use std::time::Duration;

use async_trait::async_trait;

use super::PortFailure;

/// How often something may be done in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Its name, such as `auth_login`.
    pub name: &'static str,
    /// How many calls a window holds; at least 1.
    pub quota: u32,
    /// How long a window lasts from its first call.
    pub window: Duration,
}

/// What a call found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether the call is within the quota.
    pub allowed: bool,
    /// How many more calls the window holds.
    pub remaining: u32,
    /// How long the window still lasts.
    pub reset_after: Duration,
}

/// Counts calls in fixed windows that open with the first call of a key.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one call of `key` against `budget`. MUST allow exactly `quota` of any number of
    /// concurrent calls within a window; a refused call does not prolong it.
    async fn take(&self, budget: &Budget, key: &str) -> Result<Taken, PortFailure>;
}
