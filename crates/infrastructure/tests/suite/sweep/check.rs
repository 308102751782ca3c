//! What must be true once nothing happens any more: read from the database, the folder of the
//! audio, and the engine's ledger.

use std::collections::BTreeMap;

use application::ports::{JobStore as _, MediaSource as _, TranscriptionRepository as _};
use chrono::DateTime;
use domain::Status;
use sea_orm::QueryResult;
use testkit::assemblyai::{Accepted, FakeAssemblyAi};
use uuid::Uuid;

use super::{
    drive::{self, Told},
    media::FolderMedia,
    scenario::{self, Asked, Regret},
    world::{OWNER, World},
};

/// What is wrong after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The engine accepted a job more often than it may have.
    PaidTwice(String),
    /// A job failed, or did not end at all, without a reason: nothing is broken, but a machine that
    /// is too busy for the leases of a sweep does the same.
    GivenUp(String),
    /// Anything else.
    Broken(String),
    /// What else is known.
    Note(String),
}

impl Finding {
    pub(super) const fn is_note(&self) -> bool {
        matches!(self, Self::Note(_))
    }
}

use Finding::{Broken, GivenUp, Note, PaidTwice};

struct Submission {
    job: Uuid,
    seq: i64,
    state: String,
    provider_id: Option<String>,
}

/// What is wrong, in words; nothing if all is well.
pub(super) async fn violations(world: &World, fake: &FakeAssemblyAi, told: &Told) -> Vec<Finding> {
    let mut wrong = Vec::new();
    let ledger = by_mark(fake, &mut wrong);
    let submissions = submissions(world).await;
    for (place, asked) in world.scenario.jobs.iter().enumerate() {
        let accepted = ledger.get(&scenario::mark(place)).map_or(&[][..], Vec::as_slice);
        let id = scenario::id(place).as_uuid();
        let own: Vec<_> = submissions.iter().filter(|sent| sent.job == id).collect();
        check_ending(world, place, asked, told, &mut wrong).await;
        check_text(world, place, asked, accepted, &own, &mut wrong).await;
        check_payment(place, accepted, |id| fake.has_failed(id), &own, &mut wrong);
    }
    let paid_twice = wrong.iter().filter(|found| matches!(found, PaidTwice(_))).count() as u64;
    let counted = world.store.duplicates().await.expect("it is read");
    if counted != paid_twice {
        wrong.push(Broken(format!("{counted} duplicates were counted, not {paid_twice}")));
    }
    check_leftovers(world, fake, &mut wrong).await;
    check_history(world, &mut wrong).await;
    if !wrong.is_empty() {
        wrong.extend(history(world).await.into_iter().map(Note));
    }
    wrong
}

/// What happened, as far as the database tells.
async fn history(world: &World) -> Vec<String> {
    let attempts = "SELECT job_id, CAST(at AS text), 'epoch ' || epoch, stage, outcome, code \
                    FROM job_attempts ORDER BY id";
    let submissions = "SELECT job_id, CAST(intent_at AS text), 'seq ' || seq, state, provider_id, \
                       upload_url FROM provider_submissions ORDER BY id";
    let mut told = Vec::new();
    for sql in [attempts, submissions] {
        for row in world.rows(sql).await {
            let job: Uuid = row.try_get_by(0).expect("an id");
            let text = |at: usize| row.try_get_by::<Option<String>, _>(at).expect("a text");
            let words: Vec<_> = (1..6).filter_map(text).collect();
            told.push(format!("{:02x} {}", job.as_u128() & 0xff, words.join(" ")));
        }
    }
    told
}

fn by_mark(fake: &FakeAssemblyAi, wrong: &mut Vec<Finding>) -> BTreeMap<String, Vec<Accepted>> {
    let mut ledger = BTreeMap::<String, Vec<Accepted>>::new();
    for entry in fake.ledger() {
        match entry.params.get("keyterms_prompt").and_then(|marks| marks[0].as_str()) {
            Some(mark) => ledger.entry(mark.to_owned()).or_default().push(entry),
            None => wrong.push(Broken(format!("nobody asked for {}", entry.id))),
        }
    }
    ledger
}

async fn submissions(world: &World) -> Vec<Submission> {
    let sql =
        "SELECT job_id, seq, state, provider_id FROM provider_submissions ORDER BY job_id, seq";
    let read = |row: QueryResult| Submission {
        job: row.try_get_by(0).expect("an id"),
        seq: row.try_get_by(1).expect("a number"),
        state: row.try_get_by(2).expect("a word"),
        provider_id: row.try_get_by(3).expect("a name"),
    };
    world.rows(sql).await.into_iter().map(read).collect()
}

/// Every job that was accepted is in one terminal state, the one that was told.
async fn check_ending(
    world: &World,
    place: usize,
    asked: &Asked,
    told: &Told,
    wrong: &mut Vec<Finding>,
) {
    let found = drive::find(world, place).await.expect("it is read");
    let Some(found) = found else {
        if !matches!(asked.regret, Some((_, Regret::Deletes))) {
            wrong.push(Broken(format!("job {place} is lost")));
        }
        return;
    };
    let status = found.status();
    let fits = match told.get(&place) {
        Some(told) => status == *told,
        None => status == Status::Completed || (asked.may_fail && status == Status::Failed),
    };
    if !fits || matches!(asked.regret, Some((_, Regret::Deletes))) {
        let state = &found.parts().state;
        let text = format!("job {place} ended as {state:?}, {:?} was told", told.get(&place));
        let given_up = status == Status::Failed && !told.contains_key(&place);
        wrong.push(if given_up { GivenUp(text) } else { Broken(text) });
    }
}

