//! Submissions of which an engine says later that it accepted them.

use application::ports::Resolution;
use chrono::TimeDelta;
use domain::{
    Failure, FailureCode, JobState, Outcome, PollStep, Stage, Step, SubmissionState,
    TranscriptionState,
};

use crate::contract::{
    Stores, a_submission,
    samples::ENGINE,
    stores::{a_failure, request},
};

/// A job that gave its submission up takes it back, and waits for what is paid for already.
pub async fn a_job_that_lives_adopts_what_was_accepted(stores: &Stores) {
    let (job, submission) = stores.a_given_up_job().await;
    stores.advance(1);
    for expected in [Resolution::Adopted, Resolution::Recorded] {
        assert_eq!(stores.resolve(submission.id, "found").await, expected);
        assert_eq!(stores.unresolved().await, []);
    }
    assert!(stores.claim(&request(9)).await.is_empty(), "it waits");
    let polls = stores.due_polls().await;
    assert_eq!(polls.len(), 1, "it is asked about at once");
    assert_eq!(polls[0].job.parts().state, JobState::Waiting);
    let name = Some("found".to_owned());
    let accepted = (SubmissionState::Accepted, name, submission.callback);
    let poll = &polls[0].submission;
    assert_eq!((poll.state, poll.provider_id.clone(), poll.callback), accepted);
    let seen = stores.seen(&job.transcription).await;
    assert!(matches!(
        seen.parts().state,
        TranscriptionState::Processing { stage: Stage::Transcribing, .. }
    ));
    stores.complete(&job.lease).await;
    assert_eq!(stores.resolve(submission.id, "found").await, Resolution::Recorded);
    assert!(stores.due_erasures().await.is_empty(), "its owner has it");
    assert_eq!(stores.duplicates().await, 0);
}

/// With what was accepted first, the later one that is still open is given up; should that be
/// found too, it was paid for twice.
pub async fn an_adoption_gives_an_open_later_one_up(stores: &Stores) {
    let (_, first) = stores.a_given_up_job().await;
    let claimed = stores.claim_one().await;
    let second = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let run_at = stores.now() + TimeDelta::minutes(1);
    stores.step(&claimed.lease, Step::Snooze { failure: a_failure(), run_at }).await;

    assert_eq!(stores.resolve(first.id, "first").await, Resolution::Adopted);
    let unresolved: Vec<_> = stores.unresolved().await.iter().map(|lost| lost.id).collect();
    assert_eq!(unresolved, [second.id]);
    assert_eq!(stores.due_polls().await[0].submission.id, first.id);
    assert_eq!(stores.resolve(second.id, "second").await, Resolution::Duplicate);
    assert_eq!(stores.due_erasures().await, ["second"]);
    assert_eq!(stores.duplicates().await, 1);

    stores.settle(&claimed.lease, PollStep::Finished).await.expect("it is done");
    let storing = stores.claim_one().await;
    let read = storing.submission.map(|submission| (submission.id, submission.provider_id));
    assert_eq!(read, Some((first.id, Some("first".to_owned()))), "its result is read");
    stores.store(&storing.lease, false).await;
}

/// When the engine fails at what a job has taken back, another does not follow: the later one, which
/// that gave up, may have been accepted as well.
pub async fn what_was_taken_back_is_followed_by_no_third(stores: &Stores) {
    let (job, first) = stores.a_given_up_job().await;
    let claimed = stores.claim_one().await;
    let second = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let run_at = stores.now() + TimeDelta::minutes(1);
    stores.step(&claimed.lease, Step::Snooze { failure: a_failure(), run_at }).await;
    assert_eq!(stores.resolve(first.id, "first").await, Resolution::Adopted);

    let failure = Failure::new(FailureCode::ProviderFailed, Stage::Transcribing);
    let again = PollStep::Resubmit { failure: failure.clone(), run_at: stores.now() };
    let outcome = stores.settle(&claimed.lease, again).await.expect("it is noted");
    assert_eq!(outcome, Outcome::Ended);
    stores.clock.advance(TimeDelta::hours(1));
    stores.tick().await;
    assert!(stores.claim(&request(9)).await.is_empty(), "it has ended");
    let seen = stores.seen(&job.transcription).await;
    assert!(
        matches!(&seen.parts().state, TranscriptionState::Failed { failure: f, .. } if *f == failure),
        "{seen:?}"
    );
    let unresolved: Vec<_> = stores.unresolved().await.iter().map(|lost| lost.id).collect();
    assert_eq!(unresolved, [second.id], "it is looked for further on");
}

