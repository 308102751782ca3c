//! The fair queue, and who may take how much from it.

use std::{collections::HashSet, time::Duration};

use application::ports::{ClaimRequest, Claimed, EnqueueError};
use domain::{Epoch, JobState, PollStep, Stage, Status, Step, TranscriptionId, UserId};
use tokio::task::JoinSet;

use crate::contract::{
    Stores, a_transcription, a_user,
    stores::{a_failure, request},
};

/// A job is handed out once; it is leased, and its owner sees that work began.
pub async fn a_queued_job_is_claimed_once_and_seen_to_begin(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = stores.queued(owner).await;
    assert_eq!(stores.seen(&queued).await.status(), Status::Pending);

    let asked = request(1);
    let claimed = stores.claim(&asked).await.pop().expect("the job is ready");
    assert_eq!(claimed.lease.job, queued.parts().id);
    assert_eq!(claimed.lease.epoch, Epoch::new(1));
    let until = stores.now() + Duration::from_mins(1);
    let parts = claimed.job.parts();
    assert_eq!(parts.state, JobState::Leased { worker: asked.worker, until });
    assert_eq!((parts.stage, parts.epoch, parts.owner), (Stage::Fetching, Epoch::new(1), owner));
    assert_eq!(claimed.submission, None);
    assert_eq!(claimed.transcription.status(), Status::Processing);
    assert_eq!(stores.seen(&queued).await, claimed.transcription);

    assert!(stores.claim(&request(9)).await.is_empty(), "it is taken");
}

/// Nothing of a transcription is lost or changed on its way in and out.
pub async fn what_is_queued_reads_back_equal(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = stores.queued(owner).await;
    assert_eq!(stores.seen(&queued).await, queued);
}

/// A job needs an account.
pub async fn an_unknown_owner_is_refused(stores: &Stores) {
    let stranger = a_user(stores.now()).parts().id;
    let transcription = a_transcription(stranger, stores.now());
    let error = stores.jobs.enqueue(&transcription).await.expect_err("nobody owns it");
    assert!(matches!(error, EnqueueError::NoSuchOwner), "{error:?}");
    assert!(!stores.is_alive(transcription.parts().id).await);
    assert!(stores.claim(&request(9)).await.is_empty());
}

/// A worker gets no more than it asks for.
pub async fn no_more_is_claimed_than_there_are_slots(stores: &Stores) {
    let owner = stores.owner().await;
    stores.queue(owner, 5).await;
    assert_eq!(stores.claim(&request(0)).await.len(), 0);
    assert_eq!(stores.claim(&request(3)).await.len(), 3);
    assert_eq!(stores.claim(&request(3)).await.len(), 2);
}

/// However many ask at once, each job has one holder.
pub async fn a_job_goes_to_one_of_many_claimers(stores: &Stores) {
    let mut queued = Vec::new();
    for _ in 0..4 {
        let owner = stores.owner().await;
        queued.extend(stores.queue(owner, 10).await);
    }
    let claimed = race(stores, 16, request(5)).await;
    let distinct: HashSet<TranscriptionId> = claimed.iter().map(|c| c.lease.job).collect();
    assert_eq!(claimed.len(), queued.len(), "each is claimed, and once");
    assert_eq!(distinct, queued.into_iter().collect());
    assert!(claimed.iter().all(|claimed| claimed.lease.epoch == Epoch::new(1)));
}

/// The limit on leased jobs of one owner holds over all workers.
pub async fn an_owner_never_has_more_leased_than_allowed(stores: &Stores) {
    let (first, second) = (stores.owner().await, stores.owner().await);
    stores.queue(first, 20).await;
    stores.queue(second, 20).await;
    let claimed = race(stores, 12, ClaimRequest { per_owner: 3, ..request(4) }).await;
    assert_eq!(of(&claimed, first), 3);
    assert_eq!(of(&claimed, second), 3);
}

/// Whoever is at the limit is passed over.
pub async fn a_full_owner_does_not_hold_up_the_others(stores: &Stores) {
    let (crowd, late) = (stores.owner().await, stores.owner().await);
    stores.queue(crowd, 150).await;
    stores.claim(&request(2)).await;
    stores.queue(late, 1).await;
    let claimed = stores.claim(&ClaimRequest { per_owner: 3, ..request(4) }).await;
    assert_eq!((of(&claimed, crowd), of(&claimed, late)), (1, 1));
}