/// A completed job has the text of the very recording that the engine was given for it.
async fn check_text(
    world: &World,
    place: usize,
    asked: &Asked,
    accepted: &[Accepted],
    own: &[&Submission],
    wrong: &mut Vec<Finding>,
) {
    let transcript = world.store.transcript(OWNER, scenario::id(place)).await;
    let Some(found) = transcript.expect("it is read") else { return };
    if found.transcript.text != asked.recording().text {
        wrong.push(Broken(format!("job {place} has another's text: {}", found.transcript.text)));
    }
    let finished: Vec<_> = own.iter().filter(|sent| sent.state == "finished").collect();
    let in_ledger = |sent: &Submission| {
        accepted.iter().any(|entry| {
            Some(&entry.id) == sent.provider_id.as_ref()
                && entry.sha256.as_ref() == Some(&asked.recording().sha256())
        })
    };
    if finished.len() != 1 || !in_ledger(finished[0]) {
        wrong.push(Broken(format!("job {place} has a text that no submission brought")));
    }
}

/// A job is sent once, and once more only after the engine failed at it or was found not to have
/// accepted it.
fn check_payment(
    place: usize,
    accepted: &[Accepted],
    has_failed: impl Fn(&str) -> bool,
    own: &[&Submission],
    wrong: &mut Vec<Finding>,
) {
    // The last one makes room for none, and one that was called off is closed like one that failed.
    let followed = own.iter().take(own.len().saturating_sub(1));
    let failed = followed.filter(|sent| {
        sent.state == "error" && sent.provider_id.as_deref().is_some_and(&has_failed)
    });
    let allowed = 1 + failed.count();
    if accepted.len() > allowed {
        wrong.push(PaidTwice(format!("job {place}: {} of {allowed}", accepted.len())));
    }
    for (before, after) in own.iter().zip(own.iter().skip(1)) {
        let closed = matches!(before.state.as_str(), "error" | "abandoned");
        if !closed || after.seq != before.seq + 1 {
            let (seq, state) = (before.seq, &before.state);
            wrong.push(Broken(format!(
                "job {place} was submitted again after {seq}, which is {state}"
            )));
        }
    }
}

/// Nothing waits, nothing is held, nothing lies about.
async fn check_leftovers(world: &World, fake: &FakeAssemblyAi, wrong: &mut Vec<Finding>) {
    for (what, sql) in [
        ("a live job", "SELECT state || ' ' || stage FROM jobs"),
        ("an open intent", "SELECT 'seq ' || seq FROM provider_submissions WHERE state = 'intent'"),
        ("an erasure", "SELECT provider_id FROM erasures"),
    ] {
        for row in world.rows(sql).await {
            let detail: String = row.try_get_by(0).expect("a text");
            wrong.push(Broken(format!("{what} is left: {detail}")));
        }
    }
    for job in FolderMedia::new(&world.dir).kept().await.expect("it is read") {
        wrong.push(Broken(format!("audio of {job} is left")));
    }
    for entry in fake.ledger().iter().filter(|entry| !fake.is_deleted(&entry.id)) {
        wrong.push(Broken(format!("the engine keeps {}", entry.id)));
    }
}

/// Epochs rise, and nothing follows an end.
async fn check_history(world: &World, wrong: &mut Vec<Finding>) {
    let mut last = BTreeMap::<Uuid, (i64, bool)>::new();
    for row in world.rows("SELECT job_id, epoch, outcome FROM job_attempts ORDER BY id").await {
        let job: Uuid = row.try_get_by(0).expect("an id");
        let epoch: i64 = row.try_get_by(1).expect("a number");
        let outcome: String = row.try_get_by(2).expect("a word");
        let (before, ended) = last.get(&job).copied().unwrap_or_default();
        if epoch < before || ended {
            wrong
                .push(Broken(format!("{outcome} of epoch {epoch} after {before}, ended: {ended}")));
        }
        let ends = matches!(outcome.as_str(), "complete" | "fail" | "cancel");
        last.insert(job, (epoch, ended || ends));
    }
}

fn sent(seq: i64, state: &str, provider_id: Option<&str>) -> Submission {
    let provider_id = provider_id.map(str::to_owned);
    Submission { job: Uuid::nil(), seq, state: state.to_owned(), provider_id }
}

fn accepted(id: &str) -> Accepted {
    Accepted {
        id: id.to_owned(),
        audio_url: String::new(),
        sha256: None,
        at: DateTime::UNIX_EPOCH,
        params: serde_json::Map::new(),
    }
}

/// Whether two accepted jobs, `a` and `b`, are once too many.
fn is_too_much(failed: &[&str], own: &[Submission]) -> bool {
    let mut wrong = Vec::new();
    let own: Vec<_> = own.iter().collect();
    let has_failed = |id: &str| failed.contains(&id);
    check_payment(0, &[accepted("a"), accepted("b")], has_failed, &own, &mut wrong);
    wrong.iter().any(|found| matches!(found, PaidTwice(_)))
}

#[test]
fn another_payment_is_allowed_only_after_the_engine_has_failed() {
    let again = [sent(1, "error", Some("a")), sent(2, "finished", Some("b"))];
    assert!(!is_too_much(&["a"], &again));
    assert!(is_too_much(&[], &again));
    let canceled = [sent(1, "error", Some("a"))];
    assert!(is_too_much(&[], &canceled), "a job that was called off, and left twice");
    assert!(is_too_much(&["a"], &canceled), "nobody sent it again");
    let lost = [sent(1, "abandoned", None), sent(2, "error", Some("b"))];
    assert!(is_too_much(&[], &lost));
}
