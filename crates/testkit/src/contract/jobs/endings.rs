//! Calling off, deleting, and what must be erased elsewhere.

use std::time::Duration;

use application::ports::{CancelOutcome, CommitError, StepEffects};
use chrono::TimeDelta;
use domain::{JobState, Status, Step, Transcription, TranscriptionId, UserId};

use crate::contract::{
    Stores, a_transcription,
    samples::ENGINE,
    stores::{a_failure, request},
};

/// Whatever a job is doing, its owner can call it off.
pub async fn a_job_is_canceled_in_every_state(stores: &Stores) {
    let owner = stores.owner().await;
    let scheduled = stores.a_leased_job().await;
    let run_at = stores.now() + TimeDelta::seconds(10);
    stores.step(&scheduled.lease, Step::Retry { failure: a_failure(), run_at }).await;
    let (waiting, _) = stores.a_waiting_job().await;
    let leased = stores.a_leased_job().await;
    let ready = stores.queued(owner).await;

    stores.advance(1);
    for transcription in
        [&scheduled.transcription, &waiting.transcription, &leased.transcription, &ready]
    {
        let canceled = cancel(stores, transcription).await;
        assert_eq!(canceled.status(), Status::Canceled);
        assert_eq!(canceled.parts().updated_at, stores.now());
        assert_eq!(stores.seen(transcription).await, canceled);
        assert!(!stores.is_alive(transcription.parts().id).await);
    }
    stores.advance(60);
    stores.tick().await;
    assert!(stores.claim(&request(9)).await.is_empty());
    assert!(stores.due_polls().await.is_empty());
}

/// The second time is no error and no change.
pub async fn canceling_again_changes_nothing(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let first = cancel(stores, &claimed.transcription).await;
    stores.advance(5);
    assert_eq!(cancel(stores, &claimed.transcription).await, first);
}

/// Completed stays completed and failed stays failed, and the caller is told which.
pub async fn what_has_ended_is_not_canceled(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.complete(&waiting.lease).await;
    let failed = stores.a_leased_job().await;
    stores.step(&failed.lease, Step::Fail(a_failure())).await;
    for (ended, status) in
        [(&waiting.transcription, Status::Completed), (&failed.transcription, Status::Failed)]
    {
        let before = stores.seen(ended).await;
        let parts = ended.parts();
        let outcome = stores.jobs.cancel(parts.owner, parts.id).await.expect("it is answered");
        assert_eq!(outcome, Some(CancelOutcome::Ended(status)));
        assert_eq!(stores.seen(ended).await, before);
    }
}

/// Nothing that the holder of a canceled job does counts any more.
pub async fn a_canceled_job_fences_its_holder_off(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let canceled = cancel(stores, &claimed.transcription).await;
    assert_fenced(stores, &claimed).await;
    assert_eq!(stores.seen(&canceled).await, canceled);
}

/// The copy of a canceled job at the engine is to be erased.
pub async fn canceling_puts_the_accepted_copy_down(stores: &Stores) {
    let (waiting, submission) = stores.a_waiting_job().await;
    assert!(stores.due_erasures().await.is_empty());
    cancel(stores, &waiting.transcription).await;
    assert_eq!(Some(stores.due_erasures().await), submission.provider_id.map(|id| vec![id]));
    let claimed = stores.a_leased_job().await;
    cancel(stores, &claimed.transcription).await;
    assert!(stores.due_erasures().await.is_empty(), "one that was never sent has none");
}

/// Nothing is left of a deleted transcription, and its holder is fenced off.
pub async fn a_deleted_job_is_gone_and_fences_its_holder_off(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let parts = claimed.transcription.parts();
    assert!(delete(stores, parts.owner, parts.id).await);
    assert_fenced(stores, &claimed).await;
    let found = stores.transcriptions.find(parts.owner, parts.id).await.expect("it is read");
    assert_eq!(found, None);
    assert!(!stores.is_alive(parts.id).await);
    assert!(!delete(stores, parts.owner, parts.id).await, "it is deleted once");
}

/// With a finished transcription its transcript goes, and every copy that an engine ever took.
pub async fn deleting_puts_every_copy_down(stores: &Stores) {
    let (waiting, submission) = stores.a_waiting_job().await;
    stores.complete(&waiting.lease).await;
    assert!(stores.due_erasures().await.is_empty());
    let parts = waiting.transcription.parts();
    assert!(delete(stores, parts.owner, parts.id).await);
    let transcript = stores.transcriptions.transcript(parts.owner, parts.id).await;
    assert_eq!(transcript.expect("it is read"), None);
    assert_eq!(Some(stores.due_erasures().await), submission.provider_id.map(|id| vec![id]));

    let (live, submission) = stores.a_waiting_job().await;
    let parts = live.transcription.parts();
    assert!(delete(stores, parts.owner, parts.id).await);
    assert_eq!(Some(stores.due_erasures().await), submission.provider_id.map(|id| vec![id]));
}

