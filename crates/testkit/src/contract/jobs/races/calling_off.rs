//! A job is canceled or deleted at the very moment at which somebody else moves it.

use application::ports::{CancelOutcome, CommitError, Lease, StepEffects};
use chrono::TimeDelta;
use domain::{
    CompletedFacts, Outcome, PollStep, SourceFacts, Status, Step, SubmissionState, Transcription,
};

use super::{Round, rounds};
use crate::contract::{
    Stores, a_submission, a_transcript,
    stores::{a_failure, request},
};

/// Either it was completed, with its text, or it was called off, without.
pub async fn a_job_that_is_canceled_while_it_completes_has_one_end(stores: &Stores) {
    for round in rounds() {
        let (transcription, lease, copy) = a_storing_job(stores).await;
        let (canceled, completed) =
            round.race(stores, cancel(stores, &transcription), complete(stores, &lease)).await;
        let status = match (canceled, completed) {
            (Some(CancelOutcome::Canceled(_)), Err(CommitError::LeaseLost)) => Status::Canceled,
            (Some(CancelOutcome::Ended(Status::Completed)), Ok(Outcome::Ended)) => {
                Status::Completed
            }
            other => panic!("{round:?}: {other:?}"),
        };
        ended(stores, round, &transcription, status).await;
        let parts = transcription.parts();
        let text = stores.transcriptions.transcript(parts.owner, parts.id).await;
        assert_eq!(text.expect("it is read").is_some(), status == Status::Completed, "{round:?}");
        let left = if status == Status::Canceled { vec![copy] } else { Vec::new() };
        assert_eq!(put_down(stores).await, left, "{round:?}");
    }
}

/// Nothing that its holder does in that moment brings it back.
pub async fn a_job_that_is_canceled_during_a_step_stays_canceled(stores: &Stores) {
    let steps = [
        Step::Fetched(SourceFacts::default()),
        Step::Retry { failure: a_failure(), run_at: stores.now() },
        Step::Release,
        Step::Fail(a_failure()),
        Step::Snooze { failure: a_failure(), run_at: stores.now() },
    ];
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        let (lease, step) = (claimed.lease, round.of(&steps));
        let step = stores.commit(&lease, step, StepEffects::default());
        let (canceled, stepped) =
            round.race(stores, cancel(stores, &claimed.transcription), step).await;
        let status = match (canceled, stepped) {
            (
                Some(CancelOutcome::Canceled(_)),
                Ok(Outcome::Held | Outcome::Free) | Err(CommitError::LeaseLost),
            ) => Status::Canceled,
            (Some(CancelOutcome::Ended(Status::Failed)), Ok(Outcome::Ended)) => Status::Failed,
            other => panic!("{round:?}: {other:?}"),
        };
        ended(stores, round, &claimed.transcription, status).await;
    }
}

/// Whoever claims it in that moment holds nothing.
pub async fn a_job_that_is_canceled_or_deleted_while_it_is_claimed_is_gone(stores: &Stores) {
    for round in rounds() {
        let owner = stores.owner().await;
        let (one, another) = (stores.queued(owner).await, stores.queued(owner).await);
        let called_off = async {
            let canceled = cancel(stores, &one).await;
            assert!(matches!(canceled, Some(CancelOutcome::Canceled(_))), "{canceled:?}");
            delete(stores, &another).await;
        };
        let asked = request(2);
        let ((), claimed) = round.race(stores, called_off, stores.claim(&asked)).await;
        for claimed in claimed {
            let late = stores.commit(&claimed.lease, Step::Release, StepEffects::default()).await;
            assert!(matches!(late, Err(CommitError::LeaseLost)), "{round:?}: {late:?}");
        }
        ended(stores, round, &one, Status::Canceled).await;
        gone(stores, round, &another).await;
    }
}

/// Whatever the engine answered in that moment, its copy is put down once and nothing else stays.
pub async fn a_job_that_is_deleted_while_it_is_settled_leaves_its_copy_only(stores: &Stores) {
    let check_at = stores.now() + TimeDelta::seconds(5);
    let steps = [
        PollStep::Finished,
        PollStep::Fail(a_failure()),
        PollStep::Resubmit { failure: a_failure(), run_at: stores.now() },
        PollStep::Pending { check_at },
    ];
    for round in rounds() {
        let (claimed, submission) = stores.a_waiting_job().await;
        let answer = stores.settle(&claimed.lease, round.of(&steps));
        let ((), settled) =
            round.race(stores, delete(stores, &claimed.transcription), answer).await;
        assert!(matches!(settled, Ok(_) | Err(CommitError::LeaseLost)), "{round:?}: {settled:?}");
        gone(stores, round, &claimed.transcription).await;
        assert_eq!(put_down(stores).await, [submission.provider_id.expect("a name")], "{round:?}");
    }
}

