//! What time alone does to a job.

use std::time::Duration;

use application::ports::StepEffects;
use chrono::TimeDelta;
use domain::{
    FailureCode, Job, SourceFacts, Stage, Status, Step, Transcription, TranscriptionState,
};

use crate::contract::{
    Stores,
    stores::{a_failure, request},
};

const MINUTE: Duration = Duration::from_mins(1);

/// Who keeps calling keeps the job.
pub async fn a_heartbeat_keeps_a_lease(stores: &Stores) {
    let owner = stores.owner().await;
    stores.queued(owner).await;
    let asked = request(1);
    let claimed = stores.claim(&asked).await.pop().expect("the job is ready");
    let held = [(claimed.lease.job, claimed.lease.epoch)];
    for _ in 0..3 {
        stores.advance(50);
        let kept = stores.jobs.heartbeat(asked.worker, &held, MINUTE).await;
        assert_eq!(kept.expect("it is heard"), [claimed.lease.job]);
        assert_eq!(stores.tick().await.reaped, 0);
    }
    stores.step(&claimed.lease, Step::Fetched(SourceFacts::default())).await;
}

/// Another's lease, an earlier claim and a job that is gone are not kept.
pub async fn a_heartbeat_tells_what_is_lost(stores: &Stores) {
    let owner = stores.owner().await;
    let ids = stores.queue(owner, 4).await;
    let (ours, theirs) = (request(3), request(1));
    let mut held = Vec::new();
    for claimed in stores.claim(&ours).await {
        held.push((claimed.lease.job, claimed.lease.epoch));
    }
    let other = stores.claim(&theirs).await.pop().expect("one is left");
    held.push((other.lease.job, other.lease.epoch));
    held[1].1 = held[1].1.next();
    stores.jobs.delete(owner, ids[2]).await.expect("it is deleted");

    let kept = stores.jobs.heartbeat(ours.worker, &held, MINUTE).await.expect("it is heard");
    assert_eq!(kept, [ids[0]]);
    let none = stores.jobs.heartbeat(ours.worker, &[], MINUTE).await.expect("it is heard");
    assert!(none.is_empty());

    stores.advance(59);
    stores.jobs.heartbeat(ours.worker, &held, MINUTE).await.expect("it is heard");
    stores.advance(2);
    assert_eq!(stores.tick().await.reaped, 2, "what was not kept was not prolonged");
}

/// When a lease ends the job is handed out again, counted, and the old holder is fenced off.
pub async fn a_dead_holder_is_relieved(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    stores.advance(60);
    assert_eq!(stores.tick().await.reaped, 0, "the lease ends after its last instant");
    stores.advance(1);
    let report = stores.tick().await;
    assert_eq!((report.reaped, report.crashed_out), (1, 0));

    let next = stores.claim_one().await;
    assert_eq!(next.lease.job, claimed.lease.job);
    assert_eq!(next.lease.epoch, claimed.lease.epoch.next());
    assert_eq!((next.job.parts().crashes, next.job.parts().failures), (1, 0));
    assert_eq!(next.transcription.parts().retry_count, 1);
    let late = stores.commit(&claimed.lease, Step::Fail(a_failure()), StepEffects::default()).await;
    assert!(late.is_err(), "the first holder is fenced off");
    assert_eq!(stores.seen(&next.transcription).await.status(), Status::Processing);
}

/// The third death is the last: the job is taken for the cause.
pub async fn a_job_whose_holders_keep_dying_is_given_up(stores: &Stores) {
    let mut claimed = stores.a_leased_job().await;
    for _ in 1..Job::MAX_CRASHES {
        stores.advance(61);
        assert_eq!(stores.tick().await.reaped, 1);
        claimed = stores.claim_one().await;
    }
    stores.advance(61);
    let report = stores.tick().await;
    assert_eq!((report.reaped, report.crashed_out), (0, 1));
    assert_eq!(failed_with(stores, &claimed.transcription).await, FailureCode::WorkerCrashLoop);
    assert!(!stores.is_alive(claimed.lease.job).await);
}

/// What nobody got to within a day is given up.
pub async fn a_job_past_its_deadline_ends(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = stores.queued(owner).await;
    stores.clock.advance(Job::DEADLINE);
    assert_eq!(stores.tick().await.expired, 0, "it ends after its last instant");
    stores.advance(1);
    assert_eq!(stores.tick().await.expired, 1);
    assert_eq!(failed_with(stores, &queued).await, FailureCode::DeadlineExceeded);
    assert!(stores.claim(&request(9)).await.is_empty());
}

