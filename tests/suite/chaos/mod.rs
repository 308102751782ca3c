//! What survives when everything fails in turn, under load: processes are killed and frozen,
//! PostgreSQL and Redis are killed, restarted and cut off. Afterwards the rules of
//! [`checker::Rule`] are held against what the clients were told, what the engine accepted, and
//! what a witness in the database saw.
//!
//! A killed server of PostgreSQL recovers from what it had forced to disk; the machine stays up, so
//! this shows nothing about power failures. `CHAOS_SECONDS` says how long things go wrong, and
//! `CHAOS_SEED` repeats the faults and the load of a run, though not its timing.

mod checker;
mod faults;
mod history;
mod load;
mod witness;
pub(crate) mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use black_box_tests::{Chance, workspace};
use tokio::time::{Instant, sleep};

use self::{
    checker::{Rule, Violation, check, lost_leases},
    faults::{Fault, Hits},
    history::{Accepted, Change, History},
    load::Load,
    world::{LEASE, Process, World, apart, clients},
};

const SECONDS: u64 = 60;
const USERS: usize = 4;
/// How long it may take until all has come to rest. Not an expectation.
const REST: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_no_job_is_lost_and_none_takes_effect_twice() -> anyhow::Result<()> {
    let span = workspace::variable("CHAOS_SECONDS").and_then(|text| text.into_string().ok());
    let span =
        span.map_or(Ok(SECONDS), |text| text.parse()).context("CHAOS_SECONDS is a number")?;
    let mut chance = Chance::from_environment();
    let world = World::new().await?;
    let mut apis = vec![world.api("api_1").await?, world.api("api_2").await?];
    let mut workers = Vec::new();
    for number in 1..=3 {
        workers.push(world.worker(&format!("worker_{number}"), LEASE).await?);
    }
    let load = Load::start(&world, &clients(&apis), USERS, &mut chance).await?;
    let span = Duration::from_secs(span);
    let hits = faults::rage(&world, &mut apis, &mut workers, span, &mut chance).await?;

    let history = come_to_rest(&world, load, &mut workers[0]).await;
    let history = history.with_context(|| logs(&apis, &workers))?;
    let violations = check(&history);
    report(&history, &hits, &workers);
    ensure!(violations.is_empty(), "{}\n{}", told(&history, &violations), logs(&apis, &workers));
    ensure!(history.accepted.len() >= USERS * 4, "hardly anything was done: nothing was tested");
    for fault in [Fault::KillWorker, Fault::FreezeWorker, Fault::StealLeases] {
        let met = hits.get(&fault).map_or(0, |hits| hits.met);
        ensure!(met > 0, "{fault:?} never met a job that was held: nothing was tested");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_leases_are_taken_away_changes_nothing_more() -> anyhow::Result<()> {
    let mut scene = Scene::new().await?;
    let mut stolen = 0;
    let end = Instant::now() + Duration::from_secs(15);
    while Instant::now() < end {
        stolen += scene.steal().await?;
        sleep(LEASE / 4).await;
    }
    let history = come_to_rest(&scene.world, scene.load, &mut scene.former).await?;
    let violations = check(&history);
    ensure!(violations.is_empty(), "{}", told(&history, &violations));
    let refused = scene.former.service.log()?.matches("\"lease_lost\"").count();
    println!("{stolen} leases were taken from a holder that worked on; {refused} noticed");
    ensure!(refused > 0, "no holder that had lost its lease tried anything: nothing was tested");
    Ok(())
}

/// Shows that the checker sees what the fence is there for.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_fence_the_checker_finds_out() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    witness::remove_the_fence(&scene.world.postgres)?;
    let end = Instant::now() + Duration::from_mins(1);
    let found = loop {
        scene.steal().await?;
        sleep(LEASE / 4).await;
        let history = History { changes: changes(&scene.world).await?, ..History::default() };
        let violations = check(&history);
        let stale = violations.into_iter().find(|found| found.rule == Rule::OnlyTheHolderActs);
        if let Some(found) = stale {
            break found;
        }
        ensure!(Instant::now() < end, "the checker saw nothing");
    };
    println!("{found}");
    scene.load.stop().await;
    Ok(())
}

/// A worker whose leases are long, so that it does not notice by itself that it has lost them, and
/// one that takes over at once.
struct Scene {
    world: World,
    former: Process,
    _others: [Process; 2],
    load: Load,
}

impl Scene {
    async fn new() -> anyhow::Result<Self> {
        let world = World::new().await?;
        let api = world.api("api_1").await?;
        let former = world.worker("worker_1", LEASE * 30).await?;
        let latter = world.worker("worker_2", LEASE).await?;
        let apis = [api.service.client().clone()];
        let mut chance = Chance::from_environment();
        let load = Load::start(&world, &apis, USERS, &mut chance).await?;
        Ok(Self { world, former, _others: [api, latter], load })
    }

    async fn steal(&self) -> anyhow::Result<usize> {
        let (postgres, name) = (Arc::clone(&self.world.postgres), self.former.name.clone());
        apart(move || witness::steal_leases(&postgres, &name)).await
    }
}

/// Waits until nothing moves any more, and gathers what is known.
async fn come_to_rest(world: &World, load: Load, worker: &mut Process) -> anyhow::Result<History> {
    let mut history = History::default();
    for user in load.stop().await {
        user.finish(REST, world.recording.text, &mut history).await?;
    }
    worker.service.terminate(REST).await?;
    world.let_an_hour_pass()?;
    worker.service.restart().await?;
    let deadline = Instant::now() + REST;
    loop {
        history.left = world.left().await?;
        if history.left.is_empty() || Instant::now() > deadline {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    history.changes = changes(world).await?;
    for entry in world.engine.ledger() {
        let mark = entry.params["keyterms_prompt"][0].as_str().context("a mark")?.to_owned();
        history.accepted.push(Accepted { mark, at: entry.at.timestamp_micros() });
    }
    Ok(history)
}

async fn changes(world: &World) -> anyhow::Result<Vec<Change>> {
    let postgres = Arc::clone(&world.postgres);
    apart(move || witness::changes(&postgres)).await
}

/// The violations, and everything that the witness saw of the jobs that they are about.
fn told(history: &History, violations: &[Violation]) -> String {
    let mut lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
    for change in &history.changes {
        if violations.iter().any(|violation| violation.what.contains(&change.job)) {
            lines.push(format!("{} {change}", change.job));
        }
    }
    lines.join("\n")
}

fn logs(apis: &[Process], workers: &[Process]) -> String {
    let log = |process: &Process| {
        let log = process.service.log_or_empty();
        let loud: Vec<_> = log.lines().filter(|line| !line.contains("\"INFO\"")).collect();
        format!("{}:\n{}\n", process.name, loud.join("\n"))
    };
    apis.iter().chain(workers).map(log).collect()
}

fn report(history: &History, hits: &BTreeMap<Fault, Hits>, workers: &[Process]) {
    for (fault, Hits { times, met }) in hits {
        println!("{fault:?}: {times} times, met {met}");
    }
    let mut ends = BTreeMap::<String, usize>::new();
    for asked in history.asked.values() {
        let end = asked.end.as_ref().map(|end| match &end.code {
            Some(code) => code.clone(),
            None => end.status.clone(),
        });
        *ends.entry(end.unwrap_or_else(|| "not there".to_owned())).or_default() += 1;
    }
    let accepted = history.asked.values().filter(|asked| asked.id.is_some()).count();
    let all: Vec<&Change> = history.changes.iter().collect();
    let logs = workers.iter().map(|worker| worker.service.log_or_empty());
    let noticed: usize = logs.map(|log| log.matches("\"lease_lost\"").count()).sum();
    println!(
        "{} asked for, {accepted} accepted, {ends:?}; {} reads; {} changes seen; {} leases lost, \
         {noticed} noticed by who had held them; {} accepted by the engine",
        history.asked.len(),
        history.reads.iter().map(Vec::len).sum::<usize>(),
        history.changes.len(),
        lost_leases(&all),
        history.accepted.len(),
    );
}