/// Its text goes with it, and its copy is put down once.
pub async fn a_job_that_is_deleted_while_it_completes_leaves_its_copy_only(stores: &Stores) {
    for round in rounds() {
        let (transcription, lease, copy) = a_storing_job(stores).await;
        let (completed, ()) =
            round.race(stores, complete(stores, &lease), delete(stores, &transcription)).await;
        assert!(
            matches!(completed, Ok(_) | Err(CommitError::LeaseLost)),
            "{round:?}: {completed:?}"
        );
        gone(stores, round, &transcription).await;
        let parts = transcription.parts();
        let text = stores.transcriptions.transcript(parts.owner, parts.id).await;
        assert_eq!(text.expect("it is read"), None, "{round:?}");
        assert_eq!(put_down(stores).await, [copy], "{round:?}");
    }
}

/// A submission that turns out to be accepted just when nobody wants it any more is put down.
pub async fn a_job_that_is_canceled_while_its_submission_is_found_leaves_its_copy(stores: &Stores) {
    for round in rounds() {
        let (claimed, submission) = stores.a_given_up_job().await;
        let name = format!("provider-{}", submission.id);
        let called_off = cancel(stores, &claimed.transcription);
        let found = stores.resolve(submission.id, &name);
        let (canceled, _) = round.race(stores, called_off, found).await;
        assert!(matches!(canceled, Some(CancelOutcome::Canceled(_))), "{round:?}: {canceled:?}");
        ended(stores, round, &claimed.transcription, Status::Canceled).await;
        assert_eq!(put_down(stores).await, [name], "{round:?}");
    }
    assert_eq!(stores.duplicates().await, 0);
}

/// A submission that leaves at the very moment of a deletion is remembered or was never written
/// down.
pub async fn a_job_that_is_deleted_while_it_is_submitted_is_remembered(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        stores.prepare(&claimed.lease).await;
        let new = a_submission();
        let intent = stores.jobs.intend(&claimed.lease, new.clone());
        let (written, ()) =
            round.race(stores, intent, delete(stores, &claimed.transcription)).await;
        gone(stores, round, &claimed.transcription).await;
        let open = stores.unresolved().await;
        match written {
            Ok(written) => {
                let remembered: Vec<_> = open.iter().map(|lost| (lost.id, lost.state)).collect();
                assert_eq!(remembered, [(new.id, SubmissionState::Abandoned)], "{round:?}");
                let name = format!("provider-{}", written.id);
                stores.resolve(written.id, &name).await;
                assert_eq!(put_down(stores).await, [name], "{round:?}");
            }
            Err(_) => assert!(open.is_empty(), "{round:?}: {open:?}"),
        }
    }
}

/// A job that is leased to be stored, and the engine's name for its copy.
async fn a_storing_job(stores: &Stores) -> (Transcription, Lease, String) {
    let (claimed, submission) = stores.a_waiting_job().await;
    stores.settle(&claimed.lease, PollStep::Finished).await.expect("the job goes on");
    let lease = stores.claim_one().await.lease;
    (claimed.transcription, lease, submission.provider_id.expect("a name"))
}

async fn complete(stores: &Stores, lease: &Lease) -> Result<Outcome, CommitError> {
    let transcript = a_transcript();
    let facts = CompletedFacts {
        language_detected: transcript.language.clone(),
        confidence: transcript.confidence,
        duration_ms: transcript.duration_ms,
    };
    let effects = StepEffects { transcript: Some(transcript), ..StepEffects::default() };
    stores.commit(lease, Step::Complete(facts), effects).await
}

async fn cancel(stores: &Stores, transcription: &Transcription) -> Option<CancelOutcome> {
    let parts = transcription.parts();
    stores.jobs.cancel(parts.owner, parts.id).await.expect("it is called off")
}

async fn delete(stores: &Stores, transcription: &Transcription) {
    let parts = transcription.parts();
    assert!(stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted"));
}

/// It has ended like this, and nothing goes on with it.
async fn ended(stores: &Stores, round: Round, transcription: &Transcription, status: Status) {
    assert!(!stores.is_alive(transcription.parts().id).await, "{round:?}");
    stores.tick().await;
    assert!(stores.claim(&request(9)).await.is_empty(), "{round:?}");
    assert!(stores.due_polls().await.is_empty(), "{round:?}");
    assert_eq!(stores.seen(transcription).await.status(), status, "{round:?}");
}

/// Nothing is left of it that anybody sees or goes on with.
async fn gone(stores: &Stores, round: Round, transcription: &Transcription) {
    let parts = transcription.parts();
    let found = stores.transcriptions.find(parts.owner, parts.id).await.expect("it is read");
    assert!(found.is_none(), "{round:?}: {found:?}");
    assert!(!stores.is_alive(parts.id).await, "{round:?}");
    stores.tick().await;
    assert!(stores.claim(&request(9)).await.is_empty(), "{round:?}");
    assert!(stores.due_polls().await.is_empty(), "{round:?}");
}

/// What is to be erased; it is, by that.
async fn put_down(stores: &Stores) -> Vec<String> {
    let due = stores.erasures_at(crate::contract::samples::ENGINE, 9).await;
    for erasure in &due {
        stores.jobs.erased(erasure.id).await.expect("it is done");
    }
    due.into_iter().map(|erasure| erasure.provider_id).collect()
}
