//! Calls that are made again because their answer was lost, and calls that are mistakes.

use application::ports::{CommitError, IntentError, NewSubmission, StepEffects};
use chrono::TimeDelta;
use domain::{
    CompletedFacts, Outcome, SourceFacts, Stage, Step, SubmissionId, SubmissionState, Upload,
};

use crate::contract::{
    Stores, a_submission, a_transcript,
    stores::{a_failure, request},
};

/// Who asks again under the same lease whether the very submission may leave is told what was
/// written down; a later holder is not.
pub async fn an_intent_that_is_open_already_is_returned(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let new = a_submission();
    let first = stores.jobs.intend(&claimed.lease, new.clone()).await.expect("written down");
    stores.advance(1);
    let again = stores.jobs.intend(&claimed.lease, new.clone()).await;
    assert_eq!(again.expect("it is open"), first);

    stores.step(&claimed.lease, Step::Release).await;
    let next = stores.claim_one().await;
    assert_eq!(next.submission, Some(first), "it was written down once");
    let theirs = stores.jobs.intend(&next.lease, new).await;
    assert!(matches!(theirs, Err(IntentError::AlreadyOpen)), "{theirs:?}");
}

/// A step that keeps its holder may be said twice: the second time is answered like the first.
pub async fn a_step_that_was_applied_already_changes_nothing_more(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let lease = &claimed.lease;
    let facts = SourceFacts { title: Some("Un titre".to_owned()), duration_ms: Some(61_000) };
    let upload = Upload { url: "https://upload.example.com/1".to_owned(), at: stores.now() };
    for step in [Step::Fetched(facts), Step::Uploaded(Some(upload.clone()))] {
        assert_eq!(stores.step(lease, step.clone()).await, Outcome::Held);
        let once = stores.seen(&claimed.transcription).await;
        assert_eq!(stores.step(lease, step).await, Outcome::Held);
        assert_eq!(stores.seen(&claimed.transcription).await, once);
    }
    let intent = stores.jobs.intend(lease, a_submission()).await.expect("written down");
    for _ in 0..2 {
        let effects = StepEffects { refused: Some(intent.id), ..StepEffects::default() };
        let forgotten = stores.commit(lease, Step::Uploaded(None), effects).await;
        assert_eq!(forgotten.expect("it is applied"), Outcome::Held);
    }
    stores.step(lease, Step::Release).await;
    let next = stores.claim_one().await;
    let parts = next.job.parts();
    assert_eq!((parts.stage, parts.failures, &parts.upload), (Stage::Submitting, 0, &None));
    let closed = next.submission.map(|submission| (submission.seq, submission.state));
    assert_eq!(closed, Some((1, SubmissionState::Error)));
    let spent = NewSubmission { id: intent.id, upload_url: None, callback: None };
    let reused = stores.jobs.intend(&next.lease, spent).await;
    assert!(matches!(reused, Err(IntentError::Failed(_))), "its name is used up: {reused:?}");
    assert_eq!(stores.submit(&next.lease).await.seq, 2);
}

/// Effects that do not go with their step are a mistake: nothing of either is done, and trying
/// again does not help.
pub async fn effects_that_do_not_fit_change_nothing(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let intent = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let before = stores.seen(&claimed.transcription).await;
    stores.advance(1);
    let accepted = || Some((intent.id, "provider".to_owned()));
    let transcript = || Some(a_transcript());
    let facts = || CompletedFacts { language_detected: None, confidence: None, duration_ms: None };
    let submitted = || Step::Submitted { check_at: stores.now() + TimeDelta::seconds(5) };
    let none = StepEffects::default;
    let misfits = || {
        [
            (submitted(), none()),
            (submitted(), StepEffects { refused: Some(intent.id), ..none() }),
            (Step::Complete(facts()), none()),
            (Step::Release, StepEffects { accepted: accepted(), ..none() }),
            (Step::Uploaded(None), StepEffects { transcript: transcript(), ..none() }),
            (Step::Fail(a_failure()), StepEffects { accepted: accepted(), ..none() }),
        ]
    };
    for (step, effects) in misfits() {
        let refused = stores.commit(&claimed.lease, step.clone(), effects).await;
        assert_permanent(refused, &step);
        assert_eq!(stores.seen(&claimed.transcription).await, before, "{step:?}");
    }
    stores.step(&claimed.lease, Step::Release).await;
    for (step, effects) in misfits() {
        assert_permanent(stores.commit(&claimed.lease, step.clone(), effects).await, &step);
    }
    assert_eq!(stores.claim_one().await.submission, Some(intent));
}

/// Two submissions cannot have one name at an engine: the second is not taken, and its job is as
/// it was.
pub async fn an_engine_names_each_submission_differently(stores: &Stores) {
    let (_, taken) = stores.a_waiting_job().await;
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let intent = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let before = stores.seen(&claimed.transcription).await;
    let accepted = taken.provider_id.map(|name| (intent.id, name));
    let effects = StepEffects { accepted, ..StepEffects::default() };
    let step = Step::Submitted { check_at: stores.now() };
    assert_permanent(stores.commit(&claimed.lease, step.clone(), effects).await, &step);

    assert_eq!(stores.seen(&claimed.transcription).await, before);
    stores.step(&claimed.lease, Step::Release).await;
    assert_eq!(stores.claim_one().await.submission, Some(intent));
}

/// Only an open submission of the job itself is accepted, and only one that is open or was
/// refused is refused.
pub async fn a_submission_is_closed_by_its_own_job(stores: &Stores) {
    let other = stores.a_leased_job().await;
    stores.prepare(&other.lease).await;
    let theirs = stores.jobs.intend(&other.lease, a_submission()).await.expect("written down");
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let unknown: SubmissionId = a_submission().id;
    for id in [theirs.id, unknown] {
        let refused = StepEffects { refused: Some(id), ..StepEffects::default() };
        let step = Step::Release;
        assert_permanent(stores.commit(&claimed.lease, step.clone(), refused).await, &step);
        let accepted = Some((id, format!("provider of {id}")));
        let accepted = StepEffects { accepted, ..StepEffects::default() };
        let step = Step::Submitted { check_at: stores.now() };
        assert_permanent(stores.commit(&claimed.lease, step.clone(), accepted).await, &step);
    }
    stores.step(&other.lease, Step::Release).await;
    let again = stores.claim(&request(9)).await.pop().expect("it is ready");
    assert_eq!(again.submission, Some(theirs));
}

fn assert_permanent(result: Result<Outcome, CommitError>, step: &Step) {
    match result {
        Err(CommitError::Failed(failure)) => assert!(!failure.is_transient(), "{step:?}"),
        other => panic!("{step:?} fails for good: {other:?}"),
    }
}
