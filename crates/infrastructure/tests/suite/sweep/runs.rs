//! One run: a process meets a fault at a point, and what is left takes over.

use std::{
    collections::BTreeMap, env, os::unix::process::ExitStatusExt as _, path::PathBuf,
    process::Stdio, sync::Arc, time::Duration,
};

use testkit::faults::{Faults, Mode, Point, Side};
use tokio::{process::Command, sync::Semaphore};

use super::{
    check::violations,
    drive::{Told, drive, settle},
    mutants::Mutant,
    scenario::Scenario,
    world::{FREEZE, Ground, World, config},
};

/// How many runs go on at once, over all tests of this process: they mostly wait.
static RUNS: Semaphore = Semaphore::const_new(24);

/// How often a run is made until it comes by its point.
const TRIES: u32 = 4;

/// Tells a child what to do.
const ORDER: &str = "SAAS_IA_SWEEP";

/// The test that is a child when it is told so.
const CHILD: &str = "sweep::runs_without_a_fault_end_as_they_should";

/// The signal of a process that aborts.
const SIGABRT: i32 = 6;

/// What happens to a process at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// It dies.
    Abort,
    /// One call fails.
    Error,
    /// It stands still for longer than its leases last, and goes on.
    Freeze,
}

impl Blow {
    pub(super) const ALL: [Self; 3] = [Self::Abort, Self::Error, Self::Freeze];

    const fn mode(self) -> Mode {
        match self {
            Self::Abort => Mode::Abort,
            Self::Error => Mode::Error,
            Self::Freeze => Mode::Delay(FREEZE),
        }
    }
}

/// A run to be made.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) scenario: &'static Scenario,
    pub(super) point: Point,
    pub(super) blow: Blow,
    pub(super) mutant: Mutant,
}

impl Run {
    pub(super) fn name(&self) -> String {
        format!("{}: {:?} {}", self.scenario.name, self.blow, self.point)
    }

    /// Makes the run; returns what was wrong after it. One that did not come by its point, since
    /// not everything happens equally often each time, is made again.
    pub(super) async fn make(self) -> Vec<String> {
        let _turn = RUNS.acquire().await.expect("it is never closed");
        for _ in 0..TRIES {
            let ground = Ground::new(self.scenario).await;
            let driven = match self.blow {
                Blow::Abort => self.after_a_death(&ground).await,
                Blow::Error => self.despite_an_error(&ground).await,
                Blow::Freeze => self.beside_a_sleeper(&ground).await,
            };
            match driven {
                Ok((world, told)) => return conclude(&ground, &world, &told).await,
                Err(Stop::Missed) => {}
                Err(Stop::Wrong(wrong)) => return vec![wrong],
            }
        }
        vec!["the point was never reached".to_owned()]
    }

    async fn after_a_death(&self, ground: &Ground) -> Result<(World, Told), Stop> {
        let (scenario, point) = (self.scenario.name, &self.point);
        let order = format!(
            "{scenario}\n{point}\n{}\n{}\n{}",
            self.mutant.name(),
            ground.path().display(),
            ground.fake.base_url()
        );
        let test = env::current_exe().map_err(|error| error.to_string())?;
        // A dump of the memory of every child would fill the disk.
        let child = Command::new("sh")
            .args(["-c", "ulimit -c 0; exec \"$0\" \"$@\""])
            .arg(test)
            .args(["--exact", CHILD, "--nocapture"])
            .env(ORDER, order)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = child.await.map_err(|error| error.to_string())?;
        if ended.status.success() {
            return Err(Stop::Missed);
        }
        if ended.status.signal() != Some(SIGABRT) {
            let said = String::from_utf8_lossy(&ended.stderr);
            return Err(format!("the child ended otherwise: {} {said}", ended.status).into());
        }
        let world = ground.world().await;
        let calm = Arc::new(Faults::recording());
        let config = self.mutant.config();
        let told = drive(&world, &world.adapters(&calm, self.mutant), config).await?;
        Ok((world, told))
    }

    async fn despite_an_error(&self, ground: &Ground) -> Result<(World, Told), Stop> {
        let world = ground.world().await;
        let faults = Arc::new(Faults::at(self.point.clone(), self.blow.mode()));
        let config = self.mutant.config();
        let told = drive(&world, &world.adapters(&faults, self.mutant), config).await?;
        if faults.is_hit() { Ok((world, told)) } else { Err(Stop::Missed) }
    }

    async fn beside_a_sleeper(&self, ground: &Ground) -> Result<(World, Told), Stop> {
        let world = ground.world().await;
        let faults = Arc::new(Faults::at(self.point.clone(), self.blow.mode()));
        let sleeper = world.adapters(&faults, self.mutant);
        let other = world.adapters(&Arc::new(Faults::recording()), Mutant::None);
        let mut first = Box::pin(drive(&world, &sleeper, self.mutant.config()));
        tokio::select! {
            biased;
            () = faults.hit() => {}
            told = &mut first => {
                told?;
                return Err(Stop::Missed);
            }
        }
        let (first, second) = tokio::join!(first, drive(&world, &other, config()));
        let (mut told, second) = (first?, second?);
        for (place, status) in second {
            if told.insert(place, status).is_some_and(|said| said != status) {
                return Err(format!("job {place} ended twice").into());
            }
        }
        Ok((world, told))
    }
}

/// Why there is nothing to be checked after a run.
enum Stop {
    /// It did not come by its point.
    Missed,
    /// It did not come to an end.
    Wrong(String),
}

impl From<String> for Stop {
    fn from(wrong: String) -> Self {
        Self::Wrong(wrong)
    }
}

async fn conclude(ground: &Ground, world: &World, told: &Told) -> Vec<String> {
    settle(world).await;
    violations(world, &ground.fake, told).await
}

/// Makes a run without a fault; returns how often each point was passed.
pub(super) async fn record(
    scenario: &'static Scenario,
) -> Result<BTreeMap<(String, Side), u32>, Vec<String>> {
    let _turn = RUNS.acquire().await.expect("it is never closed");
    let ground = Ground::new(scenario).await;
    let world = ground.world().await;
    let faults = Arc::new(Faults::recording());
    let driven = drive(&world, &world.adapters(&faults, Mutant::None), config()).await;
    let seen = faults.seen();
    let told = driven.map_err(|wrong| vec![wrong])?;
    match conclude(&ground, &world, &told).await {
        wrong if wrong.is_empty() => Ok(seen),
        wrong => Err(wrong),
    }
}

/// Does what the order says, if this process is a child: it dies of that, or returns `true`.
pub(super) async fn obeyed() -> bool {
    let Some(order) = env::var_os(ORDER) else { return false };
    let order = order.into_string().expect("a text");
    let [scenario, point, mutant, dir, base_url] = order.split('\n').collect::<Vec<_>>()[..] else {
        panic!("an order has five lines");
    };
    let scenario = Scenario::by_name(scenario).expect("a scenario");
    let mutant = Mutant::by_name(mutant).expect("a mutant");
    let point: Point = point.parse().expect("a point");
    let world = World::open(scenario, &PathBuf::from(dir), base_url).await;
    let faults = Arc::new(Faults::at(point, Mode::Abort));
    let adapters = world.adapters(&faults, mutant);
    let driven = drive(&world, &adapters, mutant.config());
    let ended = tokio::time::timeout(Duration::from_secs(90), driven).await;
    println!("{ended:?}");
    true
}
