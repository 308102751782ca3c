//! The crash-point sweep: a process dies, gets an error, or stands still for longer than its
//! leases last, before and after everything that it writes down and everything that it asks of the
//! world outside. Whatever happens, every job ends once and is paid for once.
//!
//! The points are those that runs without a fault have passed. A run whose point is not reached
//! fails; `SWEEP_ONLY="Freeze speech.submit"` makes those runs alone whose names contain it. The
//! real engine, the real database (`SQLite` in a file; `PostgreSQL`, by its own clock) and the real
//! AssemblyAI adapter run against a server that speaks AssemblyAI's protocol and keeps a ledger.

mod check;
mod database;
mod drive;
mod media;
mod mutants;
mod runs;
mod scenario;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use futures_util::future::join_all;
use testkit::faults::Point;
use tokio::task::JoinSet;

use database::Database;
use mutants::Mutant;
use runs::{Blow, Made, Run, obeyed, record};
use scenario::{SCENARIOS, Scenario};

/// Every point of every scenario; where several pass it, in the first. Of what happens often, the
/// first time and one in the middle.
async fn points(database: Database) -> Vec<(&'static Scenario, Point)> {
    let recorded = SCENARIOS.iter().map(|scenario| record(database, scenario));
    let recorded = join_all(recorded).await;
    let mut known = BTreeSet::new();
    let mut points = Vec::new();
    for (scenario, seen) in SCENARIOS.iter().zip(recorded) {
        let seen = seen.unwrap_or_else(|wrong| panic!("{}: {wrong:#?}", scenario.name));
        for ((operation, side), times) in seen {
            if !known.insert((operation.clone(), side)) {
                continue;
            }
            for nth in BTreeSet::from([1, times.div_ceil(2)]) {
                points.push((scenario, Point { operation: operation.clone(), side, nth }));
            }
        }
    }
    points
}

/// Makes the runs, side by side.
async fn make(runs: Vec<Run>) -> Vec<Made> {
    runs.into_iter().map(Run::make).collect::<JoinSet<_>>().join_all().await
}

async fn runs_without_a_fault_end_as_they_should(database: Database) {
    if obeyed().await {
        return;
    }
    let points = points(database).await;
    let operations: BTreeSet<_> = points.iter().map(|(_, point)| &point.operation).collect();
    println!("{database:?}: {} operations: {operations:?}", operations.len());
    let passed = |operation: &str| operations.contains(&operation.to_owned());
    for rare in [
        "jobs.commit.retry",
        "jobs.commit.release",
        "jobs.commit.snooze+unlisted",
        "jobs.commit.upload_dropped+abandoned",
        "jobs.settle.resubmit",
        "jobs.resolve",
        "jobs.pause",
        "speech.find",
    ] {
        assert!(passed(rare), "no scenario leads to {rare}");
    }
}

async fn nothing_is_lost_or_paid_twice_whatever_happens_at_any_point(database: Database) {
    let began = Instant::now();
    let points = points(database).await;
    let recorded = began.elapsed();
    let runs: Vec<_> = points
        .iter()
        .flat_map(|(scenario, point)| {
            Blow::ALL.map(|blow| Run {
                database,
                scenario,
                point: point.clone(),
                blow,
                mutant: Mutant::None,
            })
        })
        .collect();
    let only = std::env::var_os("SWEEP_ONLY").unwrap_or_default().into_string().expect("a text");
    let runs: Vec<_> = runs.into_iter().filter(|run| run.name().contains(&only)).collect();
    let count = runs.len();
    let made = make(runs).await;
    assert!(count > 0, "nothing was run");
    let again = made.iter().filter(|made| made.times > 1).count();
    let wrong = made.into_iter().filter(|made| !made.found.is_empty());
    let wrong: BTreeMap<_, _> = wrong.map(|made| (made.name, made.found)).collect();
    println!(
        "{database:?}: {} points, {count} runs ({again} of them more than once), {} went wrong; \
         {recorded:?} to record, {:?} in all",
        points.len(),
        wrong.len(),
        began.elapsed()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(points.len() > 50, "the points were not recorded");
}

/// The runs of the calm scenario with `blow` at the points of `operations`.
async fn calm_runs(
    database: Database,
    operations: &[&str],
    blow: Blow,
    mutant: Mutant,
) -> Vec<Run> {
    let scenario = &SCENARIOS[0];
    let seen = record(database, scenario).await.expect("all is well without a fault");
    let named = seen.into_keys().filter(|(name, _)| operations.contains(&name.as_str()));
    let point = |(operation, side)| Point { operation, side, nth: 1 };
    named.map(|at| Run { database, scenario, point: point(at), blow, mutant }).collect()
}

/// How many of the runs found a job that was paid for twice.
async fn paid_twice(runs: Vec<Run>) -> usize {
    let made = make(runs).await;
    let paid_twice = made.iter().filter(|made| made.paid_twice()).count();
    println!("{} runs, {paid_twice} paid twice", made.len());
    paid_twice
}

const MONEY: [&str; 4] =
    ["jobs.commit.uploaded", "jobs.intend", "speech.submit", "jobs.commit.submitted"];

async fn an_engine_without_a_fence_is_found_out(database: Database) {
    let runs = calm_runs(database, &MONEY, Blow::Freeze, Mutant::NoFence).await;
    assert!(paid_twice(runs).await > 0, "the checker is blind");
    let whole = calm_runs(database, &MONEY, Blow::Freeze, Mutant::None).await;
    assert_eq!(paid_twice(whole).await, 0);
}

async fn an_engine_that_sends_open_intents_again_is_found_out(database: Database) {
    let runs = calm_runs(database, &MONEY, Blow::Abort, Mutant::SendsAgain).await;
    assert!(paid_twice(runs).await > 0, "the checker is blind");
    let whole = calm_runs(database, &MONEY, Blow::Abort, Mutant::None).await;
    assert_eq!(paid_twice(whole).await, 0);
}

/// What no engine can help that is given no key by which the other side knows a request again: a
/// process stands still between its last look at its lease and its request, the job is given up
/// and submitted anew, and then the process goes on.
async fn a_process_that_oversleeps_pays_twice_and_that_is_counted(database: Database) {
    let point: Point = "speech.submit before 1".parse().expect("a point");
    let (scenario, blow, mutant) = (&SCENARIOS[0], Blow::Oversleep, Mutant::GivesUpEarly);
    let mut made = Run { database, scenario, point: point.clone(), blow, mutant }.make().await;
    for _ in 0..3 {
        if made.paid_twice() {
            break;
        }
        // Everything went too slowly, and the process gave its request up.
        made = Run { database, scenario, point: point.clone(), blow, mutant }.make().await;
    }
    let wrong: Vec<_> = made.found.iter().filter(|found| !found.is_note()).collect();
    assert!(made.paid_twice() && wrong.len() == 1, "{made:#?}");
}

/// The sweep over one database.
macro_rules! sweep {
    ($name:ident, $database:expr) => {
        mod $name {
            use super::Database;

            sweep! { $database, [
                runs_without_a_fault_end_as_they_should,
                nothing_is_lost_or_paid_twice_whatever_happens_at_any_point,
                an_engine_without_a_fence_is_found_out,
                an_engine_that_sends_open_intents_again_is_found_out,
                a_process_that_oversleeps_pays_twice_and_that_is_counted,
            ] }
        }
    };
    ($database:expr, [$($case:ident,)*]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
            async fn $case() {
                super::$case($database).await;
            }
        )*
    };
}

sweep!(sqlite, Database::Sqlite);
sweep!(postgres, Database::Postgres);
