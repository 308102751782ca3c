//! What goes wrong.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use black_box_tests::Chance;
use testkit::assemblyai::{Endpoint, Fault as Answer};
use tokio::time::{Instant, sleep};

use super::{
    witness,
    world::{LEASE, Process, World, apart},
};

/// How long a fault waits for something to meet.
const AIM: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// `kill -9` of a process that runs jobs.
    KillWorker,
    /// `kill -9` of a process that serves the API.
    KillApi,
    /// A process that runs jobs stands still for longer than its leases, and then goes on.
    FreezeWorker,
    /// The leases of a process that works on are taken from it.
    StealLeases,
    RestartPostgres,
    /// `kill -9` of the server of PostgreSQL.
    KillPostgres,
    /// Every connection to PostgreSQL ends.
    EndSessions,
    /// `kill -9` of Redis.
    KillRedis,
    FlushRedis,
    /// Redis stands still, its connections open.
    FreezeRedis,
}

impl Fault {
    pub(super) const ALL: [Self; 10] = [
        Self::KillWorker,
        Self::KillApi,
        Self::FreezeWorker,
        Self::StealLeases,
        Self::RestartPostgres,
        Self::KillPostgres,
        Self::EndSessions,
        Self::KillRedis,
        Self::FlushRedis,
        Self::FreezeRedis,
    ];
}

/// How often something went wrong, and how much of what runs it met.
#[derive(Debug, Default)]
pub(super) struct Hits {
    pub(super) times: usize,
    /// Jobs that the process held; connections that were open.
    pub(super) met: usize,
}

/// Lets things go wrong until the time is up and each has happened, in turns, in an order of chance.
pub(super) async fn rage(
    world: &World,
    apis: &mut [Process],
    workers: &mut [Process],
    span: Duration,
    chance: &mut Chance,
) -> anyhow::Result<BTreeMap<Fault, Hits>> {
    let mut hits = BTreeMap::<Fault, Hits>::new();
    let (end, mut waiting) = (Instant::now() + span, Vec::new());
    // Each of them once, however slow the machine is.
    while Instant::now() < end || hits.len() < Fault::ALL.len() {
        if waiting.is_empty() {
            waiting.extend(Fault::ALL);
        }
        let at = usize::try_from(chance.below(waiting.len() as u64))?;
        let fault = waiting.swap_remove(at);
        make_answers_uncertain(world, chance);
        sleep(Duration::from_millis(500 + chance.below(2_000))).await;
        let met = inflict(fault, world, apis, workers, chance).await?;
        let hits = hits.entry(fault).or_default();
        hits.times += 1;
        hits.met += met;
    }
    Ok(hits)
}

/// Gives some of the next answers to submissions a fault: accepted, and the answer lost.
fn make_answers_uncertain(world: &World, chance: &mut Chance) {
    for _ in 0..4 {
        match chance.below(8) {
            0 => world.engine.script(Endpoint::Create, Answer::AcceptThenCut),
            1 => world.engine.script(Endpoint::Create, Answer::EmptyBody504 { accepted: true }),
            2 => world.engine.script(Endpoint::Create, Answer::Hang(LEASE / 4)),
            _ => {}
        }
    }
}

/// Lets one thing go wrong, and brings back what is gone.
async fn inflict(
    fault: Fault,
    world: &World,
    apis: &mut [Process],
    workers: &mut [Process],
    chance: &mut Chance,
) -> anyhow::Result<usize> {
    let (postgres, redis) = (Arc::clone(&world.postgres), Arc::clone(&world.redis));
    let pause = Duration::from_millis(chance.below(1_000));
    let worker = usize::try_from(chance.below(workers.len() as u64))?;
    let worker = &mut workers[worker];
    let api = usize::try_from(chance.below(apis.len() as u64))?;
    match fault {
        Fault::KillWorker => {
            let held = until_it_holds_jobs(world, worker).await?;
            worker.service.kill().await?;
            sleep(pause).await;
            worker.service.restart().await?;
            return Ok(held);
        }
        Fault::KillApi => {
            let api = &mut apis[api].service;
            api.kill().await?;
            sleep(pause).await;
            api.restart().await?;
        }
        Fault::FreezeWorker => {
            let held = until_it_holds_jobs(world, worker).await?;
            worker.service.freeze()?;
            sleep(LEASE * 3 / 2 + 2 * pause).await;
            worker.service.thaw()?;
            return Ok(held);
        }
        Fault::StealLeases => {
            until_it_holds_jobs(world, worker).await?;
            let name = worker.name.clone();
            return apart(move || witness::steal_leases(&postgres, &name)).await;
        }
        Fault::RestartPostgres => {
            apart(move || postgres.stop().and_then(|()| postgres.come_back())).await?;
        }
        Fault::KillPostgres => {
            apart(move || postgres.kill().and_then(|()| postgres.come_back())).await?;
        }
        Fault::EndSessions => return apart(move || witness::end_sessions(&postgres)).await,
        Fault::KillRedis => {
            apart(move || redis.kill()).await?;
            sleep(pause).await;
            let redis = Arc::clone(&world.redis);
            apart(move || redis.come_back()).await?;
        }
        Fault::FlushRedis => apart(move || redis.flush_all()).await?,
        Fault::FreezeRedis => {
            redis.freeze()?;
            sleep(2 * pause).await;
            redis.thaw()?;
        }
    }
    Ok(1)
}

/// Waits for a while until a worker holds jobs, so that a fault meets something; returns how many.
async fn until_it_holds_jobs(world: &World, worker: &Process) -> anyhow::Result<usize> {
    let end = Instant::now() + AIM;
    loop {
        let (postgres, name) = (Arc::clone(&world.postgres), worker.name.clone());
        let held = apart(move || witness::held(&postgres, &name)).await?;
        if held > 0 || Instant::now() > end {
            return Ok(held);
        }
        sleep(Duration::from_millis(20)).await;
    }
}