/// What is another's is answered like what does not exist.
pub async fn another_owner_can_neither_cancel_nor_delete(stores: &Stores) {
    let stranger = stores.owner().await;
    let claimed = stores.a_leased_job().await;
    let owner = claimed.transcription.parts().owner;
    let unknown = a_transcription(owner, stores.now()).parts().id;
    for (who, id) in [(stranger, claimed.lease.job), (owner, unknown)] {
        assert_eq!(stores.jobs.cancel(who, id).await.expect("it is answered"), None);
        assert!(!delete(stores, who, id).await);
    }
    assert_eq!(stores.seen(&claimed.transcription).await, claimed.transcription);
    stores.step(&claimed.lease, Step::Release).await;
}

/// An erasure is handed out to one at a time, counted, until somebody says that it is done.
pub async fn an_erasure_is_handed_out_until_it_is_done(stores: &Stores) {
    let (waiting, submission) = stores.a_waiting_job().await;
    cancel(stores, &waiting.transcription).await;
    let first = stores.erasures_at(ENGINE, 9).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].engine, ENGINE);
    assert_eq!(Some(&first[0].provider_id), submission.provider_id.as_ref());
    assert!(stores.due_erasures().await.is_empty(), "somebody tries already");

    stores.advance(60);
    let second = stores.erasures_at(ENGINE, 9).await;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].id, first[0].id);
    assert_eq!(second[0].attempts, first[0].attempts + 1);

    stores.jobs.erased(first[0].id).await.expect("it is taken off");
    stores.advance(60);
    assert!(stores.due_erasures().await.is_empty());
    stores.jobs.erased(first[0].id).await.expect("again is no error");
}

/// Whoever erases at one engine is not given what lies at another.
pub async fn erasures_are_handed_out_by_engine(stores: &Stores) {
    for copy in ["one", "two", "three"] {
        stores.unknown_copy("other", copy).await;
    }
    stores.advance(1);
    stores.unknown_copy(ENGINE, "ours").await;
    let ours = stores.erasures_at(ENGINE, 1).await;
    assert_eq!(ours.iter().map(|e| e.provider_id.as_str()).collect::<Vec<_>>(), ["ours"]);
    let theirs = stores.erasures_at("other", 9).await;
    assert_eq!(theirs.len(), 3, "nobody has tried them yet");
    assert!(theirs.iter().all(|erasure| erasure.engine == "other" && erasure.attempts == 0));
    assert_eq!(stores.erasures_at("third", 9).await, []);
}

/// Putting the same copy down again does not have it erased twice.
pub async fn a_copy_is_put_down_once(stores: &Stores) {
    for (engine, copy) in [(ENGINE, "one"), (ENGINE, "one"), (ENGINE, "two"), ("other", "one")] {
        stores.unknown_copy(engine, copy).await;
    }
    assert_eq!(stores.erasures_at(ENGINE, 1).await.len(), 1, "no more than asked for");
    assert_eq!(stores.due_erasures().await.len(), 1, "the other one");
    assert_eq!(stores.erasures_at("other", 9).await.len(), 1);
}

async fn assert_fenced(stores: &Stores, claimed: &application::ports::Claimed) {
    let JobState::Leased { worker, .. } = claimed.job.parts().state else {
        panic!("it is leased");
    };
    for step in [Step::Release, Step::Fail(a_failure())] {
        let late = stores.commit(&claimed.lease, step, StepEffects::default()).await;
        assert!(matches!(late, Err(CommitError::LeaseLost)), "{late:?}");
    }
    let held = [(claimed.lease.job, claimed.lease.epoch)];
    let kept = stores.jobs.heartbeat(worker, &held, Duration::from_mins(1)).await;
    assert!(kept.expect("it is heard").is_empty());
}

async fn cancel(stores: &Stores, transcription: &Transcription) -> Transcription {
    let parts = transcription.parts();
    let outcome = stores.jobs.cancel(parts.owner, parts.id).await.expect("it is answered");
    match outcome {
        Some(CancelOutcome::Canceled(canceled)) => *canceled,
        other => panic!("it is canceled: {other:?}"),
    }
}

async fn delete(stores: &Stores, owner: UserId, id: TranscriptionId) -> bool {
    stores.jobs.delete(owner, id).await.expect("it is answered")
}
