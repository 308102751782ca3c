//! Fixed windows in memory.

use std::{sync::Arc, time::Duration};

use application::ports::{Budget, RateLimiter, Taken};
use chrono::TimeDelta;
use infrastructure::limits::InProcessLimiter;

use super::ManualClock;

const LOGIN: Budget = Budget { name: "auth_login", quota: 5, window: Duration::from_mins(1) };

fn limiter(capacity: usize) -> (Arc<ManualClock>, InProcessLimiter) {
    let clock = Arc::new(ManualClock::at_noon());
    (Arc::clone(&clock), InProcessLimiter::with_capacity(clock, capacity))
}

async fn take(limiter: &InProcessLimiter, key: &str) -> Taken {
    limiter.take(&LOGIN, key).await.unwrap()
}

#[tokio::test]
async fn six_calls_five_seconds_apart_end_in_a_refusal_with_the_true_delay() {
    let (clock, limiter) = limiter(100);
    for (call, remaining) in (0..5).zip([4, 3, 2, 1, 0]) {
        let reset_after = Duration::from_secs(60 - 5 * call);
        assert_eq!(take(&limiter, "a").await, Taken { allowed: true, remaining, reset_after });
        clock.advance(TimeDelta::seconds(5));
    }
    let refused = take(&limiter, "a").await;
    let reset_after = Duration::from_secs(35);
    assert_eq!(refused, Taken { allowed: false, remaining: 0, reset_after });
}

#[tokio::test]
async fn a_window_opens_again_when_it_has_ended_and_refusals_do_not_prolong_it() {
    let (clock, limiter) = limiter(100);
    for _ in 0..50 {
        take(&limiter, "a").await;
        clock.advance(TimeDelta::seconds(1));
    }
    clock.advance(TimeDelta::milliseconds(9_999));
    assert!(!take(&limiter, "a").await.allowed);
    clock.advance(TimeDelta::milliseconds(1));
    let reset_after = Duration::from_mins(1);
    assert_eq!(take(&limiter, "a").await, Taken { allowed: true, remaining: 4, reset_after });
}

#[tokio::test]
async fn keys_and_budgets_are_counted_apart() {
    let (_clock, limiter) = limiter(100);
    for _ in 0..6 {
        take(&limiter, "a").await;
    }
    assert!(take(&limiter, "b").await.allowed);
    let other = Budget { name: "auth_register", ..LOGIN };
    assert!(limiter.take(&other, "a").await.unwrap().allowed);
    assert!(!take(&limiter, "a").await.allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_concurrent_calls_exactly_the_quota_passes() {
    let (_clock, limiter) = limiter(100);
    let limiter = Arc::new(limiter);
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { take(&limiter, "a").await.allowed })
        })
        .collect();
    let mut allowed = 0;
    for call in calls {
        allowed += u32::from(call.await.unwrap());
    }
    assert_eq!(allowed, LOGIN.quota);
}

#[tokio::test]
async fn memory_is_bounded_and_the_oldest_windows_make_room() {
    let (_clock, limiter) = limiter(100);
    for _ in 0..6 {
        take(&limiter, "0").await;
    }
    for key in 1..100 {
        take(&limiter, &key.to_string()).await;
    }
    assert!(!take(&limiter, "0").await.allowed);
    for key in 100..10_000 {
        take(&limiter, &key.to_string()).await;
    }
    assert_eq!(limiter.kept(), 100);
    assert_eq!(take(&limiter, "9999").await.remaining, 3);
}

#[tokio::test]
async fn a_flood_on_one_budget_does_not_make_another_forget() {
    let (_clock, limiter) = limiter(10);
    for _ in 0..6 {
        take(&limiter, "a").await;
    }
    let health = Budget { name: "health", ..LOGIN };
    for key in 0..1_000 {
        limiter.take(&health, &key.to_string()).await.unwrap();
    }
    assert!(!take(&limiter, "a").await.allowed);
}

#[tokio::test]
async fn ended_windows_are_dropped() {
    let (clock, limiter) = limiter(1_000);
    for key in 0..1_000 {
        take(&limiter, &key.to_string()).await;
    }
    clock.advance(TimeDelta::seconds(60));
    take(&limiter, "another").await;
    assert_eq!(limiter.kept(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_locks_nobody_out() {
    let (clock, limiter) = limiter(100);
    for _ in 0..6 {
        take(&limiter, "a").await;
    }
    clock.advance(TimeDelta::days(-1));
    let refused = take(&limiter, "a").await;
    assert_eq!((refused.allowed, refused.reset_after), (false, Duration::from_mins(1)));
    clock.advance(TimeDelta::seconds(60));
    assert!(take(&limiter, "a").await.allowed);
}
