//! The same thing is said twice at once, as by a caller that gave an answer up and asks again
//! while its first call is still under way, or by two processes that found the same.

use application::ports::{CommitError, Resolution, StepEffects};
use chrono::TimeDelta;
use domain::{
    Outcome, PollStep, SourceFacts, Stage, Step, SubmissionState, Transcription,
    TranscriptionState, Upload,
};

use super::rounds;
use crate::contract::{
    Stores, a_submission,
    samples::ENGINE,
    stores::{a_failure, request},
};

/// A step that keeps its holder is applied, and shown, as if it had been said once.
pub async fn a_step_that_is_said_twice_at_once_is_shown_once(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        let facts = SourceFacts { title: Some(format!("{round:?}")), duration_ms: Some(61_000) };
        let upload = Upload { url: "https://upload.example.com/1".to_owned(), at: stores.now() };
        for (step, stage) in [
            (Step::Fetched(facts), Stage::Uploading),
            (Step::Uploaded(Some(upload)), Stage::Submitting),
        ] {
            let once = stores.step(&claimed.lease, step.clone());
            let again = stores.step(&claimed.lease, step);
            let both = round.race(stores, once, again).await;
            assert_eq!(both, (Outcome::Held, Outcome::Held), "{round:?}");
            let seen = stores.seen(&claimed.transcription).await;
            let TranscriptionState::Processing { stage: shown, .. } = seen.parts().state else {
                panic!("{round:?}: {seen:?}");
            };
            assert_eq!(shown, stage, "{round:?}");
            assert_eq!(seen.parts().facts.title, Some(format!("{round:?}")), "{round:?}");
        }
        stores.step(&claimed.lease, Step::Fail(a_failure())).await;
    }
}

/// A step that is said before the answer to the one before it came keeps what that one told.
pub async fn a_step_that_overtakes_another_loses_nothing_of_it(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        let facts = SourceFacts { title: Some(format!("{round:?}")), duration_ms: Some(61_000) };
        let told = Step::Fetched(facts.clone());
        let told = stores.commit(&claimed.lease, told, StepEffects::default());
        let next = stores.step(&claimed.lease, Step::Uploaded(None));
        let (told, next) = round.race(stores, told, next).await;
        assert_eq!(next, Outcome::Held, "{round:?}");
        let expected = if told.is_ok() { facts } else { SourceFacts::default() };
        let seen = stores.seen(&claimed.transcription).await;
        assert_eq!(seen.parts().facts, expected, "{round:?}: {told:?}");
        stores.step(&claimed.lease, Step::Fail(a_failure())).await;
    }
}

/// A step that frees or ends a job is applied once; the other caller is told that it holds nothing.
pub async fn a_step_that_frees_a_job_is_applied_once(stores: &Stores) {
    let steps = [
        Step::Release,
        Step::Retry { failure: a_failure(), run_at: stores.now() },
        Step::Fail(a_failure()),
    ];
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        let step = round.of(&steps);
        let once = stores.commit(&claimed.lease, step.clone(), StepEffects::default());
        let again = stores.commit(&claimed.lease, step.clone(), StepEffects::default());
        let both = round.race(stores, once, again).await;
        assert!(
            matches!(
                both,
                (Ok(_), Err(CommitError::LeaseLost)) | (Err(CommitError::LeaseLost), Ok(_))
            ),
            "{round:?}: {both:?}"
        );
        if step == Step::Fail(a_failure()) {
            continue;
        }
        stores.tick().await;
        let next = stores.claim_one().await;
        assert_eq!(next.lease.epoch, claimed.lease.epoch.next(), "{round:?}");
        assert!(next.job.parts().failures <= 1, "{round:?}: it is counted once");
        stores.step(&next.lease, Step::Fail(a_failure())).await;
    }
}

/// However often its holder says that a submission is about to leave, it is written down once.
pub async fn an_intent_that_is_told_twice_at_once_is_written_down_once(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        stores.prepare(&claimed.lease).await;
        let new = a_submission();
        let once = stores.jobs.intend(&claimed.lease, new.clone());
        let again = stores.jobs.intend(&claimed.lease, new);
        let (once, again) = round.race(stores, once, again).await;
        let (once, again) = (once.expect("written down"), again.expect("it was"));
        assert_eq!(once, again, "{round:?}");
        assert_eq!((once.seq, once.state), (1, SubmissionState::Intent), "{round:?}");
        stores.step(&claimed.lease, Step::Release).await;
        let next = stores.claim_one().await;
        assert_eq!(next.submission, Some(once), "{round:?}");
        stores.step(&next.lease, Step::Fail(a_failure())).await;
    }
}

