//! What every [`RateLimiter`] must do.

use std::time::Duration;

use application::ports::{Budget, RateLimiter, Taken};
use chrono::TimeDelta;
use futures_util::future::join_all;

use super::TestClock;

const MINUTE: Duration = Duration::from_mins(1);

const BUDGET: Budget = Budget { name: "contract", quota: 3, window: MINUTE };

async fn take(limiter: &dyn RateLimiter, budget: &Budget, key: &str) -> Taken {
    limiter.take(budget, key).await.expect("it is counted")
}

/// A window holds exactly its quota and says how much is left, and for how long.
pub async fn a_window_holds_its_quota(limiter: &dyn RateLimiter, _clock: &TestClock) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        let taken = take(limiter, &BUDGET, "key").await;
        assert_eq!(taken.reset_after, MINUTE);
        seen.push((taken.allowed, taken.remaining));
    }
    assert_eq!(seen, [(true, 2), (true, 1), (true, 0), (false, 0), (false, 0)]);
}

/// Many calls at once are allowed no more than one after the other.
pub async fn a_quota_is_exact_under_concurrency(limiter: &dyn RateLimiter, _clock: &TestClock) {
    let budget = Budget { quota: 50, ..BUDGET };
    let calls = join_all((0..200).map(|_| take(limiter, &budget, "key"))).await;
    assert_eq!(calls.iter().filter(|taken| taken.allowed).count(), 50);
}

/// A window lasts from its first call, not from a full minute of the clock, and then a new one
/// opens with the next call.
pub async fn a_window_opens_with_the_first_call(limiter: &dyn RateLimiter, clock: &TestClock) {
    clock.advance(TimeDelta::seconds(17));
    take(limiter, &BUDGET, "key").await;
    clock.advance(TimeDelta::seconds(59));
    let late = take(limiter, &BUDGET, "key").await;
    assert_eq!((late.remaining, late.reset_after), (1, Duration::from_secs(1)));
    clock.advance(TimeDelta::seconds(1));
    let fresh = take(limiter, &BUDGET, "key").await;
    assert_eq!((fresh.allowed, fresh.remaining, fresh.reset_after), (true, 2, MINUTE));
}

/// Who keeps knocking is let in when the window ends.
pub async fn a_refused_call_does_not_prolong_the_window(
    limiter: &dyn RateLimiter,
    clock: &TestClock,
) {
    for _ in 0..3 {
        assert!(take(limiter, &BUDGET, "key").await.allowed);
    }
    for second in 1..60 {
        clock.advance(TimeDelta::seconds(1));
        let refused = take(limiter, &BUDGET, "key").await;
        assert!(!refused.allowed);
        assert_eq!(refused.reset_after, Duration::from_secs(60 - second));
    }
    clock.advance(TimeDelta::seconds(1));
    assert!(take(limiter, &BUDGET, "key").await.allowed);
}

/// Neither another's calls nor those of another kind count.
pub async fn keys_and_budgets_are_counted_apart(limiter: &dyn RateLimiter, _clock: &TestClock) {
    let other = Budget { name: "contract_other", ..BUDGET };
    for _ in 0..4 {
        take(limiter, &BUDGET, "key").await;
    }
    assert_eq!(take(limiter, &BUDGET, "other key").await.remaining, 2);
    assert_eq!(take(limiter, &other, "key").await.remaining, 2);
}
