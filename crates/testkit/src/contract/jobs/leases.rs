//! What the holder of a lease can do, and what it cannot do without.

use application::ports::{CommitError, Lease, StepEffects};
use chrono::TimeDelta;
use domain::{
    CompletedFacts, Epoch, JobState, Outcome, SourceFacts, Stage, Status, Step, SubmissionState,
    TranscriptionState, Upload,
};

use crate::contract::{
    Stores, a_transcript,
    stores::{a_failure, request},
};

/// Each claim of a job has a number of its own, and the numbers rise.
pub async fn epochs_rise_with_every_claim(stores: &Stores) {
    let mut claimed = stores.a_leased_job().await;
    for epoch in 2..6 {
        stores.step(&claimed.lease, Step::Release).await;
        claimed = stores.claim_one().await;
        assert_eq!(claimed.lease.epoch, Epoch::new(epoch));
        assert_eq!(claimed.job.parts().epoch, Epoch::new(epoch));
    }
}

/// What a holder has done is there for the next one, and for the owner to see.
pub async fn a_step_is_kept(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let facts = SourceFacts { title: Some("Été".to_owned()), duration_ms: Some(1_234) };
    assert_eq!(stores.step(&claimed.lease, Step::Fetched(facts.clone())).await, Outcome::Held);
    let upload = Upload { url: "https://upload.example.com/1".to_owned(), at: stores.now() };
    let uploaded = Step::Uploaded(Some(upload.clone()));
    assert_eq!(stores.step(&claimed.lease, uploaded).await, Outcome::Held);

    let seen = stores.seen(&claimed.transcription).await;
    assert_eq!(seen.parts().facts, facts);
    let stage = match &seen.parts().state {
        TranscriptionState::Processing { stage, .. } => *stage,
        other => panic!("it is processing: {other:?}"),
    };
    assert_eq!(stage, Stage::Submitting);

    assert_eq!(stores.step(&claimed.lease, Step::Release).await, Outcome::Free);
    let next = stores.claim_one().await;
    assert_eq!(next.job.parts().stage, Stage::Submitting);
    assert_eq!(next.job.parts().upload, Some(upload));
    assert_eq!(next.transcription, seen);
}

/// Who was overtaken by another claim, or asks under a claim that never was, is refused.
pub async fn a_stale_lease_changes_nothing(stores: &Stores) {
    let first = stores.a_leased_job().await;
    stores.step(&first.lease, Step::Release).await;
    assert_lost(stores, &first.lease).await;
    let second = stores.claim_one().await;
    let before = stores.seen(&second.transcription).await;
    stores.advance(1);

    assert_lost(stores, &first.lease).await;
    let future = Lease { job: second.lease.job, epoch: second.lease.epoch.next() };
    assert_lost(stores, &future).await;
    assert_eq!(stores.seen(&second.transcription).await, before);

    stores.step(&second.lease, Step::Release).await;
    let third = stores.claim_one().await;
    assert_eq!(third.job.parts().stage, Stage::Fetching);
    assert_eq!(third.job.parts().failures, 0);
}

async fn assert_lost(stores: &Stores, lease: &Lease) {
    for step in [
        Step::Fetched(SourceFacts::default()),
        Step::Retry { failure: a_failure(), run_at: stores.now() },
        Step::Release,
        Step::Fail(a_failure()),
    ] {
        let refused = stores.commit(lease, step.clone(), StepEffects::default()).await;
        assert!(matches!(refused, Err(CommitError::LeaseLost)), "{step:?}: {refused:?}");
    }
}

/// A step that does not follow from the stage is an error, and nothing of it stays.
pub async fn a_step_out_of_turn_changes_nothing(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let before = stores.seen(&claimed.transcription).await;
    stores.advance(1);
    let facts = CompletedFacts { language_detected: None, confidence: None, duration_ms: None };
    let effects = StepEffects { transcript: Some(a_transcript()), ..StepEffects::default() };
    let refused = stores.commit(&claimed.lease, Step::Complete(facts), effects).await;
    assert!(matches!(refused, Err(CommitError::Failed(_))), "{refused:?}");

    assert_eq!(stores.seen(&claimed.transcription).await, before);
    let (owner, id) = (before.parts().owner, before.parts().id);
    let found = stores.transcriptions.find(owner, id).await.expect("it is read");
    assert_eq!(found.and_then(|found| found.text), None);
    stores.step(&claimed.lease, Step::Fetched(SourceFacts::default())).await;
}

