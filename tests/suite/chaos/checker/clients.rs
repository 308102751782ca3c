//! Rules about what clients are told.

use std::collections::BTreeMap;

use super::{
    super::history::{Asked, Change, End, History, Order, Table, is_terminal, rank},
    Findings, Rule, lost_leases,
};

/// After so many lost leases without progress a job counts as the cause.
const CRASHES: usize = 3;

pub(super) fn check(
    history: &History,
    by_job: &BTreeMap<&str, Vec<&Change>>,
    findings: &mut Findings,
) {
    let mut made: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for change in history.changes.iter().filter(|change| change.table == Table::Transcriptions) {
        if change.before.is_none() {
            made.entry(change.mark()).or_default().push(&change.job);
        }
    }
    for (mark, jobs) in &made {
        match (history.asked.get(*mark), jobs.as_slice()) {
            (None, _) => findings.add(Rule::NoJobIsInvented, format!("nobody asked for {mark:?}")),
            (Some(_), [_]) => {}
            (Some(_), jobs) => {
                findings.add(Rule::NoJobIsInvented, format!("{mark} was made as {jobs:?}"));
            }
        }
    }
    for (mark, asked) in &history.asked {
        let job = made.get(mark.as_str()).and_then(|jobs| jobs.first()).copied();
        let changes = job.and_then(|job| by_job.get(job)).map_or(&[][..], Vec::as_slice);
        let paid = history.accepted.iter().any(|entry| entry.mark == *mark);
        check_end(mark, asked, job, changes, paid, findings);
    }
    for reads in &history.reads {
        check_reads(reads, findings);
    }
    for answer in &history.bad_answers {
        findings.add(Rule::EveryAnswerIsSound, answer);
    }
    for left in &history.left {
        findings.add(Rule::NothingIsLeft, left);
    }
}

/// Holds what a client was promised against what came of it.
fn check_end(
    mark: &str,
    asked: &Asked,
    job: Option<&str>,
    changes: &[&Change],
    paid: bool,
    findings: &mut Findings,
) {
    let Some(job) = job else {
        if let Some(id) = &asked.id {
            findings.add(Rule::NoJobIsLost, format!("{mark} was accepted as {id}, and is nowhere"));
        }
        return;
    };
    if let Some(id) = asked.id.as_deref().filter(|id| *id != job) {
        findings.add(Rule::NoJobIsInvented, format!("{mark} was accepted as {id}, and is {job}"));
    }
    let last = changes.iter().rfind(|change| change.table == Table::Transcriptions);
    let is_gone = last.is_some_and(|last| last.after.is_none());
    if is_gone {
        if asked.delete == Order::NotGiven {
            findings.add(Rule::NoJobIsLost, format!("{job} went, and nobody had deleted it"));
        }
    } else if asked.delete == Order::Done {
        findings.add(Rule::NoJobIsLost, format!("{job} is still there, though deleted"));
    } else {
        let status = last.map_or("", |last| last.word_after("status"));
        if !is_terminal(status) {
            findings.add(Rule::NoJobIsLost, format!("{job} did not end: {status}"));
        }
        check_told(job, asked.end.as_ref(), status, changes, paid, findings);
    }
    let statuses = changes.iter().filter(|change| change.table == Table::Transcriptions);
    let reached =
        |wanted: &str| statuses.clone().any(|change| change.word_after("status") == wanted);
    if asked.cancel == Order::Done && !reached("canceled") {
        findings
            .add(Rule::CanceledStaysCanceled, format!("{job} was not canceled, though said so"));
    }
    if asked.cancel == Order::NotGiven && reached("canceled") {
        findings.add(Rule::NoJobIsLost, format!("{job} was canceled, and nobody had asked for it"));
    }
}

/// Holds what the service says at last against what is written, and against what may be.
fn check_told(
    job: &str,
    end: Option<&End>,
    status: &str,
    changes: &[&Change],
    paid: bool,
    findings: &mut Findings,
) {
    let Some(end) = end else {
        return findings.add(Rule::NoJobIsLost, format!("{job} is in no list"));
    };
    if end.status != status {
        let what = format!("{job} is said to be {}, and is {status}", end.status);
        findings.add(Rule::EveryEndIsTrue, what);
    }
    let crashed = lost_leases(changes) >= CRASHES;
    let sound = match (end.status.as_str(), end.code.as_deref()) {
        ("completed", None) => paid && end.text_is_right,
        ("canceled", None) => true,
        // Refused without a word twice in a row, and never accepted; or given up with an intent.
        ("failed", Some("submission_unknown")) => !paid || crashed,
        ("failed", Some("worker_crash_loop")) => crashed,
        _ => false,
    };
    if !sound {
        findings.add(Rule::EveryEndIsTrue, format!("{job} ended as {end:?}, paid: {paid}"));
    }
}

fn check_reads(reads: &[super::super::history::Read], findings: &mut Findings) {
    let mut seen: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for read in reads {
        let now = rank(&read.status, read.stage.as_deref().unwrap_or_default());
        let (before, status) = seen.get(read.job.as_str()).copied().unwrap_or((0, "pending"));
        if now < before || (is_terminal(status) && status != read.status) {
            let what = format!("{}: {} after {status}", read.job, read.status);
            findings.add(Rule::ReadsNeverGoBack, what);
        }
        seen.insert(&read.job, (now, &read.status));
    }
}
