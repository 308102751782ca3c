//! Limits that several instances share.

use std::{sync::Arc, time::Duration};

use application::{
    limits::BudgetName,
    ports::{Budget, RateLimiter, Taken},
};
use chrono::TimeDelta;
use futures_util::future::join_all;
use infrastructure::redis::{Redis, RedisLimiter};
use testkit::{contract::TestClock, servers::RedisServer};

use super::{Place, config, limiter, until};

const MINUTE: Duration = Duration::from_mins(1);

const LOGIN: Budget = Budget { name: "auth_login", quota: 5, window: MINUTE };

async fn take(limiter: &RedisLimiter, key: &str) -> Taken {
    limiter.take(&LOGIN, key).await.expect("it is counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_calls_at_once_on_three_instances_exactly_the_quota_passes() {
    let place = Place::new();
    let instances: Vec<_> = (1..=3).map(|instance| Arc::new(place.limiter(instance))).collect();
    let calls = (0..200).map(|call| {
        let limiter = Arc::clone(&instances[call % instances.len()]);
        tokio::spawn(async move { take(&limiter, "user:1").await })
    });
    let taken: Vec<Taken> =
        join_all(calls).await.into_iter().map(|call| call.expect("no panic")).collect();
    assert_eq!(taken.iter().filter(|taken| taken.allowed).count(), 5);
    let mut left: Vec<_> = taken.iter().filter(|t| t.allowed).map(|t| t.remaining).collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4]);
    assert!(taken.iter().all(|taken| taken.reset_after <= MINUTE));
}

#[tokio::test]
async fn an_instance_that_is_started_anew_has_forgotten_nothing() {
    let place = Place::new();
    let limiter = place.limiter(1);
    for _ in 0..5 {
        assert!(take(&limiter, "user:1").await.allowed);
    }
    drop(limiter);
    let limiter = place.limiter(2);
    let refused = take(&limiter, "user:1").await;
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert!(refused.reset_after > Duration::ZERO);
}

#[tokio::test]
async fn instances_are_counted_when_they_are_asked_something() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let [one, other, idle] = [1, 2, 3].map(|instance| limiter(redis.clone(), instance));
    take(&one, "a").await;
    until(async || server.command(&["ZCARD", "test:v1:instances"]).is_ok_and(|n| n == "1")).await;
    take(&other, "a").await;
    until(async || other.instances() == 2).await;
    assert_eq!((one.instances(), idle.instances()), (1, 1));
}

#[tokio::test]
async fn an_instance_that_stops_is_no_longer_counted() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let signed =
        |count: &str| server.command(&["ZCARD", "test:v1:instances"]).expect("it") == count;
    let [one, other] = [1, 2].map(|instance| limiter(redis.clone(), instance));
    take(&one, "a").await;
    take(&other, "a").await;
    until(async || signed("2")).await;
    drop(other);
    until(async || signed("1")).await;
    drop(one);
    until(async || signed("0")).await;
}

#[tokio::test]
async fn each_instance_counts_by_itself_who_asks_for_its_health() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let health = Budget { name: BudgetName::Health.as_str(), quota: 2, window: MINUTE };
    let [one, other] = [1, 2].map(|instance| limiter(redis.clone(), instance));
    for (limiter, signed) in [(&one, "1"), (&other, "2")] {
        let mut taken = Vec::new();
        for _ in 0..3 {
            let call = limiter.take(&health, "address:a").await.expect("it is counted");
            taken.push((call.allowed, call.remaining));
        }
        assert_eq!(taken, [(true, 1), (true, 0), (false, 0)]);
        until(async || server.command(&["ZCARD", "test:v1:instances"]).is_ok_and(|n| n == signed))
            .await;
    }
    // They count among those that share the other limits.
    until(async || other.instances() == 2).await;
    let key = "test:v1:limit:health:address:a";
    assert_eq!(server.command(&["EXISTS", key]).expect("an answer"), "0");
}

#[tokio::test]
async fn a_window_in_redis_goes_with_its_time() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let limiter = limiter(redis, 1);
    take(&limiter, "user:1").await;
    let left = |key: &str| {
        server.command(&["PTTL", key]).expect("an answer").parse::<i64>().expect("a number")
    };
    assert!((1..=60_000).contains(&left("test:v1:limit:auth_login:user:1")));
    until(async || server.command(&["EXISTS", "test:v1:instances"]).expect("an answer") == "1")
        .await;
    assert!((1..=30_000).contains(&left("test:v1:instances")));
}

#[tokio::test]
async fn a_call_is_one_command() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let limiter = limiter(redis, 1);
    take(&limiter, "user:1").await;
    until(async || server.command(&["EXISTS", "test:v1:instances"]).expect("an answer") == "1")
        .await;
    let commands = || {
        let statistics = server.command(&["INFO", "commandstats"]).expect("an answer");
        let calls = |line: &str| line.split_once(":calls=")?.1.split(',').next()?.parse().ok();
        // What runs within the script costs no way.
        ["cmdstat_evalsha", "cmdstat_unwatch", "cmdstat_script"].map(|name| {
            let line = statistics.lines().find(|line| line.starts_with(name));
            line.and_then(calls).unwrap_or(0u32)
        })
    };
    let [evaluations, unwatches, scripts] = commands();
    for _ in 0..100 {
        take(&limiter, "user:1").await;
    }
    assert_eq!(commands(), [evaluations + 100, unwatches, scripts]);
}

#[tokio::test]
async fn what_others_wrote_over_a_window_is_no_window() {
    let server = RedisServer::start().expect("a server");
    let redis = Redis::open(&config(&server.url(), "test")).expect("an address");
    let clock = Arc::new(TestClock::at_noon());
    let limiter = limiter(redis.clone(), 1).timed_by(Arc::<TestClock>::clone(&clock));
    let key = "test:v1:limit:auth_login:user:1";
    let now = application::ports::Clock::now(&*clock).timestamp_millis();
    let ahead = format!("{} 5", now + 3_600_000);
    for (poison, allowed) in [
        (vec!["SET", key, "nonsense"], true),
        (vec!["SET", key, "-1 -1"], true),
        (vec!["SET", key, ""], true),
        (vec!["LPUSH", key, "1"], true),
        (vec!["HSET", key, "opened", "1"], true),
        // A window that has yet to begin begins now.
        (vec!["SET", key, ahead.as_str()], false),
    ] {
        server.command(&["DEL", key]).expect("an answer");
        server.command(&poison).expect("an answer");
        let taken = take(&limiter, "user:1").await;
        assert_eq!((taken.allowed, taken.reset_after), (allowed, MINUTE), "{poison:?}");
    }
    clock.advance(TimeDelta::seconds(60));
    assert!(take(&limiter, "user:1").await.allowed, "nobody is locked out for longer");
    server.command(&["SET", "test:v1:instances", "x"]).expect("an answer");
    let second = super::limiter(redis.clone(), 2);
    take(&second, "user:2").await;
    until(async || server.command(&["ZCARD", "test:v1:instances"]).is_ok_and(|n| n == "1")).await;
    assert!(!redis.is_away());
}
