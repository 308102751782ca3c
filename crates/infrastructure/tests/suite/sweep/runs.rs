//! One run: a process meets a fault at a point, and what is left takes over.

use std::{
    collections::BTreeMap, env, io, os::unix::process::ExitStatusExt as _, path::PathBuf,
    process::Stdio, sync::Arc, time::Duration,
};

use testkit::faults::{Faults, Mode, Point, Side};
use tokio::{
    process::Command,
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    check::{Finding, violations},
    database::Database,
    drive::{Told, drive, settle},
    mutants::Mutant,
    scenario::Scenario,
    world::{FREEZE, Ground, LEASE, OVERSLEEP, World, config},
};

/// How many runs go on at once, over all tests of this process: they mostly wait.
static RUNS: Semaphore = Semaphore::const_new(SIDE_BY_SIDE as usize);

const SIDE_BY_SIDE: u32 = 24;

/// Tells a child what to do.
const ORDER: &str = "SAAS_IA_SWEEP";

/// The test that is a child when it is told so.
const CHILD: &str = "sweep::sqlite::runs_without_a_fault_end_as_they_should";

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
    /// It stands still for even longer, and goes on.
    Oversleep,
}

impl Blow {
    pub(super) const ALL: [Self; 3] = [Self::Abort, Self::Error, Self::Freeze];

    const fn mode(self) -> Mode {
        match self {
            Self::Abort => Mode::Abort,
            Self::Error => Mode::Error,
            Self::Freeze => Mode::Delay(FREEZE),
            Self::Oversleep => Mode::Delay(OVERSLEEP),
        }
    }
}

/// A run to be made.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) database: Database,
    pub(super) scenario: &'static Scenario,
    pub(super) point: Point,
    pub(super) blow: Blow,
    pub(super) mutant: Mutant,
}

/// A run that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: String,
    /// What was wrong after it.
    pub(super) found: Vec<Finding>,
    /// How often it was made until it told something.
    pub(super) times: u32,
}

impl Made {
    pub(super) fn paid_twice(&self) -> bool {
        self.found.iter().any(|found| matches!(found, Finding::PaidTwice(_)))
    }
}

impl Run {
    pub(super) fn name(&self) -> String {
        format!("{}: {:?} {}", self.scenario.name, self.blow, self.point)
    }

    /// Makes the run. One that did not come by its point is made
    /// again, since not everything happens equally often each time; so is one that gave a job up
    /// while the machine was too busy to keep its leases. Each time with fewer others beside it.
    pub(super) async fn make(self) -> Made {
        let (name, mut found, mut times) = (self.name(), Vec::new(), 0);
        // A server and its processes have more to do for the same than a file.
        let least = if self.database == Database::Postgres { 2 } else { 1 };
        for share in [least, SIDE_BY_SIDE / 4, SIDE_BY_SIDE / 2, SIDE_BY_SIDE] {
            times += 1;
            let _turn = RUNS.acquire_many(share).await.expect("it is never closed");
            let again;
            (found, again) = self.once().await;
            if !again {
                break;
            }
        }
        Made { name, found, times }
    }

    /// What was wrong, and whether that says nothing of the service.
    async fn once(&self) -> (Vec<Finding>, bool) {
        let ground = Ground::new(self.database, self.scenario).await;
        let lag = Lag::watch();
        let driven = match self.blow {
            Blow::Abort => self.after_a_death(&ground).await,
            Blow::Error => self.despite_an_error(&ground).await,
            Blow::Freeze | Blow::Oversleep => self.beside_a_sleeper(&ground).await,
        };
        let found = match driven {
            Ok((world, told)) => conclude(&ground, &world, &told).await,
            Err(Stop::Missed) => {
                return (vec![Finding::Broken("the point was not reached".to_owned())], true);
            }
            Err(Stop::Wrong(wrong)) => vec![wrong],
        };
        let again = !found.is_empty() && lag.excuses(&found);
        (found, again)
    }

