//! A process of a run: asks for the jobs, works on them until all have ended, and tidies up.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use application::{Adapters, Engine, EngineConfig, ports::CancelOutcome};
use chrono::TimeDelta;
use domain::{
    CallbackDigest, Keyterms, Metadata, Source, Stage, Status, Transcription, TranscriptionOptions,
    TranscriptionState,
};
use futures_util::future::try_join_all;
use sea_orm::QueryResult;
use testkit::faults::Faults;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{
    check::Finding,
    mutants::Mutant,
    scenario::{self, Asked, Regret, When},
    world::{OWNER, World, config},
};

/// How long a run may take until nothing happens any more.
const PATIENCE: Duration = Duration::from_mins(1);

const GLANCE: Duration = Duration::from_millis(50);

/// How the service said that a job ended which its owner gave up, by place.
pub(super) type Told = BTreeMap<usize, Status>;

/// Runs the scenario of `world` in this process until every job has ended.
///
/// # Errors
/// What did not come to an end.
pub(super) async fn drive(
    world: &World,
    adapters: &Adapters,
    config: EngineConfig,
) -> Result<Told, Finding> {
    let mut engine = Engine::new(adapters, config);
    let mut handle = engine.start();
    let all = async {
        let jobs = world.scenario.jobs.iter().enumerate();
        let owners = try_join_all(jobs.map(|(place, asked)| own(world, adapters, place, asked)));
        tokio::select! {
            told = owners => told,
            () = call_back(world, adapters), if world.scenario.calls_back => {
                Err(Finding::Broken("the callbacks came to an end".to_owned()))
            }
        }
    };
    let mut all = Box::pin(timeout(PATIENCE, all));
    let mut ended = None;
    if world.scenario.drains {
        ended = tokio::select! {
            ended = &mut all => Some(ended),
            begun = begins(world) => begun.map(|()| None)?,
        };
        handle.drain().await;
        engine = Engine::new(adapters, config);
        handle = engine.start();
    }
    let ended = match ended {
        Some(ended) => ended,
        None => all.await,
    };
    let told = ended
        .unwrap_or_else(|_| Err(Finding::GivenUp("the jobs did not come to an end".to_owned())));
    tidy(&engine).await;
    handle.drain().await;
    Ok(told?.into_iter().flatten().collect())
}

/// Calls back about every submission whose answer is not known, with a name that is not the
/// engine's: nothing of a callback may be believed.
async fn call_back(world: &World, adapters: &Adapters) {
    loop {
        sleep(GLANCE * 2).await;
        for (_, digest) in open_intents(world).await {
            let _ = adapters.jobs.hear(&digest, Some("not-the-name")).await;
        }
    }
}

/// Does what the housekeeping does from time to time; a fault is tried again.
async fn tidy(engine: &Engine) {
    for _ in 0..2 {
        let _ = engine.reconcile_orphans().await;
        let _ = engine.erase().await;
        let _ = engine.sweep().await;
    }
}

/// Lets an hour of housekeeping pass after a run.
pub(super) async fn settle(world: &World) {
    let calm = Arc::new(Faults::recording());
    let adapters = Adapters { jobs: world.later.clone(), ..world.adapters(&calm, Mutant::None) };
    let engine = Engine::new(&adapters, config());
    for _ in 0..2 {
        world.clock.leap(TimeDelta::minutes(30));
        tidy(&engine).await;
    }
}

/// What the owner of a job does, until it has ended.
async fn own(
    world: &World,
    adapters: &Adapters,
    place: usize,
    asked: &Asked,
) -> Result<Option<(usize, Status)>, Finding> {
    ask(world, adapters, place, asked).await?;
    let Some((when, regret)) = asked.regret else {
        wait(world, place, None).await?;
        return Ok(None);
    };
    wait(world, place, Some(when)).await?;
    match regret {
        Regret::Cancels => loop {
            match adapters.jobs.cancel(OWNER, scenario::id(place)).await {
                Ok(Some(CancelOutcome::Canceled(_))) => {
                    return Ok(Some((place, Status::Canceled)));
                }
                Ok(Some(CancelOutcome::Ended(status))) => return Ok(Some((place, status))),
                Ok(None) => return Err(Finding::Broken(format!("job {place} is lost"))),
                Err(_) => sleep(GLANCE).await,
            }
        },
        Regret::Deletes => {
            fs::create_dir_all(deleting(world, place))
                .map_err(|error| Finding::Broken(error.to_string()))?;
            while adapters.jobs.delete(OWNER, scenario::id(place)).await.is_err() {
                sleep(GLANCE).await;
            }
            Ok(None)
        }
    }
}

