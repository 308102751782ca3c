//! Rules about what the engine was asked for.

use std::collections::BTreeMap;

use super::{
    super::history::{Change, History, Table, is_terminal},
    Findings, Rule,
};

/// How long after the end of a job the engine may still accept what was on its way: longer than
/// the lease of the holder, who is told nothing.
const ON_ITS_WAY: i64 = 3_000_000;

/// Nothing is written down as to be submitted once a job has ended, and each name that the engine
/// gave stays.
pub(super) fn check_intents(job: &str, changes: &[&Change], findings: &mut Findings) {
    let mut ended = false;
    let mut open: BTreeMap<i64, &str> = BTreeMap::new();
    for change in changes {
        match change.table {
            Table::Transcriptions => {
                ended |= change.after.is_none() || is_terminal(change.word_after("status"));
            }
            Table::Submissions => {
                let made = change.before.is_none();
                if made && ended {
                    let what = format!("{job}: an intent was written down after the end");
                    findings.add(Rule::CanceledStaysCanceled, what);
                }
                let (seq, state) = (change.number_after("seq"), change.word_after("state"));
                let live = ["intent", "accepted"];
                if made && open.values().any(|other| live.contains(other)) {
                    let what = format!("{job}: submission {seq} was begun beside another");
                    findings.add(Rule::NothingIsPaidTwice, what);
                }
                open.insert(seq, state);
                let (was, is) =
                    (change.word_before("provider_id"), change.word_after("provider_id"));
                if change.after.is_some() && !was.is_empty() && was != is {
                    let what = format!("{job}: {was} became {is}");
                    findings.add(Rule::NothingIsPaidTwice, what);
                }
            }
            Table::Jobs => {}
        }
    }
}

/// Each entry of the ledger has its intent, and no job has two.
pub(super) fn check_ledger(
    history: &History,
    by_job: &BTreeMap<&str, Vec<&Change>>,
    findings: &mut Findings,
) {
    let mut by_mark: BTreeMap<&str, &Vec<&Change>> = BTreeMap::new();
    for changes in by_job.values() {
        if let Some(made) = changes.iter().find(|change| change.table == Table::Transcriptions) {
            by_mark.insert(made.mark(), changes);
        }
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &history.accepted {
        *times.entry(&entry.mark).or_default() += 1;
        let Some(changes) = by_mark.get(entry.mark.as_str()) else {
            findings.add(Rule::NoJobIsInvented, format!("the engine accepted {}", entry.mark));
            continue;
        };
        let intent = changes.iter().find(|change| change.table == Table::Submissions);
        if intent.is_none_or(|intent| intent.at > entry.at + 1_000) {
            let what = format!("{} was sent before its intent was written down", entry.mark);
            findings.add(Rule::NothingIsPaidTwice, what);
        }
        let end = changes.iter().find(|change| {
            change.table == Table::Transcriptions
                && (change.after.is_none() || is_terminal(change.word_after("status")))
        });
        if let Some(end) = end
            && entry.at > end.at + ON_ITS_WAY
        {
            let what = format!("{} was sent {} µs after its end", entry.mark, entry.at - end.at);
            findings.add(Rule::CanceledStaysCanceled, what);
        }
    }
    for (mark, times) in times {
        if times > 1 {
            findings.add(Rule::NothingIsPaidTwice, format!("{mark} was accepted {times} times"));
        }
    }
}