/// The limit on jobs at the engine holds over all workers, and waiting jobs count.
pub async fn the_engine_never_has_more_than_its_cap(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let owner = stores.owner().await;
    stores.queue(owner, 30).await;
    let capped = ClaimRequest { provider_cap: Some(6), ..request(2) };
    assert_eq!(race(stores, 12, capped).await.len(), 5, "one is at the engine already");

    stores.settle(&waiting.lease, PollStep::Finished).await.expect("the engine is done");
    let claimed = stores.claim(&ClaimRequest { provider_cap: Some(6), ..request(9) }).await;
    let stages: Vec<Stage> = claimed.iter().map(|claimed| claimed.job.parts().stage).collect();
    assert_eq!(stages.len(), 2, "its place is free, and its result is not held back");
    assert!(stages.contains(&Stage::Storing) && stages.contains(&Stage::Fetching), "{stages:?}");
}

/// What the engine has done is stored even while no more may go there.
pub async fn a_result_is_stored_though_the_engine_is_full(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.settle(&waiting.lease, PollStep::Finished).await.expect("the engine is done");
    let owner = stores.owner().await;
    stores.queue(owner, 3).await;
    let claimed = stores.claim(&ClaimRequest { provider_cap: Some(0), ..request(9) }).await;
    let jobs: Vec<TranscriptionId> = claimed.iter().map(|claimed| claimed.lease.job).collect();
    assert_eq!(jobs, [waiting.lease.job]);
}

/// An owner's jobs are done first come, first served.
pub async fn jobs_of_one_owner_come_in_their_order(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = stores.queue(owner, 6).await;
    let mut claimed = Vec::new();
    for slots in [1, 3, 2] {
        claimed.extend(stores.claim(&request(slots)).await.iter().map(|c| c.lease.job));
    }
    assert_eq!(claimed, queued);
}

/// Who queues a few jobs behind another's two hundred is served among the next.
pub async fn a_latecomer_does_not_wait_behind_a_crowd(stores: &Stores) {
    let (crowd, late) = (stores.owner().await, stores.owner().await);
    stores.queue(crowd, 200).await;
    assert_eq!(stores.claim(&request(4)).await.len(), 4);
    stores.queue(late, 5).await;
    let claimed = stores.claim(&request(10)).await;
    assert_eq!((of(&claimed, crowd), of(&claimed, late)), (5, 5), "they take turns");
}

/// However many jobs of one user are queued, another's first one is among the next two that begin.
/// Not one of the cases that the macro makes: how large a crowd can be is for each store to say.
pub async fn a_newcomer_does_not_wait_for_a_crowd_of(stores: &Stores, jobs: usize) {
    const TOGETHER: usize = 8;
    let (crowd, newcomer) = (stores.owner().await, stores.owner().await);
    let mut queueing = JoinSet::new();
    for part in 0..TOGETHER {
        let stores = stores.clone();
        queueing.spawn(async move {
            let share = jobs / TOGETHER + usize::from(part < jobs % TOGETHER);
            stores.queue(crowd, share).await.len()
        });
    }
    assert_eq!(queueing.join_all().await.into_iter().sum::<usize>(), jobs);
    let at_work = stores.claim(&request(8)).await;
    assert_eq!(of(&at_work, crowd), 8);
    stores.queued(newcomer).await;
    // One after the other, a slot becomes free.
    let mut begun = Vec::new();
    for done in at_work.iter().take(2) {
        stores.step(&done.lease, Step::Fail(a_failure())).await;
        begun.extend(stores.claim(&request(1)).await);
    }
    assert_eq!((of(&begun, crowd), of(&begun, newcomer)), (1, 1));
}

/// A job lives from when it is queued until it has ended.
pub async fn the_living_are_told_from_the_gone(stores: &Stores) {
    let owner = stores.owner().await;
    let ids = stores.queue(owner, 3).await;
    stores.jobs.delete(owner, ids[1]).await.expect("it is deleted");
    let unknown = a_transcription(owner, stores.now()).parts().id;
    let asked = [ids[0], ids[1], unknown, ids[2]];
    let living = stores.jobs.living(&asked).await.expect("they are looked up");
    assert_eq!(living.into_iter().collect::<HashSet<_>>(), HashSet::from([ids[0], ids[2]]));
    assert!(stores.jobs.living(&[]).await.expect("nothing is looked up").is_empty());
}

/// Many workers claim at once, twice each.
async fn race(stores: &Stores, claimers: usize, asked: ClaimRequest) -> Vec<Claimed> {
    let tasks: Vec<_> = (0..claimers)
        .map(|_| {
            let stores = stores.clone();
            let asked = ClaimRequest { worker: request(0).worker, ..asked };
            tokio::spawn(async move {
                let mut claimed = stores.claim(&asked).await;
                claimed.extend(stores.claim(&asked).await);
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.expect("the claimer lives"));
    }
    claimed
}

fn of(claimed: &[Claimed], owner: UserId) -> usize {
    claimed.iter().filter(|claimed| claimed.job.parts().owner == owner).count()
}