/// There once the owner began to delete the job: it is not asked for again.
pub(super) fn deleting(world: &World, place: usize) -> std::path::PathBuf {
    world.dir.join("deleting").join(place.to_string())
}

/// Asks for a job, again and again until it is there.
async fn ask(
    world: &World,
    adapters: &Adapters,
    place: usize,
    asked: &Asked,
) -> Result<(), Finding> {
    while !deleting(world, place).exists() && find(world, place).await?.is_none() {
        let url = format!("https://media.example.com/{}", asked.recording);
        let wanted = Transcription::request(
            scenario::id(place),
            OWNER,
            Some(url.clone()),
            Source::parse(&url).expect("a source"),
            TranscriptionOptions {
                keyterms: Keyterms::parse(vec![scenario::mark(place)]).expect("a term"),
                ..TranscriptionOptions::default()
            },
            Metadata::default(),
            adapters.speech.name().to_owned(),
            adapters.clock.now(),
        );
        if adapters.jobs.enqueue(&wanted).await.is_err() {
            sleep(GLANCE).await;
        }
    }
    Ok(())
}

/// Waits until a job has ended, or is as far as it must be.
async fn wait(world: &World, place: usize, when: Option<When>) -> Result<(), Finding> {
    loop {
        let Some(found) = find(world, place).await? else { return Ok(()) };
        let reached = match (&found.parts().state, when) {
            (TranscriptionState::Pending, _) | (TranscriptionState::Processing { .. }, None) => {
                false
            }
            (TranscriptionState::Processing { stage, .. }, Some(When::At(aim))) => *stage >= aim,
            (TranscriptionState::Processing { .. }, Some(When::Sent)) => {
                let open = open_intents(world).await;
                open.iter().any(|(job, _)| *job == scenario::id(place).as_uuid())
            }
            (
                TranscriptionState::Completed { .. }
                | TranscriptionState::Failed { .. }
                | TranscriptionState::Canceled { .. },
                _,
            ) => true,
        };
        if reached {
            return Ok(());
        }
        sleep(GLANCE).await;
    }
}

/// Waits until the first job is brought to the engine.
async fn begins(world: &World) -> Result<(), Finding> {
    while find(world, 0).await?.is_none() {
        sleep(GLANCE).await;
    }
    wait(world, 0, Some(When::At(Stage::Uploading))).await
}

/// The jobs of open submissions, and the digests of their callbacks.
async fn open_intents(world: &World) -> Vec<(Uuid, CallbackDigest)> {
    let sql = "SELECT job_id, callback FROM provider_submissions WHERE state = 'intent'";
    let read = |row: &QueryResult| {
        let digest: Vec<u8> = row.try_get_by(1).expect("a digest");
        let digest = digest.try_into().expect("32 bytes");
        (row.try_get_by(0).expect("an id"), CallbackDigest::from_bytes(digest))
    };
    world.rows(sql).await.iter().map(read).collect()
}

pub(super) async fn find(world: &World, place: usize) -> Result<Option<Transcription>, Finding> {
    use application::ports::TranscriptionRepository as _;
    let look = || world.store.find(OWNER, scenario::id(place));
    match patiently(look).await {
        Ok(found) => Ok(found.map(|found| found.transcription)),
        Err(failure) if failure.is_transient() => Err(Finding::GivenUp(format!("{failure:?}"))),
        Err(failure) => Err(Finding::Broken(format!("{failure:?}"))),
    }
}

/// Looks once more, and again: the answer may be late on a busy machine, and says nothing of the
/// service.
pub(super) async fn patiently<T, E, F>(look: impl Fn() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    for _ in 0..10 {
        if let Ok(seen) = look().await {
            return Ok(seen);
        }
        sleep(GLANCE).await;
    }
    look().await
}