/// A job is not taken from a holder that lives.
pub async fn a_job_that_is_worked_on_outlives_its_deadline(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let domain::JobState::Leased { worker, .. } = claimed.job.parts().state else {
        panic!("it is leased");
    };
    let held = [(claimed.lease.job, claimed.lease.epoch)];
    let days = Duration::from_hours(48);
    stores.jobs.heartbeat(worker, &held, days).await.expect("it is heard");
    stores.clock.advance(Job::DEADLINE + TimeDelta::hours(1));
    assert_eq!(stores.tick().await.expired, 0);
    stores.step(&claimed.lease, Step::Release).await;
    assert_eq!(stores.tick().await.expired, 1);
}

/// A waiting job is given up when the engine had its time.
pub async fn an_engine_that_takes_too_long_is_given_up(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.clock.advance(Job::AWAIT);
    assert_eq!(stores.tick().await.expired, 0, "it ends after its last instant");
    stores.advance(1);
    assert_eq!(stores.tick().await.expired, 1);
    let code = failed_with(stores, &waiting.transcription).await;
    assert_eq!(code, FailureCode::ProviderTimeout);
    assert!(stores.due_polls().await.is_empty());
}

/// Whoever does the housekeeping learns which jobs it ended, and why; of others it learns nothing.
pub async fn what_is_given_up_is_told_with_its_reason(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.clock.advance(Job::AWAIT);
    stores.advance(1);
    let late = (waiting.lease.job, FailureCode::ProviderTimeout);
    assert_eq!(stores.tick().await.ended, [late]);

    let mut claimed = stores.a_leased_job().await;
    for _ in 1..Job::MAX_CRASHES {
        stores.advance(61);
        assert_eq!(stores.tick().await.ended, [], "it gets another chance");
        claimed = stores.claim_one().await;
    }
    let owner = stores.owner().await;
    stores.clock.advance(Job::DEADLINE);
    let young = stores.queued(owner).await;
    let crashed = (claimed.lease.job, FailureCode::WorkerCrashLoop);
    assert_eq!(stores.tick().await.ended, [crashed]);
    stores.clock.advance(Job::DEADLINE);
    stores.advance(1);
    let old = (young.parts().id, FailureCode::DeadlineExceeded);
    assert_eq!(stores.tick().await.ended, [old]);
    assert_eq!(stores.tick().await.ended, [], "it is told once");
}

/// A sleeper is told when to wake: at the earliest scheduled or waiting job.
pub async fn the_next_due_instant_is_told(stores: &Stores) {
    assert_eq!(stores.tick().await.next_due, None);
    let claimed = stores.a_leased_job().await;
    assert_eq!(stores.tick().await.next_due, None, "a leased job is nobody's to wake for");
    let run_at = stores.now() + TimeDelta::microseconds(10_000_001);
    stores.step(&claimed.lease, Step::Retry { failure: a_failure(), run_at }).await;
    assert_eq!(stores.tick().await.next_due, Some(run_at));

    stores.a_waiting_job().await;
    let check_at = stores.now() + TimeDelta::seconds(5);
    assert_eq!(stores.tick().await.next_due, Some(check_at));
}

/// At most `limit` of each at a time; the rest follows.
pub async fn the_housekeeping_keeps_to_its_limit(stores: &Stores) {
    let owner = stores.owner().await;
    stores.queue(owner, 5).await;
    let claimed = stores.claim(&request(5)).await;
    let run_at = stores.now() + TimeDelta::seconds(1);
    for claimed in &claimed {
        stores.step(&claimed.lease, Step::Retry { failure: a_failure(), run_at }).await;
    }
    stores.advance(1);
    let mut promoted = Vec::new();
    for _ in 0..4 {
        promoted.push(stores.jobs.tick(2).await.expect("it is done").promoted);
    }
    assert_eq!(promoted, [2, 2, 1, 0]);
}

async fn failed_with(stores: &Stores, transcription: &Transcription) -> FailureCode {
    match &stores.seen(transcription).await.parts().state {
        TranscriptionState::Failed { failure, .. } => {
            assert!(Stage::ALL.contains(&failure.stage()));
            failure.code()
        }
        other => panic!("it failed: {other:?}"),
    }
}
