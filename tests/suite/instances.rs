//! Several instances over one PostgreSQL and one Redis act as one.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use black_box_tests::{Account, Service};
use tokio::task::JoinSet;

use crate::{chaos::world::World, marks};

/// How many calls of `GET /api/auth/me` one user has in a minute.
const LIMIT: usize = 137;
const CALLS: usize = 1_000;
/// How many calls are on their way at once.
const AT_ONCE: usize = 30;
const WINDOW: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn three_instances_let_exactly_the_limit_pass() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut apis = Vec::new();
    for number in 1..=3 {
        let setup = world.setup(&format!("api_{number}"))?.as_api()?;
        let limits = format!("auth_me={LIMIT}/minute");
        apis.push(setup.with("RATE_LIMITS", &limits).with("FLOOD_LIMIT", "off").start().await?);
    }
    // A machine that is so busy that the window closes in between is given another chance.
    for attempt in 0..3 {
        let account = apis[0].client().account(&format!("user{attempt}@example.com")).await?;
        let begun = Instant::now();
        let (passed, refused) = call_all(&apis, &account).await?;
        if begun.elapsed() < WINDOW {
            ensure!(
                (passed, refused) == (LIMIT, CALLS - LIMIT),
                "{passed} passed, {refused} were refused"
            );
            return Ok(());
        }
    }
    anyhow::bail!("{CALLS} calls never fitted into a minute")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_taken_by_one_instance_run_by_another_and_watched_on_a_third() -> anyhow::Result<()>
{
    let world = World::new().await?;
    let mut taker = world.setup("taker")?.as_api()?.start().await?;
    let watcher = world.setup("watcher")?.as_api()?.start().await?;
    let account = taker.client().account("ada@example.com").await?;
    let url = world.media.url("talk.wav");
    let fetched = marks::create(&account, &url, "mark").await?.expect(201)?;
    let handed_in = marks::upload(&account, world.recording.wav, "upload").await?.expect(201)?;
    // Nobody runs it yet, and nobody needs the one that took it.
    taker.kill().await?;
    let runner = world.setup("runner")?.as_worker()?.start().await?;
    let account = Account { client: watcher.client().clone(), ..account };
    for job in [fetched, handed_in] {
        let ended = account.until_ended(job.word("id")?).await?;
        ensure!(ended.json["status"] == "completed", "{}\n{}", ended.text, runner.log()?);
        ensure!(ended.word("text")? == world.recording.text, "{}", ended.text);
    }
    let claims = "SELECT DISTINCT who FROM witness.changes
        WHERE relation = 'jobs' AND after ->> 'state' = 'leased'";
    ensure!(world.postgres.run("saas", &[claims])?.trim() == "runner");
    Ok(())
}

/// Asks each instance in turn; returns how many calls passed and how many were over the limit.
async fn call_all(apis: &[Service], account: &Account) -> anyhow::Result<(usize, usize)> {
    let (mut passed, mut refused) = (0, 0);
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        if calls.len() == AT_ONCE {
            count(calls.join_next().await, &mut passed, &mut refused)?;
        }
        let client = apis[number % apis.len()].client().clone();
        let account = Account { client, ..account.clone() };
        calls.spawn(async move { account.get("/api/auth/me").await.map(|answer| answer.status) });
    }
    while let Some(answer) = calls.join_next().await {
        count(Some(answer), &mut passed, &mut refused)?;
    }
    Ok((passed, refused))
}

fn count(
    answer: Option<Result<anyhow::Result<u16>, tokio::task::JoinError>>,
    passed: &mut usize,
    refused: &mut usize,
) -> anyhow::Result<()> {
    match answer.context("a call was made")??? {
        200 => *passed += 1,
        429 => *refused += 1,
        other => anyhow::bail!("a call was answered with {other}"),
    }
    Ok(())
}