/// What is shown of a job never falls, whichever report comes last.
pub async fn progress_that_is_told_twice_at_once_never_falls(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    for round in rounds() {
        let (less, more) = (share(round.0 * 2 + 1), share(round.0 * 2 + 2));
        let one = stores.jobs.progress(&claimed.lease, less);
        let other = stores.jobs.progress(&claimed.lease, more);
        let (one, other) = round.race(stores, one, other).await;
        one.expect("it is taken");
        other.expect("it is taken");
        let seen = stores.seen(&claimed.transcription).await;
        let TranscriptionState::Processing { progress, .. } = seen.parts().state else {
            panic!("{round:?}: {seen:?}");
        };
        assert_eq!(progress, Some(more), "{round:?}");
    }
}

/// Shares that rise and stay below the whole.
fn share(step: u32) -> f64 {
    1.0 - 1.0 / f64::from(step + 1)
}

/// Two that found the same submission agree that it is adopted once.
pub async fn a_submission_that_two_find_is_adopted_once(stores: &Stores) {
    for round in rounds() {
        let (claimed, submission) = stores.a_given_up_job().await;
        let name = format!("provider-{}", submission.id);
        let one = stores.resolve(submission.id, &name);
        let another = stores.resolve(submission.id, &name);
        let both = round.race(stores, one, another).await;
        assert!(
            matches!(
                both,
                (Resolution::Adopted, Resolution::Recorded)
                    | (Resolution::Recorded, Resolution::Adopted)
            ),
            "{round:?}: {both:?}"
        );
        finish(stores, &name).await;
        away(stores, &claimed.transcription).await;
    }
    assert_eq!(stores.duplicates().await, 0);
}

/// A submission that left twice is adopted once and counted once.
pub async fn a_submission_that_two_find_under_two_names_is_counted(stores: &Stores) {
    for round in rounds() {
        let (claimed, submission) = stores.a_given_up_job().await;
        let names = ["one", "other"].map(|name| format!("{name}-{}", submission.id));
        let one = stores.resolve(submission.id, &names[0]);
        let other = stores.resolve(submission.id, &names[1]);
        let both = round.race(stores, one, other).await;
        let adopted = match both {
            (Resolution::Adopted, Resolution::Duplicate) => &names[0],
            (Resolution::Duplicate, Resolution::Adopted) => &names[1],
            other => panic!("{round:?}: {other:?}"),
        };
        assert_eq!(stores.duplicates().await, u64::from(round.0 + 1), "{round:?}");
        finish(stores, adopted).await;
        away(stores, &claimed.transcription).await;
    }
}

/// A job is either claimed or made to wait for what was found, not both.
pub async fn a_job_is_not_claimed_while_its_submission_is_adopted(stores: &Stores) {
    for round in rounds() {
        let (transcription, submission) = {
            let (claimed, submission) = stores.a_given_up_job().await;
            (claimed.transcription, submission)
        };
        let name = format!("provider-{}", submission.id);
        let asked = request(1);
        let found = stores.jobs.resolve(submission.id, ENGINE, &name);
        let (found, claimed) = round.race(stores, found, stores.claim(&asked)).await;
        match (found, &claimed[..]) {
            (Ok(Resolution::Adopted), []) => {}
            (Err(held), [claimed]) => {
                assert!(held.is_transient(), "{round:?}: {held:?}");
                stores.step(&claimed.lease, Step::Release).await;
                assert_eq!(stores.resolve(submission.id, &name).await, Resolution::Adopted);
            }
            other => panic!("{round:?}: {other:?}"),
        }
        finish(stores, &name).await;
        away(stores, &transcription).await;
    }
}

/// An answer that two processes got is taken once.
pub async fn an_answer_that_two_got_is_taken_once(stores: &Stores) {
    let steps = [
        PollStep::Finished,
        PollStep::Resubmit { failure: a_failure(), run_at: stores.now() },
        PollStep::Fail(a_failure()),
    ];
    for round in rounds() {
        let (claimed, _) = stores.a_waiting_job().await;
        let step = round.of(&steps);
        let one = stores.settle(&claimed.lease, step.clone());
        let other = stores.settle(&claimed.lease, step);
        let both = round.race(stores, one, other).await;
        assert!(
            matches!(
                both,
                (Ok(_), Err(CommitError::LeaseLost)) | (Err(CommitError::LeaseLost), Ok(_))
            ),
            "{round:?}: {both:?}"
        );
        let seen = stores.seen(&claimed.transcription).await;
        assert!(seen.parts().retry_count <= 1, "{round:?}: it is counted once");
        away(stores, &claimed.transcription).await;
    }
}

/// The one job that waits, waits for the submission of this name.
async fn finish(stores: &Stores, name: &str) {
    stores.advance(1);
    let due = stores.due_polls().await;
    let names: Vec<_> = due.iter().map(|due| due.submission.provider_id.as_deref()).collect();
    assert_eq!(names, [Some(name)]);
    assert_eq!(due[0].job.parts().run_at, stores.now() + TimeDelta::seconds(30));
}

async fn away(stores: &Stores, transcription: &Transcription) {
    let parts = transcription.parts();
    assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
}