/// Handing a job back costs nothing: no count, and no place in the queue.
pub async fn a_released_job_keeps_its_place(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = stores.queue(owner, 3).await;
    let first = stores.claim(&request(1)).await.pop().expect("one is ready");
    stores.step(&first.lease, Step::Release).await;

    let again = stores.claim(&request(1)).await.pop().expect("one is ready");
    assert_eq!(again.lease.job, queued[0]);
    assert_eq!(again.job.parts().vtime.to_bits(), first.job.parts().vtime.to_bits());
    assert_eq!((again.job.parts().failures, again.job.parts().crashes), (0, 0));
    assert_eq!(again.transcription.parts().retry_count, 0);
}

/// A retry is counted, shown, and not handed out before its time.
pub async fn a_retry_is_counted_and_waits_for_its_time(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let run_at = stores.now() + TimeDelta::seconds(10);
    let retry = Step::Retry { failure: a_failure(), run_at };
    assert_eq!(stores.step(&claimed.lease, retry).await, Outcome::Free);
    assert_lost(stores, &claimed.lease).await;

    stores.advance(9);
    assert_eq!(stores.tick().await.promoted, 0);
    assert!(stores.claim(&request(9)).await.is_empty(), "it is not time");
    stores.advance(1);
    assert_eq!(stores.tick().await.promoted, 1);
    let again = stores.claim_one().await;
    assert_eq!(again.job.parts().failures, 1);
    assert_eq!(again.transcription.parts().retry_count, 1);
    assert_eq!(stores.seen(&claimed.transcription).await.status(), Status::Processing);
}

/// Waiting for others is not held against a job.
pub async fn a_snooze_is_not_counted(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let run_at = stores.now() + TimeDelta::seconds(10);
    let snooze = Step::Snooze { failure: a_failure(), run_at };
    assert_eq!(stores.step(&claimed.lease, snooze).await, Outcome::Free);
    assert!(stores.claim(&request(9)).await.is_empty(), "it is not time");
    stores.advance(10);
    assert_eq!(stores.tick().await.promoted, 1);
    let again = stores.claim_one().await;
    assert_eq!(again.job.parts().failures, 0);
    assert_eq!(again.transcription.parts().retry_count, 0);
}

/// A failed job is gone, and its owner reads why.
pub async fn a_failure_ends_the_job_and_is_shown(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.advance(3);
    assert_eq!(stores.step(&claimed.lease, Step::Fail(a_failure())).await, Outcome::Ended);
    let seen = stores.seen(&claimed.transcription).await;
    let started_at = claimed.transcription.parts().state.started_at();
    assert_eq!(seen.parts().state, TranscriptionState::Failed { started_at, failure: a_failure() });
    assert!(!stores.is_alive(claimed.lease.job).await);
    assert_lost(stores, &claimed.lease).await;
}

/// A completed job is gone; its transcript reads back equal, and its submission is finished.
pub async fn a_completed_job_leaves_its_transcript(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let id = waiting.lease.job;
    stores.advance(7);
    stores.settle(&waiting.lease, domain::PollStep::Finished).await.expect("it goes on");
    let claimed = stores.claim_one().await;
    let submitted = claimed.submission.as_ref().map(|submission| submission.state);
    assert_eq!(submitted, Some(SubmissionState::Accepted));
    assert!(matches!(claimed.job.parts().state, JobState::Leased { .. }));

    let transcript = a_transcript();
    let facts = CompletedFacts {
        language_detected: transcript.language.clone(),
        confidence: transcript.confidence,
        duration_ms: transcript.duration_ms,
    };
    let effects = StepEffects { transcript: Some(transcript), ..StepEffects::default() };
    let completed = stores.commit(&claimed.lease, Step::Complete(facts.clone()), effects).await;
    assert_eq!(completed.expect("it completes"), Outcome::Ended);

    let owner = claimed.transcription.parts().owner;
    let found = stores.transcriptions.find(owner, id).await.expect("it is read");
    let found = found.expect("it is there");
    assert_eq!(found.text, Some(a_transcript().text));
    let started_at = claimed.transcription.parts().state.started_at().expect("it began");
    let completed_at = stores.now();
    assert_eq!(
        found.transcription.parts().state,
        TranscriptionState::Completed { started_at, completed_at, facts }
    );
    let read = stores.transcriptions.transcript(owner, id).await.expect("it is read");
    assert_eq!(read.map(|read| read.transcript), Some(a_transcript()));
    assert!(!stores.is_alive(id).await);
    assert_lost(stores, &claimed.lease).await;
}
