//! The checker itself: it finds nothing in a sound history, and each rule is broken by the history
//! that is bent for it.

use serde_json::{Value, json};

use super::{
    super::history::{Accepted, Asked, Change, End, History, Order, Read, Table},
    Rule, check,
};

const JOB: &str = "job";
const MARK: &str = "mark 0";

/// A row of a job.
fn row(state: &str, at: &str, epoch: i64, owner: Option<&str>, crashes: i64) -> Value {
    json!({ "state": state, "stage": at, "epoch": epoch, "lease_owner": owner,
        "crashes": crashes })
}

fn change(table: Table, who: &str, before: Value, after: Value) -> Change {
    let there = |row: Value| Some(row).filter(|row| !row.is_null());
    Change {
        at: 0,
        who: who.to_owned(),
        transaction: 0,
        table,
        job: JOB.to_owned(),
        expired: false,
        before: there(before),
        after: there(after),
    }
}

fn job(who: &str, before: Value, after: Value) -> Change {
    change(Table::Jobs, who, before, after)
}

fn transcription(who: &str, before: Option<(&str, &str)>, after: Option<(&str, &str)>) -> Change {
    let row = |(status, stage): (&str, &str)| json!({ "status": status, "stage": stage, "metadata": { "mark": MARK } });
    let (before, after) = (before.map(row), after.map(row));
    change(Table::Transcriptions, who, before.unwrap_or_default(), after.unwrap_or_default())
}

fn submission(who: &str, before: Value, after: Value) -> Change {
    change(Table::Submissions, who, before, after)
}

/// One job: its first holder dies while it fetches, the second brings it to its end.
fn sound() -> History {
    let mut reaped = job(
        "two",
        row("leased", "fetching", 1, Some("A"), 0),
        row("ready", "fetching", 1, None, 1),
    );
    reaped.expired = true;
    let changes = vec![
        transcription("api", None, Some(("pending", ""))),
        job("api", Value::Null, row("ready", "fetching", 0, None, 0)),
        transcription("one", Some(("pending", "")), Some(("processing", "fetching"))),
        job(
            "one",
            row("ready", "fetching", 0, None, 0),
            row("leased", "fetching", 1, Some("A"), 0),
        ),
        reaped,
        job(
            "two",
            row("ready", "fetching", 1, None, 1),
            row("leased", "fetching", 2, Some("B"), 1),
        ),
        job(
            "two",
            row("leased", "fetching", 2, Some("B"), 1),
            row("leased", "submitting", 2, Some("B"), 0),
        ),
        submission("two", Value::Null, json!({ "seq": 1, "state": "intent" })),
        submission(
            "two",
            json!({ "seq": 1, "state": "intent" }),
            json!({ "seq": 1, "state": "accepted", "provider_id": "p" }),
        ),
        job(
            "two",
            row("leased", "submitting", 2, Some("B"), 0),
            row("waiting", "transcribing", 2, None, 0),
        ),
        transcription("two", Some(("processing", "fetching")), Some(("processing", "storing"))),
        job("one", row("waiting", "transcribing", 2, None, 0), row("ready", "storing", 2, None, 0)),
        job("two", row("ready", "storing", 2, None, 0), row("leased", "storing", 3, Some("B"), 0)),
        job("two", row("leased", "storing", 3, Some("B"), 0), Value::Null),
        transcription("two", Some(("processing", "storing")), Some(("completed", ""))),
    ];
    // Each in a transaction of its own, but for the last two.
    let number = |(n, change): (usize, Change)| {
        let n = i64::try_from(n).unwrap();
        Change { at: n * 10_000, transaction: n.min(13), ..change }
    };
    let read = |status: &str, stage: &str| Read {
        job: JOB.to_owned(),
        status: status.to_owned(),
        stage: Some(stage.to_owned()),
    };
    let end = End { status: "completed".to_owned(), code: None, text_is_right: true };
    let asked = Asked { id: Some(JOB.to_owned()), end: Some(end), ..Asked::default() };
    History {
        asked: [(MARK.to_owned(), asked)].into(),
        reads: vec![vec![
            read("pending", ""),
            read("processing", "fetching"),
            read("completed", ""),
        ]],
        bad_answers: Vec::new(),
        changes: changes.into_iter().enumerate().map(number).collect(),
        accepted: vec![Accepted { mark: MARK.to_owned(), at: 75_000 }],
        left: Vec::new(),
    }
}

fn asked(history: &mut History) -> &mut Asked {
    history.asked.get_mut(MARK).unwrap()
}

