//! Whether the service can do its work.

use async_trait::async_trait;

/// The state of one thing that the service depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: `database`, `migrations`, `disk`, `engine`, `jobs`.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// Whether the service is not ready without it.
    pub required: bool,
    /// A word on it that may be shown to anyone.
    pub detail: String,
}

/// Looks at what the service depends on.
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// Looks at everything, each with a deadline of a few seconds.
    async fn check(&self) -> Vec<Check>;
}
