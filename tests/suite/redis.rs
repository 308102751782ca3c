//! Several instances over one Redis, and the same instances without it.

use std::time::Duration;

use anyhow::ensure;
use black_box_tests::{Service, Setup, service::PATIENCE};
use serde_json::Value;
use testkit::servers::RedisServer;
use tokio::time::{Instant, sleep};

const NOBODY: &str = "nobody@example.com";

/// An instance with limits, a database of its own, and the Redis of all.
async fn instance(server: &RedisServer) -> anyhow::Result<Service> {
    let setup = Setup::new()?
        .with("REDIS_URL", &server.url())
        .with("LOG_LEVEL", "info")
        // Waiting is not to use a budget up.
        .with("RATE_LIMITS", "health=off,transcription_get=off");
    setup.start().await
}

/// What the readiness report says of Redis; the instance is ready whatever it says.
async fn redis(service: &Service) -> anyhow::Result<bool> {
    let ready = service.client().get("/health/ready", None).await?.expect(200)?;
    let checks = ready.json["checks"].as_array().cloned().unwrap_or_default();
    let redis = checks.iter().find(|check| check["name"] == "redis");
    Ok(redis.and_then(|check| check["ok"].as_bool()) == Some(true))
}

async fn until_redis(service: &Service, there: bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while redis(service).await? != there {
        ensure!(Instant::now() < deadline, "{}", service.log_or_empty());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn count(service: &Service, event: &str) -> anyhow::Result<usize> {
    let is_it = |line: &str| {
        serde_json::from_str::<Value>(line)
            .is_ok_and(|line| line["event"] == event || line["fields"]["event"] == event)
    };
    Ok(service.log()?.lines().filter(|line| is_it(line)).count())
}

#[tokio::test]
async fn instances_share_a_limit_and_a_restart_forgets_nothing() -> anyhow::Result<()> {
    let server = RedisServer::start()?;
    let (mut one, other) = (instance(&server).await?, instance(&server).await?);
    until_redis(&one, true).await?;
    until_redis(&other, true).await?;
    for call in 0..5 {
        let service = if call % 2 == 0 { &one } else { &other };
        service.client().login(NOBODY, "wrong").await?.expect(401)?;
    }
    for service in [&one, &other] {
        service.client().login(NOBODY, "wrong").await?.expect(429)?;
    }
    one.kill().await?;
    one.restart().await?;
    one.client().login(NOBODY, "wrong").await?.expect(429)?;
    Ok(())
}

#[tokio::test]
async fn without_redis_everybody_is_served_and_counted() -> anyhow::Result<()> {
    let server = RedisServer::start()?;
    let service = instance(&server).await?;
    until_redis(&service, true).await?;
    server.kill()?;
    for _ in 0..5 {
        service.client().login(NOBODY, "wrong").await?.expect(401)?;
    }
    service.client().login(NOBODY, "wrong").await?.expect(429)?;
    until_redis(&service, false).await?;
    server.come_back()?;
    until_redis(&service, true).await?;
    let (lost, back) = (count(&service, "redis_unavailable")?, count(&service, "redis_back")?);
    ensure!(lost == back && (1..5).contains(&lost), "told {lost} times: {}", service.log()?);
    let (url, log) = (server.url(), service.log()?);
    let password = url.split(['@', ':']).nth(2).expect("a password");
    ensure!(!log.contains(password), "a password got into the log:\n{log}");
    Ok(())
}

#[tokio::test]
async fn a_frozen_redis_stops_neither_requests_nor_jobs() -> anyhow::Result<()> {
    let server = RedisServer::start()?;
    let service = instance(&server).await?;
    until_redis(&service, true).await?;
    let account = service.client().account("someone@example.com").await?;
    server.freeze()?;
    let created = account.create("https://media.example.com/talk.mp3").await?.expect(201)?;
    let ended = account.until_ended(created.word("id")?).await?;
    ensure!(ended.word("status")? == "completed", "{}", service.log()?);
    until_redis(&service, false).await?;
    server.thaw()?;
    until_redis(&service, true).await
}
