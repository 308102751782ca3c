//! Submissions that are given up, by a step or by the end of their job.

use std::time::Duration;

use application::ports::{CommitError, StepEffects};
use chrono::TimeDelta;
use domain::{FailureCode, Job, PollStep, Step, Submission, SubmissionState};

use crate::contract::{
    Stores, a_submission,
    samples::ENGINE,
    stores::{a_failure, request},
};

/// A complete list of the engine's jobs that lacks a submission is counted once.
pub async fn a_listing_without_a_submission_is_counted(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let intent = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let unlisted = || StepEffects { unlisted: Some(intent.id), ..StepEffects::default() };
    let held = stores.commit(&claimed.lease, Step::Uploaded(None), unlisted()).await;
    assert!(
        matches!(&held, Err(CommitError::Failed(failure)) if !failure.is_transient()),
        "said again it would count again: {held:?}"
    );
    let mut lease = claimed.lease;
    for listings in 1..=3 {
        let snooze = || Step::Snooze { failure: a_failure(), run_at: stores.now() };
        stores.commit(&lease, snooze(), unlisted()).await.expect("it is counted");
        let again = stores.commit(&lease, snooze(), unlisted()).await;
        assert!(matches!(again, Err(CommitError::LeaseLost)), "{again:?}");
        stores.tick().await;
        let next = stores.claim_one().await;
        let counted =
            next.submission.map(|submission| (submission.state, submission.clean_listings));
        assert_eq!(counted, Some((SubmissionState::Intent, listings)));
        lease = next.lease;
    }
}

/// What is given up makes room for another, and is looked for at its engine from then on.
pub async fn a_submission_is_given_up_and_another_may_follow(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let intent = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    assert_eq!(stores.unresolved().await, [], "it is open");
    for _ in 0..2 {
        let abandoned = StepEffects { abandoned: Some(intent.id), ..StepEffects::default() };
        let forgotten = stores.commit(&claimed.lease, Step::Uploaded(None), abandoned).await;
        forgotten.expect("it may be said again");
    }
    let abandoned = Submission { state: SubmissionState::Abandoned, ..intent.clone() };
    assert_eq!(stores.unresolved().await, [abandoned]);
    let second = stores.submit(&claimed.lease).await;
    assert_eq!(second.seq, 2);
    assert_eq!(stores.unresolved().await.len(), 1, "the other one is accepted");

    let foreign = StepEffects { abandoned: Some(intent.id), ..StepEffects::default() };
    let other = stores.a_leased_job().await;
    for effects in [foreign, StepEffects { unlisted: Some(intent.id), ..StepEffects::default() }] {
        let refused = stores.commit(&other.lease, Step::Release, effects).await;
        assert!(
            matches!(&refused, Err(CommitError::Failed(failure)) if !failure.is_transient()),
            "another job's submission: {refused:?}"
        );
    }
}

/// What is looked for is told by engine and age, the oldest first.
pub async fn what_is_looked_for_is_told_the_oldest_first(stores: &Stores) {
    let before = stores.now() - TimeDelta::seconds(1);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (job, submission) = stores.a_given_up_job().await;
        let parts = job.transcription.parts();
        stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off");
        ids.push(submission.id);
        stores.advance(1);
    }
    let told = async |engine: &str, since, limit| -> Vec<_> {
        let told = stores.jobs.unresolved(engine, since, limit).await.expect("they are told");
        told.into_iter().map(|submission| submission.id).collect()
    };
    assert_eq!(told(ENGINE, before, 9).await, ids);
    assert_eq!(told(ENGINE, before, 2).await, ids[..2]);
    assert_eq!(told(ENGINE, before + TimeDelta::seconds(1), 9).await, ids[1..], "only later ones");
    assert_eq!(told("other", before, 9).await, []);
}