    async fn after_a_death(&self, ground: &Ground) -> Result<(World, Told), Stop> {
        let (scenario, point) = (self.scenario.name, &self.point);
        let order = format!(
            "{scenario}\n{point}\n{}\n{}\n{}\n{}",
            self.mutant.name(),
            ground.path().display(),
            ground.address(),
            ground.fake.base_url()
        );
        let test = env::current_exe()?;
        // A dump of the memory of every child would fill the disk.
        let child = Command::new("sh")
            .args(["-c", "ulimit -c 0; exec \"$0\" \"$@\""])
            .arg(test)
            .args(["--exact", CHILD, "--nocapture"])
            .env(ORDER, order)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = child.await?;
        if ended.status.success() {
            return Err(Stop::Missed);
        }
        if ended.status.signal() != Some(SIGABRT) {
            let said = String::from_utf8_lossy(&ended.stderr);
            let story = format!("the child ended otherwise: {} {said}", ended.status);
            return Err(Finding::Broken(story).into());
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
        let beside = ground.world_beside(&world).await;
        let other = beside.adapters(&Arc::new(Faults::recording()), Mutant::None);
        let mut first = Box::pin(drive(&world, &sleeper, self.mutant.config()));
        tokio::select! {
            biased;
            () = faults.hit() => {}
            told = &mut first => {
                told?;
                return Err(Stop::Missed);
            }
        }
        let (first, second) =
            tokio::join!(first, drive(&beside, &other, self.mutant.config_of_another()));
        let (mut told, second) = (first?, second?);
        for (place, status) in second {
            if told.insert(place, status).is_some_and(|said| said != status) {
                return Err(Finding::Broken(format!("job {place} ended twice")).into());
            }
        }
        Ok((world, told))
    }
}

/// Why there is nothing to be checked after a run.
enum Stop {
    /// It did not come by its point.
    Missed,
    /// It did not come to its end.
    Wrong(Finding),
}

impl From<Finding> for Stop {
    fn from(wrong: Finding) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Wrong(Finding::Broken(error.to_string()))
    }
}

/// How late things happen in this process.
struct Lag {
    worst: watch::Receiver<Duration>,
    watching: JoinHandle<()>,
}

impl Lag {
    const GLANCE: Duration = Duration::from_millis(50);

    fn watch() -> Self {
        let (seen, worst) = watch::channel(Duration::ZERO);
        let watching = tokio::spawn(async move {
            loop {
                let planned = Instant::now() + Self::GLANCE;
                sleep_until(planned).await;
                let late = planned.elapsed();
                seen.send_if_modified(|worst| {
                    let later = late > *worst;
                    *worst = late.max(*worst);
                    later
                });
            }
        });
        Self { worst, watching }
    }

    /// Whether the machine was too busy to keep leases, and nothing worse was found than what
    /// comes of that.
    fn excuses(&self, found: &[Finding]) -> bool {
        let harmless = |wrong: &Finding| matches!(wrong, Finding::GivenUp(_) | Finding::Note(_));
        *self.worst.borrow() > LEASE / 8 && found.iter().all(harmless)
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn conclude(ground: &Ground, world: &World, told: &Told) -> Vec<Finding> {
    settle(world).await;
    violations(world, &ground.fake, told).await
}

/// Makes a run without a fault; returns how often each point was passed. Made again, like any
/// other, if the machine was too busy.
pub(super) async fn record(
    database: Database,
    scenario: &'static Scenario,
) -> Result<BTreeMap<(String, Side), u32>, Vec<Finding>> {
    let mut found = Vec::new();
    for share in [1, SIDE_BY_SIDE] {
        let _turn = RUNS.acquire_many(share).await.expect("it is never closed");
        let (ground, lag) = (Ground::new(database, scenario).await, Lag::watch());
        let world = ground.world().await;
        let faults = Arc::new(Faults::recording());
        let driven = drive(&world, &world.adapters(&faults, Mutant::None), config()).await;
        let seen = faults.seen();
        found = match driven {
            Ok(told) => conclude(&ground, &world, &told).await,
            Err(wrong) => vec![wrong],
        };
        if found.is_empty() {
            return Ok(seen);
        }
        if !lag.excuses(&found) {
            break;
        }
    }
    Err(found)
}

/// Does what the order says, if this process is a child: it dies of that, or returns `true`.
pub(super) async fn obeyed() -> bool {
    let Some(order) = env::var_os(ORDER) else { return false };
    let order = order.into_string().expect("a text");
    let [scenario, point, mutant, dir, address, base_url] =
        order.split('\n').collect::<Vec<_>>()[..]
    else {
        panic!("an order has six lines");
    };
    let scenario = Scenario::by_name(scenario).expect("a scenario");
    let mutant = Mutant::by_name(mutant).expect("a mutant");
    let point: Point = point.parse().expect("a point");
    let world = World::open(scenario, &PathBuf::from(dir), address, base_url).await;
    let faults = Arc::new(Faults::at(point, Mode::Abort));
    let adapters = world.adapters(&faults, mutant);
    let driven = drive(&world, &adapters, mutant.config());
    let ended = tokio::time::timeout(Duration::from_secs(90), driven).await;
    println!("{ended:?}");
    true
}
