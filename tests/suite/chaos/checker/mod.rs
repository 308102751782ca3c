//! The rules that no fault may break, each held against what is known of a run.

mod clients;
mod engine;
mod jobs;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use super::history::{Change, History, Table};

/// What a run has shown that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    pub(super) what: String,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    /// What was accepted ends, once, in a terminal state.
    NoJobIsLost,
    /// What is there was asked for, once.
    NoJobIsInvented,
    /// Each stage of a job is committed once, under epochs that rise.
    NoStageTakesEffectTwice,
    /// Only the holder moves a job, and only a lease that has ended is taken from it.
    OnlyTheHolderActs,
    /// The engine accepts each job once, after its intent was written down.
    NothingIsPaidTwice,
    /// Status and stage take the ways that are laid down, and nothing follows an end.
    OnlyKnownWays,
    /// No client sees a job go back.
    ReadsNeverGoBack,
    /// Nothing is submitted for what was canceled, and nothing of it is completed.
    CanceledStaysCanceled,
    /// A transcription that is completed holds what was said.
    EveryEndIsTrue,
    /// Nothing of a live job is left when all has come to rest.
    NothingIsLeft,
    /// Whatever fails, a client is told in a way that it can act on.
    EveryAnswerIsSound,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// Collects violations.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, rule: Rule, what: impl Into<String>) {
        self.0.push(Violation { rule, what: what.into() });
    }
}

/// Every violation that a run has shown.
pub(super) fn check(history: &History) -> Vec<Violation> {
    let mut findings = Findings::default();
    let mut by_job: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in &history.changes {
        by_job.entry(&change.job).or_default().push(change);
    }
    for (job, changes) in &by_job {
        jobs::check(job, changes, &mut findings);
        engine::check_intents(job, changes, &mut findings);
    }
    engine::check_ledger(history, &by_job, &mut findings);
    clients::check(history, &by_job, &mut findings);
    findings.0
}

/// How often a job was taken from a holder that did not prolong its lease.
pub(super) fn lost_leases(changes: &[&Change]) -> usize {
    let lost = |change: &&&Change| change.table == Table::Jobs && jobs::is_reaped(change);
    changes.iter().filter(lost).count()
}