/// However a job ends, an open submission is given up: the engine may have accepted it.
pub async fn a_job_that_ends_gives_its_open_submission_up(stores: &Stores) {
    let ends = ["fail", "cancel", "delete", "crash", "expire"];
    for (given_up, how) in ends.into_iter().enumerate() {
        let claimed = stores.a_leased_job().await;
        stores.prepare(&claimed.lease).await;
        let new = a_submission();
        let intent = stores.jobs.intend(&claimed.lease, new).await.expect("written down");
        let parts = claimed.transcription.parts();
        match how {
            "fail" => {
                stores.step(&claimed.lease, Step::Fail(a_failure())).await;
            }
            "cancel" => {
                stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off");
            }
            "delete" => {
                assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
            }
            "crash" => stores.crash_out().await,
            _ => {
                let run_at = stores.now() + Job::DEADLINE;
                let snooze = Step::Snooze { failure: a_failure(), run_at };
                stores.step(&claimed.lease, snooze).await;
                stores.clock.advance(Job::DEADLINE + TimeDelta::seconds(1));
                assert_eq!(stores.tick().await.expired, 1);
            }
        }
        assert!(!stores.is_alive(claimed.lease.job).await, "{how}");
        let found = stores.unresolved().await;
        assert_eq!(found.len(), given_up + 1, "{how}");
        let latest = found.last().map(|last| (last.id, last.state, last.callback));
        assert_eq!(latest, Some((intent.id, SubmissionState::Abandoned, intent.callback)), "{how}");
        assert!(stores.due_erasures().await.is_empty(), "{how}: nothing is known to be there");
    }
}

/// However a job ends without a transcript, the copy that the engine has of it is put down; so is
/// that of a submission at which the engine failed.
pub async fn a_copy_whose_result_nobody_takes_is_put_down(stores: &Stores) {
    let failure = || a_failure();
    let ends = ["resubmit", "fail", "fail while storing", "crash", "too late", "cancel", "delete"];
    for how in ends {
        let (waiting, submission) = stores.a_waiting_job().await;
        let lease = &waiting.lease;
        let parts = waiting.transcription.parts();
        match how {
            "resubmit" => {
                let run_at = stores.now() + TimeDelta::days(9);
                let step = PollStep::Resubmit { failure: failure(), run_at };
                stores.settle(lease, step).await.expect("it is tried again");
            }
            "fail" => {
                stores.settle(lease, PollStep::Fail(failure())).await.expect("it ends");
            }
            "fail while storing" => {
                stores.settle(lease, PollStep::Finished).await.expect("it goes on");
                let again = stores.claim_one().await;
                stores.step(&again.lease, Step::Fail(failure())).await;
            }
            "crash" => {
                stores.settle(lease, PollStep::Finished).await.expect("it goes on");
                stores.claim_one().await;
                stores.crash_out().await;
            }
            "too late" => {
                stores.clock.advance(Job::AWAIT + TimeDelta::seconds(1));
                let ended = stores.tick().await.ended;
                assert_eq!(ended, [(lease.job, FailureCode::ProviderTimeout)]);
            }
            "cancel" => {
                stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off");
            }
            _ => assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted")),
        }
        let hold = Duration::from_hours(1_000);
        let due = stores.jobs.due_erasures(ENGINE, 9, hold).await.expect("handed out");
        let due: Vec<_> = due.into_iter().map(|erasure| erasure.provider_id).collect();
        assert_eq!(due, submission.provider_id.as_slice(), "{how}");
        let late = stores.commit(lease, Step::Release, StepEffects::default()).await;
        assert!(matches!(late, Err(CommitError::LeaseLost)), "{how}: {late:?}");
        assert!(stores.claim(&request(9)).await.is_empty(), "{how}");
    }
    assert_eq!(stores.unresolved().await, [], "all were accepted, and known to be");
}

/// With the transcript the copy at the engine is put down, if that is asked for, and not before.
pub async fn a_copy_whose_transcript_is_stored_is_put_down_if_asked(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.complete(&waiting.lease).await;
    assert!(stores.due_erasures().await.is_empty(), "it was not asked for");

    let (waiting, submission) = stores.a_waiting_job().await;
    stores.settle(&waiting.lease, PollStep::Finished).await.expect("the job goes on");
    let again = stores.claim_one().await;
    let early = StepEffects { erase: true, ..StepEffects::default() };
    let early = stores.commit(&again.lease, Step::Release, early).await;
    assert!(
        matches!(&early, Err(CommitError::Failed(failure)) if !failure.is_transient()),
        "nothing is stored: {early:?}"
    );
    assert!(stores.due_erasures().await.is_empty());
    stores.store(&again.lease, true).await;
    assert_eq!(stores.due_erasures().await, submission.provider_id.as_slice());
}
