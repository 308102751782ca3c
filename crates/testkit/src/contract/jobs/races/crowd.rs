//! Several processes keep house, ask and claim at once.

use std::{collections::HashSet, time::Duration};

use application::ports::{Claimed, CommitError, StepEffects};
use chrono::TimeDelta;
use domain::{Outcome, Step, SubmissionState, TranscriptionId, UserId};
use tokio::task::JoinSet;

use super::rounds;
use crate::contract::{
    Stores, a_submission, a_transcription,
    stores::{a_failure, request},
};

const A_MINUTE: Duration = Duration::from_mins(1);

/// A lease that has just ended is prolonged or taken away, not both.
pub async fn a_lease_is_prolonged_or_taken_away(stores: &Stores) {
    for round in rounds() {
        let owner = stores.owner().await;
        stores.queued(owner).await;
        let asked = request(1);
        let claimed = stores.claim(&asked).await.pop().expect("one job is ready");
        stores.advance(61);
        let held = [(claimed.lease.job, claimed.lease.epoch)];
        let heartbeat = stores.jobs.heartbeat(asked.worker, &held, A_MINUTE);
        let (kept, report) = round.race(stores, heartbeat, stores.tick()).await;
        let kept = kept.expect("it is taken");
        let released = stores.commit(&claimed.lease, Step::Release, StepEffects::default()).await;
        match (&kept[..], report.reaped) {
            ([id], 0) if *id == claimed.lease.job => {
                assert_eq!(released.expect("it holds it"), Outcome::Free, "{round:?}");
            }
            ([], 1) => assert!(matches!(released, Err(CommitError::LeaseLost)), "{round:?}"),
            other => panic!("{round:?}: {other:?}"),
        }
        let next = stores.claim_one().await;
        assert_eq!(next.lease.epoch, claimed.lease.epoch.next(), "{round:?}");
        stores.step(&next.lease, Step::Fail(a_failure())).await;
    }
}

/// A holder that comes back late frees its job or has lost it, not both.
pub async fn a_late_step_is_applied_or_its_job_is_taken_away(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        stores.advance(61);
        let step = stores.commit(&claimed.lease, Step::Release, StepEffects::default());
        let (stepped, report) = round.race(stores, step, stores.tick()).await;
        match (stepped, report.reaped) {
            (Ok(Outcome::Free), 0) | (Err(CommitError::LeaseLost), 1) => {}
            other => panic!("{round:?}: {other:?}"),
        }
        let next = stores.claim_one().await;
        assert_eq!(next.lease.epoch, claimed.lease.epoch.next(), "{round:?}");
        stores.step(&next.lease, Step::Fail(a_failure())).await;
    }
}

/// A callback that comes while the submission is written down as accepted makes the job due, or
/// comes too early for it; it never brings another name in.
pub async fn a_callback_that_comes_during_the_submission_changes_no_name(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        stores.prepare(&claimed.lease).await;
        let new = a_submission();
        let callback = new.callback.expect("it has one");
        let intent = stores.jobs.intend(&claimed.lease, new).await.expect("written down");
        let name = format!("provider-{}", intent.id);
        let check_at = stores.now() + TimeDelta::seconds(5);
        let accepted = Some((intent.id, name.clone()));
        let effects = StepEffects { accepted, ..StepEffects::default() };
        let submitted = stores.commit(&claimed.lease, Step::Submitted { check_at }, effects);
        let heard = stores.hear(&callback, Some("another-name"));
        let (submitted, heard) = round.race(stores, submitted, heard).await;
        assert_eq!(submitted.expect("it waits"), Outcome::Free, "{round:?}");
        assert_eq!(heard, Some(claimed.lease.job), "{round:?}");
        stores.advance(6);
        let due = stores.due_polls().await;
        let names: Vec<_> = due.iter().map(|due| due.submission.provider_id.as_deref()).collect();
        assert_eq!(names, [Some(name.as_str())], "{round:?}");
        let parts = claimed.transcription.parts();
        stores.jobs.delete(parts.owner, parts.id).await.expect("it is deleted");
    }
}

