//! The crash-point sweep: a process dies, gets an error, or stands still for longer than its
//! leases last, before and after everything that it writes down and everything that it asks of the
//! world outside. Whatever happens, every job ends once and is paid for once.
//!
//! The points are those that runs without a fault have passed. A run whose point is not reached
//! fails. The real engine, `SQLite` in a file and the real AssemblyAI adapter run against a server
//! that speaks AssemblyAI's protocol and keeps a ledger.

mod check;
mod drive;
mod media;
mod mutants;
mod runs;
mod scenario;
mod world;

use std::{collections::BTreeSet, time::Instant};

use futures_util::future::join_all;
use testkit::faults::Point;
use tokio::task::JoinSet;

use check::PAID_TWICE;
use mutants::Mutant;
use runs::{Blow, Run, obeyed, record};
use scenario::{SCENARIOS, Scenario};

/// Every point of every scenario; where several pass it, in the first. Of what happens often, the
/// first time and one in the middle.
async fn points() -> Vec<(&'static Scenario, Point)> {
    let recorded = join_all(SCENARIOS.iter().map(record)).await;
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

/// Makes the runs, side by side; returns what was wrong after which.
async fn make(runs: Vec<Run>) -> Vec<(String, Vec<String>)> {
    let mut making = JoinSet::new();
    for run in runs {
        making.spawn(async move { (run.name(), run.make().await) });
    }
    making.join_all().await.into_iter().filter(|(_, wrong)| !wrong.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn runs_without_a_fault_end_as_they_should() {
    if obeyed().await {
        return;
    }
    let points = points().await;
    let passed = |operation: &str| points.iter().any(|(_, point)| point.operation == operation);
    for rare in [
        "jobs.commit.retry",
        "jobs.commit.release",
        "jobs.settle.resubmit",
        "jobs.resolve",
        "jobs.pause",
        "speech.find",
    ] {
        assert!(passed(rare), "no scenario leads to {rare}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn nothing_is_lost_or_paid_twice_whatever_happens_at_any_point() {
    let began = Instant::now();
    let points = points().await;
    let recorded = began.elapsed();
    let runs: Vec<_> = points
        .iter()
        .flat_map(|(scenario, point)| {
            Blow::ALL.map(|blow| Run { scenario, point: point.clone(), blow, mutant: Mutant::None })
        })
        .collect();
    let only = std::env::var_os("SWEEP_ONLY").map(|only| only.to_string_lossy().into_owned());
    let runs: Vec<_> = runs
        .into_iter()
        .filter(|run| only.as_ref().is_none_or(|only| run.name().contains(only)))
        .collect();
    let count = runs.len();
    let wrong = make(runs).await;
    println!(
        "{} points, {count} runs, {} went wrong; {recorded:?} to record, {:?} in all",
        points.len(),
        wrong.len(),
        began.elapsed()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(points.len() > 50, "the points were not recorded");
}

/// The runs of the calm scenario with `blow` at the points of `operations`.
async fn calm_runs(operations: &[&str], blow: Blow, mutant: Mutant) -> Vec<Run> {
    let scenario = &SCENARIOS[0];
    let seen = record(scenario).await.expect("all is well without a fault");
    let named = seen.into_keys().filter(|(name, _)| operations.contains(&name.as_str()));
    let point = |(operation, side)| Point { operation, side, nth: 1 };
    named.map(|at| Run { scenario, point: point(at), blow, mutant }).collect()
}

/// How many of the runs found a job that was paid for twice, and how many something else.
async fn findings(runs: Vec<Run>) -> (usize, usize) {
    let wrong = make(runs).await;
    let twice =
        |found: &&(String, Vec<String>)| found.1.iter().any(|wrong| wrong.contains(PAID_TWICE));
    let paid_twice = wrong.iter().filter(twice).count();
    println!("{paid_twice} of {} findings are payments: {wrong:#?}", wrong.len());
    (paid_twice, wrong.len() - paid_twice)
}

const MONEY: [&str; 4] =
    ["jobs.commit.uploaded", "jobs.intend", "speech.submit", "jobs.commit.submitted"];

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_engine_without_a_fence_is_found_out() {
    let runs = calm_runs(&MONEY, Blow::Freeze, Mutant::NoFence).await;
    let (paid_twice, _) = findings(runs).await;
    assert!(paid_twice > 0, "the checker is blind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_engine_that_sends_open_intents_again_is_found_out() {
    let runs = calm_runs(&MONEY, Blow::Abort, Mutant::SendsAgain).await;
    let (paid_twice, _) = findings(runs).await;
    assert!(paid_twice > 0, "the checker is blind");
}
