//! What a callback does: it has a job looked at, and nothing else.

use application::ports::{Lease, StepEffects};
use chrono::TimeDelta;
use domain::{CallbackDigest, CallbackToken, PollStep, Step, Submission, SubmissionState};

use crate::contract::{
    Stores, a_submission,
    stores::{a_failure, request},
};

/// Who has no token of ours is not heard.
pub async fn a_callback_without_a_known_token_is_not_heard(stores: &Stores) {
    stores.a_waiting_job().await;
    let unknown = CallbackToken::new([7; 32]).digest();
    assert_eq!(stores.hear(&unknown, Some("found")).await, None);
    assert!(stores.due_polls().await.is_empty());
}

/// A job that waits for the engine is asked about at once.
pub async fn a_callback_makes_a_waiting_job_due(stores: &Stores) {
    let (_, other) = stores.a_waiting_job().await;
    let (waiting, submission) = stores.a_waiting_job().await;
    assert!(stores.due_polls().await.is_empty());
    for _ in 0..2 {
        let heard = stores.hear(&callback(&submission), Some("forged")).await;
        assert_eq!(heard, Some(waiting.lease.job));
    }
    let polls = stores.due_polls().await;
    assert_eq!(polls.iter().map(|poll| &poll.submission).collect::<Vec<_>>(), [&submission]);
    assert_eq!(polls[0].submission.hinted_id, None, "its name is known");
    stores.advance(5);
    stores.hear(&callback(&other), None).await;
    assert_eq!(stores.due_polls().await.len(), 1, "nothing is put off");
}

/// A job that will look for its open submission does so at once, and knows where.
pub async fn a_callback_wakes_a_job_that_looks_for_its_submission(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let intent = an_open_submission(stores, &claimed.lease).await;
    snooze(stores, &claimed.lease).await;
    assert!(stores.claim(&request(9)).await.is_empty());
    let heard = stores.hear(&callback(&intent), Some("found")).await;
    assert_eq!(heard, Some(claimed.lease.job));
    let next = stores.claim_one().await;
    let hinted = Submission { hinted_id: Some("found".to_owned()), ..intent };
    assert_eq!(next.submission, Some(hinted));
    assert_eq!(next.lease.epoch, claimed.lease.epoch.next());
    assert_eq!(next.job.parts().failures, 0);
}

/// Where there is nothing to look at nothing moves; the hint is kept while it can be of use.
pub async fn a_callback_moves_nothing_else(stores: &Stores) {
    // Held by somebody: the holder goes on.
    let claimed = stores.a_leased_job().await;
    let intent = an_open_submission(stores, &claimed.lease).await;
    let before = stores.seen(&claimed.transcription).await;
    stores.advance(1);
    stores.hear(&callback(&intent), Some("found")).await;
    assert_eq!(stores.seen(&claimed.transcription).await, before);
    assert!(stores.claim(&request(9)).await.is_empty());

    // Refused, and to be tried again later: not because of this.
    let effects = StepEffects { refused: Some(intent.id), ..StepEffects::default() };
    let run_at = stores.now() + TimeDelta::minutes(1);
    let retry = Step::Retry { failure: a_failure(), run_at };
    stores.commit(&claimed.lease, retry, effects).await.expect("it is still held");
    stores.hear(&callback(&intent), None).await;
    assert!(stores.claim(&request(9)).await.is_empty());

    // Waiting for a later submission: that is asked about in its own time.
    stores.advance(60);
    stores.tick().await;
    let again = stores.claim_one().await;
    let refused = again.submission.as_ref().map(|s| (s.state, s.hinted_id.as_deref()));
    assert_eq!(refused, Some((SubmissionState::Error, Some("found"))), "the hint is kept");
    let second = stores.submit(&again.lease).await;
    stores.hear(&callback(&intent), None).await;
    assert!(stores.due_polls().await.is_empty());

    // Ready, and ended.
    stores.settle(&again.lease, PollStep::Finished).await.expect("it goes on");
    stores.hear(&callback(&second), None).await;
    let storing = stores.claim_one().await;
    assert_eq!(storing.lease.epoch, again.lease.epoch.next());
    stores.store(&storing.lease, false).await;
    let before = stores.seen(&claimed.transcription).await;
    stores.advance(1);
    assert_eq!(stores.hear(&callback(&second), None).await, Some(claimed.lease.job));
    assert_eq!(stores.seen(&claimed.transcription).await, before);
}

/// The hint for what was given up is kept: the submission is looked for under it.
pub async fn a_hint_for_what_was_given_up_is_kept(stores: &Stores) {
    let (job, submission) = stores.a_given_up_job().await;
    let parts = job.transcription.parts();
    stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off");
    let name = "é".repeat(200);
    for (told, kept) in [
        ("", None),
        (&"x".repeat(201), None),
        ("a\0b", None),
        (&name, Some(&name)),
        ("", Some(&name)),
        ("later", Some(&"later".to_owned())),
    ] {
        let heard = stores.hear(&callback(&submission), Some(told)).await;
        assert_eq!(heard, Some(job.lease.job));
        assert_eq!(stores.unresolved().await[0].hinted_id.as_ref(), kept, "{told}");
    }
    stores.hear(&callback(&submission), None).await;
    let expected = Submission { hinted_id: Some("later".to_owned()), ..submission };
    assert_eq!(stores.unresolved().await, [expected], "and nothing else");
}

fn callback(submission: &Submission) -> CallbackDigest {
    submission.callback.expect("it can be called back")
}

async fn an_open_submission(stores: &Stores, lease: &Lease) -> Submission {
    stores.prepare(lease).await;
    stores.jobs.intend(lease, a_submission()).await.expect("written down")
}

async fn snooze(stores: &Stores, lease: &Lease) {
    let run_at = stores.now() + TimeDelta::minutes(1);
    stores.step(lease, Step::Snooze { failure: a_failure(), run_at }).await;
}
