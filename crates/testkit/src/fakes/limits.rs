//! Rate limits: none, and fixed windows over a clock that a test moves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use application::ports::{Budget, Clock, PortFailure, RateLimiter, Taken};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::lock;

/// Allows every call and counts none.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnlimitedLimiter;

#[async_trait]
impl RateLimiter for UnlimitedLimiter {
    async fn take(&self, budget: &Budget, _key: &str) -> Result<Taken, PortFailure> {
        Ok(Taken { allowed: true, remaining: budget.quota, reset_after: budget.window })
    }
}

struct Window {
    opened_at: DateTime<Utc>,
    calls: u32,
}

/// Counts calls in windows that open with the first call of a key.
pub struct WindowLimiter {
    clock: Arc<dyn Clock>,
    windows: Mutex<HashMap<(&'static str, String), Window>>,
}

impl WindowLimiter {
    /// Counts by the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, windows: Mutex::default() }
    }
}

#[async_trait]
impl RateLimiter for WindowLimiter {
    async fn take(&self, budget: &Budget, key: &str) -> Result<Taken, PortFailure> {
        let length = TimeDelta::from_std(budget.window)
            .map_err(|error| PortFailure::permanent("limits.take", error))?;
        let mut windows = lock(&self.windows);
        let now = self.clock.now();
        let fresh = || Window { opened_at: now, calls: 0 };
        let window = windows.entry((budget.name, key.to_owned())).or_insert_with(fresh);
        if now - window.opened_at >= length {
            *window = fresh();
        }
        let allowed = window.calls < budget.quota;
        window.calls += u32::from(allowed);
        let left = window.opened_at + length - now;
        Ok(Taken {
            allowed,
            remaining: budget.quota - window.calls,
            reset_after: left.to_std().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ManualClock, WindowLimiter};
    use application::ports::{Budget, RateLimiter};
    use chrono::TimeDelta;
    use std::{sync::Arc, time::Duration};

    const LOGIN: Budget = Budget { name: "login", quota: 2, window: Duration::from_mins(1) };

    #[tokio::test]
    async fn a_window_opens_with_the_first_call_and_a_refused_call_does_not_prolong_it() {
        let clock = Arc::new(ManualClock::default());
        let limiter = WindowLimiter::new(clock.clone());
        let take = async || limiter.take(&LOGIN, "a").await.unwrap();
        assert_eq!((take().await.remaining, take().await.remaining), (1, 0));
        clock.advance(TimeDelta::seconds(59));
        let refused = take().await;
        assert!(!refused.allowed);
        assert_eq!(refused.reset_after, Duration::from_secs(1));
        clock.advance(TimeDelta::seconds(1));
        assert!(take().await.allowed);
    }

    #[tokio::test]
    async fn keys_and_budgets_are_counted_apart() {
        let limiter = WindowLimiter::new(Arc::new(ManualClock::default()));
        let single = Budget { quota: 1, ..LOGIN };
        let other = Budget { name: "other", ..single };
        for (budget, key, allowed) in
            [(single, "a", true), (single, "a", false), (single, "b", true), (other, "a", true)]
        {
            assert_eq!(limiter.take(&budget, key).await.unwrap().allowed, allowed);
        }
    }
}