/// Whether a callback or the time makes a scheduled job ready, it is ready once.
pub async fn a_job_that_is_woken_while_its_time_comes_is_ready_once(stores: &Stores) {
    for round in rounds() {
        let claimed = stores.a_leased_job().await;
        stores.prepare(&claimed.lease).await;
        let new = a_submission();
        let callback = new.callback.expect("it has one");
        let intent = stores.jobs.intend(&claimed.lease, new).await.expect("written down");
        let step = Step::Snooze { failure: a_failure(), run_at: stores.now() };
        stores.step(&claimed.lease, step).await;
        let woken = stores.hear(&callback, None);
        let (heard, _) = round.race(stores, woken, stores.tick()).await;
        assert_eq!(heard, Some(claimed.lease.job), "{round:?}");
        let next = stores.claim_one().await;
        let open = next.submission.map(|open| (open.id, open.state));
        assert_eq!(open, Some((intent.id, SubmissionState::Intent)), "{round:?}");
        assert_eq!(next.lease.epoch, claimed.lease.epoch.next(), "{round:?}");
        stores.step(&next.lease, Step::Fail(a_failure())).await;
    }
}

/// Jobs that become ready while others are added, by several processes, all get a place of their
/// own among those of their owner.
pub async fn jobs_that_become_ready_at_once_have_places_of_their_own(stores: &Stores) {
    const EACH: usize = 6;
    for round in rounds().step_by(4) {
        let owners = [stores.owner().await, stores.owner().await, stores.owner().await];
        for owner in owners {
            stores.queue(owner, EACH).await;
        }
        for claimed in stores.claim(&request(99)).await {
            let step = Step::Retry { failure: a_failure(), run_at: stores.now() };
            stores.step(&claimed.lease, step).await;
        }
        let mut calls = JoinSet::new();
        for limit in [99, 5, 4, 3] {
            let jobs = stores.jobs.clone();
            calls.spawn(async move { jobs.tick(limit).await.expect("it is done").promoted });
        }
        for owner in owners.into_iter().cycle().take(3 * EACH) {
            let stores = stores.clone();
            calls.spawn(async move {
                stores.queued(owner).await;
                0
            });
        }
        let mut promoted: u32 = calls.join_all().await.into_iter().sum();
        promoted += stores.tick().await.promoted;
        assert_eq!(promoted as usize, owners.len() * EACH, "{round:?}");
        let ready = stores.claim(&request(99)).await;
        assert_eq!(ready.len(), 2 * owners.len() * EACH, "{round:?}");
        for owner in owners {
            places_of_their_own(&ready, owner);
        }
        for claimed in ready {
            stores.step(&claimed.lease, Step::Fail(a_failure())).await;
        }
    }
}

fn places_of_their_own(ready: &[Claimed], owner: UserId) {
    let own = ready.iter().filter(|claimed| claimed.job.parts().owner == owner);
    let mut places: Vec<_> = own.map(|claimed| claimed.job.parts().vtime).collect();
    let all = places.len();
    places.dedup();
    assert_eq!(places.len(), all, "they were handed out in the order of their places: {places:?}");
}

/// However many ask whom to ask about, each waiting job is handed out once.
pub async fn a_waiting_job_is_handed_out_to_one_of_many(stores: &Stores) {
    const JOBS: usize = 6;
    let mut waiting = HashSet::new();
    for _ in 0..JOBS {
        waiting.insert(stores.a_waiting_job().await.0.lease.job);
    }
    for round in rounds() {
        stores.advance(31);
        let mut polls = JoinSet::new();
        for limit in [2, 9, 3, 9] {
            let jobs = stores.jobs.clone();
            polls.spawn(async move {
                let due = jobs.due_polls(limit, Duration::from_secs(30)).await;
                due.expect("they are handed out")
            });
        }
        let mut due: Vec<_> = polls.join_all().await.into_iter().flatten().collect();
        due.extend(stores.due_polls().await);
        let ids: Vec<TranscriptionId> = due.iter().map(|due| due.job.parts().id).collect();
        assert_eq!(ids.len(), JOBS, "{round:?}");
        assert_eq!(ids.into_iter().collect::<HashSet<_>>(), waiting, "{round:?}");
    }
}

/// What one user adds at once, by several processes, is in some order.
pub async fn jobs_that_are_added_at_once_have_places_of_their_own(stores: &Stores) {
    const JOBS: usize = 40;
    let (owner, other) = (stores.owner().await, stores.owner().await);
    let mut added = JoinSet::new();
    for at in 0..JOBS {
        let stores = stores.clone();
        let owner = if at % 4 == 0 { other } else { owner };
        added.spawn(async move {
            let wanted = a_transcription(owner, stores.now());
            stores.jobs.enqueue(&wanted).await.expect("it is queued");
        });
    }
    added.join_all().await;
    let ready = stores.claim(&request(99)).await;
    assert_eq!(ready.len(), JOBS);
    places_of_their_own(&ready, owner);
    places_of_their_own(&ready, other);
}
