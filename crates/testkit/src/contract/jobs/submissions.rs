//! The path on which money is spent: written down, sent once, asked about.

use application::ports::{CommitError, IntentError, Resolution, StepEffects};
use chrono::TimeDelta;
use domain::{
    Failure, FailureCode, Job, JobState, Outcome, PollStep, Stage, Status, Step, SubmissionState,
    TranscriptionState,
};

use crate::contract::{
    Stores, a_submission,
    samples::ENGINE,
    stores::{a_failure, request},
};

/// While a submission is open, nobody can write another down.
pub async fn a_submission_is_written_down_once(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let new = a_submission();
    let intent = stores.jobs.intend(&claimed.lease, new.clone()).await.expect("written down");
    assert_eq!((intent.id, intent.seq), (new.id, 1));
    assert_eq!((intent.job, intent.epoch), (claimed.lease.job, claimed.lease.epoch));
    assert_eq!(intent.upload_url, new.upload_url);
    assert_eq!((intent.state, &intent.provider_id), (SubmissionState::Intent, &None));
    assert_eq!(intent.intent_at, stores.now());

    let again = stores.jobs.intend(&claimed.lease, a_submission()).await;
    assert!(matches!(again, Err(IntentError::AlreadyOpen)), "{again:?}");
    stores.step(&claimed.lease, Step::Release).await;
    let next = stores.claim_one().await;
    assert_eq!(next.submission, Some(intent), "the next holder sees it");
    let again = stores.jobs.intend(&next.lease, a_submission()).await;
    assert!(matches!(again, Err(IntentError::AlreadyOpen)), "{again:?}");
}

/// What the engine surely did not take may be sent again, under the next number.
pub async fn a_refused_submission_makes_room_for_another(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let first = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let run_at = stores.now();
    let effects = StepEffects { refused: Some(first.id), ..StepEffects::default() };
    let retry = Step::Retry { failure: a_failure(), run_at };
    stores.commit(&claimed.lease, retry, effects).await.expect("it is tried again");
    stores.tick().await;
    let again = stores.claim_one().await;
    let closed = again.submission.as_ref().map(|submission| submission.state);
    assert_eq!(closed, Some(SubmissionState::Error));
    let second = stores.jobs.intend(&again.lease, a_submission()).await.expect("written down");
    assert_eq!((second.seq, second.epoch), (2, again.lease.epoch));
}

/// Only the holder writes a submission down.
pub async fn a_submission_needs_the_lease(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    stores.step(&claimed.lease, Step::Release).await;
    let refused = stores.jobs.intend(&claimed.lease, a_submission()).await;
    assert!(matches!(refused, Err(IntentError::LeaseLost)), "{refused:?}");
    let next = stores.claim_one().await;
    assert_eq!(next.submission, None);
    let refused = stores.jobs.intend(&claimed.lease, a_submission()).await;
    assert!(matches!(refused, Err(IntentError::LeaseLost)), "{refused:?}");
}

/// While the engine works nobody holds the job, and nobody can claim it.
pub async fn a_submitted_job_waits_without_a_holder(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let late = stores.commit(&waiting.lease, Step::Release, StepEffects::default()).await;
    assert!(matches!(late, Err(CommitError::LeaseLost)), "{late:?}");
    let again = stores.jobs.intend(&waiting.lease, a_submission()).await;
    assert!(matches!(again, Err(IntentError::LeaseLost)), "{again:?}");
    assert!(stores.claim(&request(9)).await.is_empty());
    assert!(stores.is_alive(waiting.lease.job).await);
    let seen = stores.seen(&waiting.transcription).await;
    assert!(matches!(
        seen.parts().state,
        TranscriptionState::Processing { stage: Stage::Transcribing, .. }
    ));
}

/// A job is asked about when it is due, by one poller at a time.
pub async fn a_waiting_job_is_handed_out_once(stores: &Stores) {
    let (waiting, submission) = stores.a_waiting_job().await;
    assert!(stores.due_polls().await.is_empty(), "it is not due");
    stores.advance(5);
    let due = stores.due_polls().await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].job.parts().id, waiting.lease.job);
    assert_eq!(due[0].job.parts().state, JobState::Waiting);
    assert_eq!(due[0].job.parts().epoch, waiting.lease.epoch);
    assert_eq!(due[0].submission, submission);
    assert_eq!(due[0].transcription, stores.seen(&waiting.transcription).await);

    assert!(stores.due_polls().await.is_empty(), "somebody asks already");
    stores.advance(30);
    assert_eq!(stores.due_polls().await.len(), 1, "whoever asked is gone");
}

/// An answer of "not yet" is counted and puts the next question off.
pub async fn an_engine_at_work_is_asked_again_later(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.advance(5);
    assert_eq!(stores.due_polls().await[0].job.parts().polls, 0);
    let check_at = stores.now() + TimeDelta::seconds(20);
    let outcome = stores.settle(&waiting.lease, PollStep::Pending { check_at }).await;
    assert_eq!(outcome.expect("it is noted"), Outcome::Free);
    stores.advance(19);
    assert!(stores.due_polls().await.is_empty());
    stores.advance(1);
    assert_eq!(stores.due_polls().await[0].job.parts().polls, 1);
}

