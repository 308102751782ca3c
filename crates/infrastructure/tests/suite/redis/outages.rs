//! A Redis that is lost, frozen, emptied, or not there at all.

use std::{sync::Arc, time::Duration};

use application::ports::{Budget, EventBus as _, Hint, RateLimiter};
use futures_util::future::join_all;
use infrastructure::redis::{Redis, RedisBus, RedisConfig, RedisLimiter, Unavailable};
use testkit::servers::RedisServer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::{config, limiter, until, until_listening};

const LOGIN: Budget = Budget { name: "auth_login", quota: 5, window: Duration::from_mins(1) };

/// Waits for an answer long enough for a busy machine, and not for ever.
fn impatient(server: &RedisServer) -> Redis {
    impatient_at(&server.url())
}

fn impatient_at(url: &str) -> Redis {
    let config = RedisConfig { deadline: Duration::from_secs(1), ..config(url, "test") };
    Redis::open(&config).expect("an address")
}

/// How many of `calls` are allowed; none of them may fail.
async fn allowed(limiter: &RedisLimiter, key: &str, calls: usize) -> usize {
    let taken = join_all((0..calls).map(|_| limiter.take(&LOGIN, key))).await;
    taken.into_iter().filter(|taken| taken.as_ref().expect("it is counted").allowed).count()
}