/// An open submission that a job looks for is adopted like one that was given up.
pub async fn an_open_submission_is_adopted(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.prepare(&claimed.lease).await;
    let intent = stores.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
    let run_at = stores.now() + TimeDelta::minutes(1);
    stores.step(&claimed.lease, Step::Snooze { failure: a_failure(), run_at }).await;
    assert_eq!(stores.resolve(intent.id, "found").await, Resolution::Adopted);
    assert_eq!(stores.due_polls().await[0].submission.id, intent.id);
}

/// While somebody holds the job nothing is decided: the copy may be needed.
pub async fn a_job_that_is_held_adopts_nothing(stores: &Stores) {
    let (_, submission) = stores.a_given_up_job().await;
    let held = stores.claim_one().await;
    let asked = stores.jobs.resolve(submission.id, ENGINE, "found").await;
    assert!(asked.is_err_and(|failure| failure.is_transient()));
    assert_eq!(stores.unresolved().await, std::slice::from_ref(&submission));
    assert!(stores.due_erasures().await.is_empty());
    stores.step(&held.lease, Step::Release).await;
    assert_eq!(stores.claim_one().await.submission.as_ref(), Some(&submission));
}

/// What was accepted for a job that has ended is put down, once.
pub async fn a_copy_that_nobody_needs_is_put_down(stores: &Stores) {
    for (how, delete) in [("canceled", false), ("deleted", true)] {
        let (job, submission) = stores.a_given_up_job().await;
        let parts = job.transcription.parts();
        if delete {
            assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
        } else {
            stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off");
        }
        assert_eq!(stores.unresolved().await.len(), 1, "{how}");
        for due in [&[how][..], &[]] {
            assert_eq!(stores.resolve(submission.id, how).await, Resolution::Unneeded, "{how}");
            assert_eq!(stores.due_erasures().await, due, "{how}");
            assert_eq!(stores.unresolved().await, [], "{how}");
        }
    }
    assert_eq!(stores.duplicates().await, 0, "it was paid for once");
}

/// What is accepted beside another of the same job is put down and counted, once, and stays
/// counted.
pub async fn what_is_paid_for_twice_is_put_down_and_counted(stores: &Stores) {
    let (job, first) = stores.a_given_up_job().await;
    let again = stores.claim_one().await;
    let second = stores.submit(&again.lease).await;
    let (done, older) = stores.a_given_up_job().await;
    let again = stores.claim_one().await;
    stores.submit(&again.lease).await;
    stores.complete(&again.lease).await;
    let parts = done.transcription.parts();
    assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
    assert_eq!(stores.due_erasures().await.len(), 1, "the copy of what is deleted");

    assert_eq!(stores.duplicates().await, 0);
    for due in [&["twice"][..], &[]] {
        assert_eq!(stores.resolve(first.id, "twice").await, Resolution::Duplicate);
        assert_eq!(stores.due_erasures().await, due);
        assert_eq!(stores.duplicates().await, 1);
    }
    assert_eq!(stores.resolve(older.id, "of the deleted").await, Resolution::Duplicate);
    assert_eq!(stores.due_erasures().await, ["of the deleted"]);
    assert_eq!(stores.duplicates().await, 2);

    stores.advance(5);
    let waits_for: Vec<_> = stores.due_polls().await.into_iter().map(|p| p.submission).collect();
    assert_eq!(waits_for, [second], "it goes on as it was");
    let parts = job.transcription.parts();
    assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
    stores.clock.advance(TimeDelta::days(9));
    stores.tick().await;
    assert_eq!(stores.duplicates().await, 2);
}