/// When the engine is done the job is ready again, for its result to be stored.
pub async fn a_finished_job_is_claimed_for_storing(stores: &Stores) {
    let (waiting, submission) = stores.a_waiting_job().await;
    let outcome = stores.settle(&waiting.lease, PollStep::Finished).await;
    assert_eq!(outcome.expect("it is noted"), Outcome::Free);
    let claimed = stores.claim_one().await;
    assert_eq!(claimed.lease.job, waiting.lease.job);
    assert_eq!(claimed.lease.epoch, waiting.lease.epoch.next());
    assert_eq!(claimed.job.parts().stage, Stage::Storing);
    assert_eq!(claimed.submission, Some(submission));
    assert!(stores.due_polls().await.is_empty());
}

/// A job at which the engine failed is counted, waits, and may be submitted once more.
pub async fn a_failed_submission_may_be_followed_by_another(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let failure = Failure::new(FailureCode::ProviderFailed, Stage::Transcribing);
    let run_at = stores.now() + TimeDelta::seconds(10);
    let outcome = stores.settle(&waiting.lease, PollStep::Resubmit { failure, run_at }).await;
    assert_eq!(outcome.expect("it is noted"), Outcome::Free);
    assert!(stores.claim(&request(9)).await.is_empty(), "it is not time");
    stores.advance(10);
    assert_eq!(stores.tick().await.promoted, 1);

    let again = stores.claim_one().await;
    assert_eq!(again.job.parts().failures, 1);
    assert_eq!(again.transcription.parts().retry_count, 1);
    let closed = again.submission.as_ref().map(|submission| submission.state);
    assert_eq!(closed, Some(SubmissionState::Error));
    let second = stores.submit(&again.lease).await;
    assert_eq!(second.seq, 2);
    stores.complete(&again.lease).await;
    assert_eq!(stores.seen(&waiting.transcription).await.status(), Status::Completed);
}

/// A job that the engine failed at for good has failed.
pub async fn a_final_answer_ends_the_job(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let failure = Failure::new(FailureCode::NoAudio, Stage::Transcribing);
    let outcome = stores.settle(&waiting.lease, PollStep::Fail(failure.clone())).await;
    assert_eq!(outcome.expect("it is noted"), Outcome::Ended);
    let seen = stores.seen(&waiting.transcription).await;
    let started_at = waiting.transcription.parts().state.started_at();
    assert_eq!(seen.parts().state, TranscriptionState::Failed { started_at, failure });
    assert!(!stores.is_alive(waiting.lease.job).await);
}

/// An answer to a question that is no longer open is refused.
pub async fn an_answer_that_comes_too_late_changes_nothing(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let check_at = stores.now() + TimeDelta::hours(1);
    let early = stores.jobs.settle(
        waiting.lease.job,
        waiting.lease.epoch.next(),
        PollStep::Pending { check_at },
    );
    assert!(matches!(early.await, Err(CommitError::LeaseLost)), "another epoch");
    stores.advance(5);
    assert_eq!(stores.due_polls().await.len(), 1, "its due time is as it was");

    let owner = waiting.transcription.parts().owner;
    stores.jobs.cancel(owner, waiting.lease.job).await.expect("it is canceled");
    let late = stores.settle(&waiting.lease, PollStep::Finished).await;
    assert!(matches!(late, Err(CommitError::LeaseLost)), "{late:?}");
    assert_eq!(stores.seen(&waiting.transcription).await.status(), Status::Canceled);

    let claimed = stores.a_leased_job().await;
    let leased = stores.settle(&claimed.lease, PollStep::Finished).await;
    assert!(matches!(leased, Err(CommitError::LeaseLost)), "it does not wait: {leased:?}");
}

/// What was given up may turn out to be accepted when another is written down already: from then
/// on it is the one that counts, everywhere.
pub async fn an_adopted_submission_counts_though_another_followed(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let first = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let effects = StepEffects { abandoned: Some(first.id), ..StepEffects::default() };
    let anew = stores.commit(&claimed.lease, Step::Uploaded(None), effects).await;
    anew.expect("it is given up");
    let second = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    assert_eq!(second.seq, 2);
    let run_at = stores.now() + TimeDelta::hours(1);
    stores.step(&claimed.lease, Step::Snooze { failure: a_failure(), run_at }).await;

    let resolved = stores.jobs.resolve(first.id, ENGINE, "found").await.expect("it is settled");
    assert_eq!(resolved, Resolution::Adopted);
    let due = stores.due_polls().await;
    assert_eq!(due.iter().map(|due| due.submission.id).collect::<Vec<_>>(), [first.id]);
    stores.settle(&claimed.lease, PollStep::Finished).await.expect("it is stored next");
    let storing = stores.claim_one().await;
    let current = storing.submission.expect("it has one");
    assert_eq!((current.id, current.state), (first.id, SubmissionState::Accepted));
    let another = stores.jobs.intend(&storing.lease, a_submission()).await;
    assert!(matches!(another, Err(IntentError::AlreadyOpen)), "{another:?}");
}

/// A job that may have been paid for does not end as if it had not.
pub async fn a_job_without_an_answer_ends_as_unknown_when_its_day_is_over(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let intent = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let run_at = stores.now() + TimeDelta::minutes(1);
    stores.step(&claimed.lease, Step::Snooze { failure: a_failure(), run_at }).await;
    stores.clock.advance(Job::DEADLINE + TimeDelta::hours(1));
    let ended = stores.tick().await.ended;
    assert_eq!(ended, [(claimed.lease.job, FailureCode::SubmissionUnknown)]);
    let since = intent.intent_at - TimeDelta::hours(1);
    let open = stores.jobs.unresolved(ENGINE, since, 9).await.expect("they are listed");
    assert_eq!(open.iter().map(|s| s.id).collect::<Vec<_>>(), [intent.id]);
}