/// Two instances that know of each other.
async fn pair(server: &RedisServer) -> [(Redis, RedisLimiter); 2] {
    let redis = [impatient(server), impatient(server)];
    let pair = [1, 2].map(|n| (redis[n - 1].clone(), limiter(redis[n - 1].clone(), n as u128)));
    allowed(&pair[0].1, "warm", 1).await;
    until(async || server.command(&["ZCARD", "test:v1:instances"]).is_ok_and(|n| n == "1")).await;
    allowed(&pair[1].1, "warm", 1).await;
    until(async || pair[1].1.instances() == 2).await;
    pair
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_an_instance_grants_its_share_and_afterwards_the_whole_counts_again() {
    let server = RedisServer::start().expect("a server");
    let [_, (redis, limiter)] = pair(&server).await;
    assert_eq!(allowed(&limiter, "before", 2).await, 2);
    server.kill().expect("it runs");
    assert_eq!(allowed(&limiter, "user:1", 20).await, 3, "half of five, rounded up");
    assert!(redis.is_away());
    assert!(matches!(redis.ping().await, Err(Unavailable::Away)), "it is not asked");

    server.come_back().expect("it comes back");
    until(async || !redis.is_away()).await;
    assert_eq!(allowed(&limiter, "user:1", 20).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_keeps_nobody_waiting_twice_and_loses_no_count() {
    let server = RedisServer::start().expect("a server");
    let [_, (redis, limiter)] = pair(&server).await;
    assert_eq!(allowed(&limiter, "user:1", 4).await, 4);
    server.freeze().expect("it runs");
    // The first finds out, after its deadline; from then on nobody asks.
    assert_eq!(allowed(&limiter, "user:2", 1).await, 1);
    assert!(redis.is_away());
    assert!(matches!(redis.ping().await, Err(Unavailable::Away)), "it is not asked");
    assert_eq!(allowed(&limiter, "user:2", 20).await, 2);

    server.thaw().expect("it runs");
    until(async || !redis.is_away()).await;
    assert_eq!(allowed(&limiter, "user:1", 4).await, 1, "the window is the one from before");
}

#[tokio::test]
async fn an_emptied_redis_is_no_fault() {
    let server = RedisServer::start().expect("a server");
    let redis = impatient(&server);
    let (limiter, bus) =
        (limiter(redis.clone(), 1), RedisBus::start(redis.clone(), Uuid::from_u128(1)));
    until_listening(&bus, true).await;
    assert_eq!(allowed(&limiter, "user:1", 6).await, 5);
    server.flush_all().expect("an answer");
    assert_eq!(allowed(&limiter, "user:1", 6).await, 5);
    server.command(&["SCRIPT", "FLUSH"]).expect("an answer");
    assert_eq!(allowed(&limiter, "user:1", 6).await, 0, "the script is brought again");
    assert!(!redis.is_away() && *bus.listening().borrow());
}

#[tokio::test]
async fn a_redis_that_was_restarted_is_used_again() {
    let server = RedisServer::start().expect("a server");
    let redis = impatient(&server);
    let limiter = limiter(redis.clone(), 1);
    assert_eq!(allowed(&limiter, "user:1", 6).await, 5);
    server.kill().expect("it runs");
    server.come_back().expect("it comes back");
    // Whichever connections are left from before: nobody is refused an answer.
    allowed(&limiter, "user:1", 20).await;
    until(async || redis.ping().await.is_ok()).await;
    assert_eq!(allowed(&limiter, "user:2", 6).await, 5);
}

#[tokio::test]
async fn a_redis_that_was_never_there_leaves_everything_to_the_process() {
    let server = RedisServer::start().expect("a server");
    server.kill().expect("it runs");
    let redis = impatient(&server);
    let limiter = limiter(redis.clone(), 1);
    let bus = Arc::new(RedisBus::start(redis.clone(), Uuid::from_u128(1)));
    let mut hints = bus.subscribe();
    bus.publish(Hint::Ready);
    assert_eq!(hints.try_recv(), Ok(Hint::Ready));
    assert_eq!(allowed(&limiter, "user:1", 6).await, 5);
    server.come_back().expect("it comes back");
    until(async || !redis.is_away()).await;
    until_listening(&bus, true).await;
}

#[tokio::test]
async fn a_redis_that_refuses_us_is_away_and_its_password_is_shown_to_nobody() {
    let server = RedisServer::start().expect("a server");
    let password = server.url().split(['@', ':']).nth(2).expect("a password").to_owned();
    let wrong = server.url().replace(&password, "wrong-password");
    let redis = Redis::open(&config(&wrong, "test")).expect("an address");
    let failure = redis.ping().await.expect_err("it refuses");
    let shown = format!("{failure} {failure:?} {redis:?}");
    assert!(!shown.contains("wrong-password"), "{shown}");
    assert!(failure.is_refusal(), "{failure:?}");
    assert_eq!(allowed(&limiter(redis, 1), "user:1", 6).await, 5);
}

#[tokio::test]
async fn a_user_without_password_or_rights_is_told_from_a_redis_that_is_away() {
    let server = RedisServer::start().expect("a server");
    let place = server.url().split_once('@').expect("a password").1.to_owned();
    for rights in ["reader on >pw ~test:* &* +@all -ping", "writer on >pw ~test:* &* +@all -select"]
    {
        let words: Vec<_> = ["ACL", "SETUSER"].into_iter().chain(rights.split(' ')).collect();
        server.command(&words).expect("an answer");
    }
    for (url, refused) in [
        (format!("redis://{place}"), true),
        (format!("redis://{}/3", place.trim_end_matches("/0")), true),
        (format!("redis://reader:pw@{place}"), true),
        (format!("redis://writer:pw@{}/3", place.trim_end_matches("/0")), true),
        (server.url().replace("redis://", "rediss://"), false),
        ("redis://127.0.0.1:1".to_owned(), false),
    ] {
        let failure = impatient_at(&url).ping().await.expect_err(&url);
        assert_eq!(failure.is_refusal(), refused, "{url}: {failure:?}");
    }
}

/// A way to `server` on which every answer takes `delay`, however many are under way.
async fn far_away(server: &RedisServer, delay: Duration) -> String {
    let url = server.url();
    let (before, rest) = url.split_once('@').expect("a password");
    let (place, database) = rest.split_once('/').expect("a database");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let place = place.to_owned();
    tokio::spawn(async move {
        while let Ok((here, _)) = listener.accept().await {
            let (mut asked, mut answers) = here.into_split();
            let there = TcpStream::connect(&place).await.expect("the server");
            let (mut source, mut sink) = there.into_split();
            tokio::spawn(async move { copy(&mut asked, &mut sink).await });
            let (under_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = source.read(&mut buffer).await {
                    let _ = under_way.send((Instant::now() + delay, buffer[..length].to_vec()));
                }
            });
            tokio::spawn(async move {
                while let Some((at, answer)) = arriving.recv().await {
                    sleep_until(at).await;
                    let _ = answers.write_all(&answer).await;
                }
            });
        }
    });
    format!("{before}@{address}/{database}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_at_once_than_connections_switch_no_limit_off() {
    let server = RedisServer::start().expect("a server");
    let url = far_away(&server, Duration::from_millis(50)).await;
    // One after the other they would take half a minute.
    let config =
        RedisConfig { deadline: Duration::from_secs(5), connections: 1, ..config(&url, "test") };
    let redis = Redis::open(&config).expect("an address");
    let limiter = limiter(redis.clone(), 1);
    assert_eq!(allowed(&limiter, "user:1", 600).await, 5);
    assert!(!redis.is_away());
}

#[tokio::test]
async fn a_redis_without_tls_is_no_redis_with_it() {
    let server = RedisServer::start().expect("a server");
    let url = server.url().replace("redis://", "rediss://");
    let failure = impatient_at(&url).ping().await.expect_err("there is no TLS");
    assert!(matches!(failure, Unavailable::Unreachable(_) | Unavailable::Late), "{failure:?}");
}

#[tokio::test]
async fn a_redis_that_takes_nothing_more_is_away_until_it_does() {
    let server = RedisServer::start().expect("a server");
    let redis = impatient(&server);
    let limiter = limiter(redis.clone(), 1);
    assert_eq!(allowed(&limiter, "user:1", 6).await, 5);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).expect("an answer");
    assert_eq!(allowed(&limiter, "user:2", 6).await, 5);
    let refusals = || {
        let statistics = server.command(&["INFO", "errorstats"]).expect("an answer");
        let oom = statistics.split_once("errorstat_OOM:count=").map_or("0", |(_, rest)| rest);
        oom.split(['\r', '\n']).next().and_then(|count| count.parse::<u32>().ok()).unwrap_or(0)
    };
    let before = refusals();
    until(async || {
        assert!(redis.is_away(), "it answers to a ping, and is of no use");
        refusals() >= before + 5
    })
    .await;
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).expect("an answer");
    until(async || !redis.is_away()).await;
    assert_eq!(allowed(&limiter, "user:2", 6).await, 5);
}