/// An engine that has two jobs of one submission is paid twice as well.
pub async fn a_submission_that_has_two_names_is_counted(stores: &Stores) {
    let (_, submission) = stores.a_waiting_job().await;
    for due in [&["another"][..], &[]] {
        assert_eq!(stores.resolve(submission.id, "another").await, Resolution::Duplicate);
        assert_eq!(stores.due_erasures().await, due);
        assert_eq!(stores.duplicates().await, 1);
    }
    stores.advance(5);
    assert_eq!(stores.due_polls().await[0].submission, submission, "the first name stays");
}

/// One that the engine had failed at before is not paid for: the next is no second payment.
pub async fn what_failed_before_is_no_second_payment(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let step = PollStep::Resubmit { failure: a_failure(), run_at: stores.now() };
    stores.settle(&waiting.lease, step).await.expect("it is tried again");
    assert_eq!(stores.due_erasures().await.len(), 1);
    stores.tick().await;
    let again = stores.claim_one().await;
    let second = stores.jobs.intend(&again.lease, a_submission()).await.expect("written down");
    stores.step(&again.lease, Step::Fail(a_failure())).await;
    assert_eq!(stores.resolve(second.id, "second").await, Resolution::Unneeded);
    assert_eq!(stores.due_erasures().await, ["second"]);
    assert_eq!(stores.duplicates().await, 0);
}

/// A submission that is recorded is paid for and goes on: its copy is not put down, whoever finds
/// it, whether its job lives or has ended. The same name at another engine is another copy.
pub async fn a_recorded_copy_is_never_put_down(stores: &Stores) {
    let (waiting, submission) = stores.a_waiting_job().await;
    let copy = submission.provider_id.expect("it is accepted");
    for id in [submission.id, a_submission().id] {
        assert_eq!(stores.resolve(id, &copy).await, Resolution::Recorded);
    }
    assert!(stores.due_erasures().await.is_empty(), "its job lives");
    stores.complete(&waiting.lease).await;
    for id in [submission.id, a_submission().id] {
        assert_eq!(stores.resolve(id, &copy).await, Resolution::Recorded);
    }
    assert!(stores.due_erasures().await.is_empty(), "its owner has it");

    stores.unknown_copy("other", &copy).await;
    assert_eq!(stores.erasures_at("other", 9).await.len(), 1);
}

/// What an engine may have accepted for a deleted transcription is remembered for three days, and
/// what it surely has or has not is forgotten at once.
pub async fn a_deleted_submission_is_remembered_for_three_days(stores: &Stores) {
    let (accepted, known) = stores.a_waiting_job().await;
    let callback = known.callback.expect("it can be called back");
    assert!(stores.hear(&callback, None).await.is_some());
    let parts = accepted.transcription.parts();
    assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
    assert_eq!(stores.hear(&callback, None).await, None);

    let (canceled, kept) = stores.a_given_up_job().await;
    let parts = canceled.transcription.parts();
    stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off");
    for _ in 0..2 {
        let (job, _) = stores.a_given_up_job().await;
        let parts = job.transcription.parts();
        assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
    }
    let lost = stores.unresolved().await;
    assert_eq!(lost.len(), 3);
    stores.clock.advance(TimeDelta::hours(72));
    stores.tick().await;
    assert_eq!(stores.unresolved().await, lost, "it is not yet time");
    let callback = lost[1].callback.expect("it can be called back");
    assert_eq!(stores.hear(&callback, None).await, Some(lost[1].job));
    stores.advance(1);
    for left in [2, 1, 1] {
        stores.jobs.tick(1).await.expect("the housekeeping is done");
        assert_eq!(stores.unresolved().await.len(), left);
    }
    assert_eq!(stores.unresolved().await, [kept], "its owner still has the transcription");
    assert_eq!(stores.hear(&callback, None).await, None);
    assert_eq!(stores.resolve(lost[1].id, "late").await, Resolution::Unneeded);
    assert_eq!(stores.due_erasures().await.last().map(String::as_str), Some("late"));
}