/// The rules that a bent history breaks.
fn broken(bend: impl FnOnce(&mut History)) -> Vec<Rule> {
    let mut history = sound();
    bend(&mut history);
    let mut rules: Vec<_> = check(&history).iter().map(|violation| violation.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

#[test]
fn a_sound_history_breaks_no_rule() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn a_job_that_is_lost_is_found_out() {
    assert!(broken(|h| h.changes.clear()).contains(&Rule::NoJobIsLost));
    assert!(broken(|h| drop(h.changes.pop())).contains(&Rule::NoJobIsLost));
    assert_eq!(broken(|h| asked(h).end = None), [Rule::NoJobIsLost]);
    let deleted = broken(|h| {
        h.changes.push(transcription("api", Some(("completed", "")), None));
    });
    assert_eq!(deleted, [Rule::NoJobIsLost]);
    assert_eq!(broken(|h| asked(h).delete = Order::Done), [Rule::NoJobIsLost]);
}

#[test]
fn a_job_that_is_invented_is_found_out() {
    assert_eq!(broken(|h| h.asked.clear()), [Rule::NoJobIsInvented]);
    let twice = broken(|h| {
        let mut again = transcription("api", None, Some(("canceled", "")));
        "another".clone_into(&mut again.job);
        h.changes.push(again);
    });
    assert_eq!(twice, [Rule::NoJobIsInvented]);
    assert_eq!(broken(|h| asked(h).id = Some("x".to_owned())), [Rule::NoJobIsInvented]);
    let unasked = broken(|h| "mark 1".clone_into(&mut h.accepted[0].mark));
    assert!(unasked.contains(&Rule::NoJobIsInvented), "{unasked:?}");
}

#[test]
fn a_holder_that_lost_its_lease_and_commits_is_found_out() {
    // What a process does that was frozen, and goes on as if nothing had been.
    let stale = broken(|h| "one".clone_into(&mut h.changes[6].who));
    assert_eq!(stale, [Rule::OnlyTheHolderActs]);
    let stale_end = broken(|h| "one".clone_into(&mut h.changes[13].who));
    assert_eq!(stale_end, [Rule::OnlyTheHolderActs]);
    assert_eq!(broken(|h| h.changes[4].expired = false), [Rule::OnlyTheHolderActs]);
}

#[test]
fn an_epoch_that_does_not_rise_is_found_out() {
    let same = broken(|h| {
        h.changes[5].after = Some(row("leased", "fetching", 1, Some("B"), 1));
    });
    assert_eq!(same, [Rule::NoStageTakesEffectTwice]);
}

#[test]
fn a_second_end_is_found_out() {
    let again = broken(|h| {
        h.changes.push(transcription("two", Some(("processing", "")), Some(("completed", ""))));
    });
    assert_eq!(again, [Rule::NoStageTakesEffectTwice]);
    let reopened = broken(|h| {
        h.changes.push(transcription("two", Some(("completed", "")), Some(("failed", ""))));
    });
    assert!(reopened.contains(&Rule::OnlyKnownWays), "{reopened:?}");
}

#[test]
fn a_way_that_is_not_laid_down_is_found_out() {
    let back = broken(|h| {
        h.changes[11].after = Some(row("ready", "fetching", 2, None, 0));
    });
    assert_eq!(back, [Rule::OnlyKnownWays]);
    let jump = broken(|h| {
        h.changes[9].before = Some(row("ready", "submitting", 2, None, 0));
        h.changes[9].after = Some(row("scheduled", "transcribing", 2, None, 0));
    });
    assert_eq!(jump, [Rule::OnlyKnownWays]);
}

#[test]
fn a_second_payment_is_found_out() {
    let twice = broken(|h| h.accepted.push(h.accepted[0].clone()));
    assert_eq!(twice, [Rule::NothingIsPaidTwice]);
    assert_eq!(broken(|h| h.accepted[0].at = 5_000), [Rule::NothingIsPaidTwice]);
    let beside = broken(|h| {
        let again = submission("one", Value::Null, json!({ "seq": 2, "state": "intent" }));
        h.changes.insert(8, again);
    });
    assert_eq!(beside, [Rule::NothingIsPaidTwice]);
}

#[test]
fn a_read_that_goes_back_is_found_out() {
    let back = broken(|h| {
        "pending".clone_into(&mut h.reads[0][2].status);
    });
    assert_eq!(back, [Rule::ReadsNeverGoBack]);
}

#[test]
fn work_for_what_was_canceled_is_found_out() {
    assert_eq!(broken(|h| asked(h).cancel = Order::Done), [Rule::CanceledStaysCanceled]);
    assert_eq!(broken(|h| h.accepted[0].at = 60_000_000), [Rule::CanceledStaysCanceled]);
    let late = broken(|h| {
        h.changes.push(submission("two", Value::Null, json!({ "seq": 2, "state": "intent" })));
    });
    assert!(late.contains(&Rule::CanceledStaysCanceled), "{late:?}");
}

#[test]
fn an_end_that_is_not_true_is_found_out() {
    let end = |status: &str, code: Option<&str>, text_is_right| End {
        status: status.to_owned(),
        code: code.map(str::to_owned),
        text_is_right,
    };
    for untrue in [
        end("completed", None, false),
        end("canceled", None, false),
        end("failed", Some("internal"), false),
    ] {
        assert_eq!(broken(|h| asked(h).end = Some(untrue)), [Rule::EveryEndIsTrue]);
    }
}

#[test]
fn what_is_left_and_what_no_client_can_act_on_are_found_out() {
    assert_eq!(broken(|h| h.left.push("jobs|1".to_owned())), [Rule::NothingIsLeft]);
    assert_eq!(broken(|h| h.bad_answers.push("500".to_owned())), [Rule::EveryAnswerIsSound]);
}
