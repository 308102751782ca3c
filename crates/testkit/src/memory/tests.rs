//! What is this store's own: the arithmetic of the queue, and that a refused change leaves no
//! trace. The rest is the business of the contract suites.

use std::{sync::Arc, time::Duration};

use application::ports::{
    ClaimRequest, Claimed, Clock, CommitError, Ids, JobStore, NewSubmission, StepEffects,
    TickReport, UserRepository,
};
use chrono::TimeDelta;
use domain::{
    CompletedFacts, Email, Failure, FailureCode, JobState, Metadata, PasswordDigest, PollStep,
    Source, Stage, Status, Step, SubmissionId, SubmissionState, Transcription, TranscriptionId,
    TranscriptionOptions, TranscriptionState, User, UserId, WorkerId,
};

use super::InMemoryStore;
use crate::fakes::{self, Fakes, small_transcript};

const LEASE: Duration = Duration::from_mins(1);

struct Bench {
    fakes: Fakes,
    store: Arc<InMemoryStore>,
    worker: WorkerId,
}

impl Bench {
    fn new() -> Self {
        let fakes = fakes::adapters();
        let worker = WorkerId::from_uuid(fakes.ids.next());
        Self { store: fakes.store.clone(), worker, fakes }
    }

    async fn owner(&self) -> UserId {
        let id = UserId::from_uuid(self.fakes.ids.next());
        let email = Email::parse(&format!("{id}@example.com")).unwrap();
        let now = self.fakes.clock.now();
        let user = User::register(id, email, None, PasswordDigest::new("none"), now);
        self.store.insert(&user).await.unwrap();
        id
    }

    async fn enqueue(&self, owner: UserId) -> TranscriptionId {
        let id = TranscriptionId::from_uuid(self.fakes.ids.next());
        let url = "https://media.example/a.wav";
        let transcription = Transcription::request(
            id,
            owner,
            Some(url.to_owned()),
            Source::parse(url).unwrap(),
            TranscriptionOptions::default(),
            Metadata::default(),
            String::from("engine"),
            self.fakes.clock.now(),
        );
        self.store.enqueue(&transcription).await.unwrap();
        id
    }

    async fn claim(&self, slots: u32, per_owner: u32, provider_cap: Option<u32>) -> Vec<Claimed> {
        let request =
            ClaimRequest { worker: self.worker, slots, lease: LEASE, per_owner, provider_cap };
        self.store.claim(&request).await.unwrap()
    }

    async fn intend(&self, claimed: &Claimed) -> SubmissionId {
        let id = SubmissionId::from_uuid(self.fakes.ids.next());
        let new = NewSubmission { id, upload_url: None, callback: None };
        self.store.intend(&claimed.lease, new).await.unwrap().id
    }

    async fn submit(&self, claimed: &Claimed) {
        let plain = StepEffects::default;
        self.store.commit(&claimed.lease, Step::Uploaded(None), plain()).await.unwrap();
        let accepted = Some((self.intend(claimed).await, String::from("provider")));
        let effects = StepEffects { accepted, ..StepEffects::default() };
        let step = Step::Submitted { check_at: self.fakes.clock.now() };
        self.store.commit(&claimed.lease, step, effects).await.unwrap();
    }
}

fn ids(claimed: &[Claimed]) -> Vec<TranscriptionId> {
    claimed.iter().map(|claimed| claimed.lease.job).collect()
}

#[tokio::test]
async fn who_comes_late_with_little_is_not_behind_who_brought_much() {
    let bench = Bench::new();
    let (many, few) = (bench.owner().await, bench.owner().await);
    let mut lot = Vec::new();
    for _ in 0..100 {
        lot.push(bench.enqueue(many).await);
    }
    assert_eq!(ids(&bench.claim(3, 100, None).await), lot[..3]);
    // The clock stands at 3: the late job shares its place with the fourth, which is older.
    let late = bench.enqueue(few).await;
    assert_eq!(ids(&bench.claim(3, 100, None).await), [lot[3], late, lot[4]]);
}

#[tokio::test]
async fn a_job_that_is_due_again_queues_behind_its_owners_others() {
    let bench = Bench::new();
    let owner = bench.owner().await;
    let first = bench.enqueue(owner).await;
    let claimed = bench.claim(1, 9, None).await.remove(0);
    let failure = Failure::new(FailureCode::SourceUnreachable, Stage::Fetching);
    let run_at = bench.fakes.clock.now() + TimeDelta::seconds(5);
    let step = Step::Retry { failure, run_at };
    bench.store.commit(&claimed.lease, step, StepEffects::default()).await.unwrap();
    let second = bench.enqueue(owner).await;
    let waiting = TickReport { next_due: Some(run_at), ..TickReport::default() };
    assert_eq!(bench.store.tick(9).await.unwrap(), waiting);
    bench.fakes.clock.advance(TimeDelta::seconds(5));
    let promoted = TickReport { promoted: 1, ..TickReport::default() };
    assert_eq!(bench.store.tick(9).await.unwrap(), promoted);
    assert_eq!(ids(&bench.claim(9, 9, None).await), [second, first]);
}

#[tokio::test]
async fn the_limits_hold_over_several_claims_and_storing_is_free_of_the_engines() {
    let bench = Bench::new();
    let (one, other) = (bench.owner().await, bench.owner().await);
    for owner in [one, one, one, other, other] {
        bench.enqueue(owner).await;
    }
    let first = bench.claim(9, 2, Some(3)).await;
    assert_eq!(first.iter().filter(|c| c.job.parts().owner == one).count(), 2);
    assert_eq!(first.len(), 3, "the cap of the engine");
    let waiting = first.iter().find(|c| c.job.parts().owner == one).unwrap();
    bench.submit(waiting).await;
    assert!(bench.claim(9, 2, Some(3)).await.is_empty(), "what waits is at the engine");
    let lease = &waiting.lease;
    bench.store.settle(lease.job, lease.epoch, PollStep::Finished).await.unwrap();
    let next = bench.claim(9, 2, Some(2)).await;
    assert_eq!(ids(&next), [lease.job], "only what is stored fits in");
    assert_eq!(next[0].submission.as_ref().unwrap().state, SubmissionState::Accepted);
    assert!(next[0].lease.epoch > lease.epoch);
}

#[tokio::test]
async fn a_heartbeat_keeps_what_is_held_and_a_reaped_lease_moves_nothing() {
    let bench = Bench::new();
    let owner = bench.owner().await;
    let id = bench.enqueue(owner).await;
    let old = bench.claim(1, 9, None).await.remove(0).lease;
    bench.fakes.clock.advance(TimeDelta::seconds(45));
    let held = [(id, old.epoch)];
    assert_eq!(bench.store.heartbeat(bench.worker, &held, LEASE).await.unwrap(), [id]);
    bench.fakes.clock.advance(TimeDelta::seconds(45));
    assert_eq!(bench.store.tick(9).await.unwrap(), TickReport::default());
    bench.fakes.clock.advance(TimeDelta::seconds(16));
    let reaped = TickReport { reaped: 1, ..TickReport::default() };
    assert_eq!(bench.store.tick(9).await.unwrap(), reaped);
    assert!(bench.store.heartbeat(bench.worker, &held, LEASE).await.unwrap().is_empty());

    let new = bench.claim(1, 9, None).await.remove(0);
    let before = bench.store.job(id);
    let late = bench.store.commit(&old, Step::Release, StepEffects::default()).await;
    assert!(matches!(late, Err(CommitError::LeaseLost)), "{late:?}");
    assert_eq!(bench.store.job(id), before);
    assert_eq!(before, Some(new.job));
}

#[tokio::test]
async fn a_step_that_is_refused_leaves_no_trace() {
    let bench = Bench::new();
    let owner = bench.owner().await;
    let id = bench.enqueue(owner).await;
    let claimed = bench.claim(1, 9, None).await.remove(0);
    let intent = bench.intend(&claimed).await;
    let look = || (bench.store.job(id), bench.store.transcription(id), bench.store.submissions(id));
    let before = look();
    let facts = CompletedFacts { language_detected: None, confidence: None, duration_ms: None };
    let transcript = || Some(small_transcript());
    let accepted = || Some((intent, String::from("provider")));
    let other = SubmissionId::from_uuid(bench.fakes.ids.next());
    let check_at = bench.fakes.clock.now();
    let none = StepEffects::default;
    for (step, effects) in [
        // The stage is wrong.
        (Step::Complete(facts.clone()), StepEffects { transcript: transcript(), ..none() }),
        (Step::Submitted { check_at }, StepEffects { accepted: accepted(), ..none() }),
        // The effects are wrong.
        (Step::Complete(facts), none()),
        (Step::Submitted { check_at }, none()),
        (Step::Release, StepEffects { accepted: accepted(), ..none() }),
        (Step::Release, StepEffects { transcript: transcript(), ..none() }),
        (Step::Release, StepEffects { refused: Some(other), ..none() }),
    ] {
        let refused = bench.store.commit(&claimed.lease, step.clone(), effects).await;
        let Err(CommitError::Failed(failure)) = refused else { panic!("{step:?}: {refused:?}") };
        assert!(!failure.is_transient());
        assert_eq!(look(), before, "{step:?}");
    }
}

#[tokio::test]
async fn a_copy_is_put_down_once_and_handed_out_again_until_it_is_erased() {
    let bench = Bench::new();
    for _ in 0..2 {
        bench
            .store
            .resolve(SubmissionId::from_uuid(uuid::Uuid::nil()), "engine", "provider")
            .await
            .unwrap();
    }
    let hold = Duration::from_mins(10);
    for tried in 0..3 {
        let due = bench.store.due_erasures("engine", 9, hold).await.unwrap();
        assert_eq!(due.iter().map(|e| e.attempts).collect::<Vec<_>>(), [tried]);
        assert!(bench.store.due_erasures("engine", 9, hold).await.unwrap().is_empty());
        bench.fakes.clock.advance(TimeDelta::minutes(10));
    }
    bench.store.erased(bench.store.erasures()[0].id).await.unwrap();
    assert!(bench.store.due_erasures("engine", 9, hold).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_took_too_long_ends_and_is_not_promoted_first() {
    let bench = Bench::new();
    let owner = bench.owner().await;
    let id = bench.enqueue(owner).await;
    let claimed = bench.claim(1, 9, None).await.remove(0);
    let failure = Failure::new(FailureCode::LocalResource, Stage::Fetching);
    let run_at = bench.fakes.clock.now() + TimeDelta::hours(1);
    let step = Step::Snooze { failure, run_at };
    bench.store.commit(&claimed.lease, step, StepEffects::default()).await.unwrap();
    assert_eq!(bench.store.job(id).unwrap().parts().state, JobState::Scheduled);
    bench.fakes.clock.advance(TimeDelta::hours(25));
    let ended = vec![(id, FailureCode::DeadlineExceeded)];
    let expired = TickReport { expired: 1, ended, ..TickReport::default() };
    assert_eq!(bench.store.tick(9).await.unwrap(), expired);
    assert!(bench.store.living(&[id]).await.unwrap().is_empty());
    assert_eq!(bench.store.transcription(id).unwrap().status(), Status::Failed);
}

#[tokio::test]
async fn an_engine_that_took_too_long_is_not_waited_for_any_more() {
    let bench = Bench::new();
    let owner = bench.owner().await;
    let id = bench.enqueue(owner).await;
    let claimed = bench.claim(1, 9, None).await.remove(0);
    bench.submit(&claimed).await;
    bench.fakes.clock.advance(TimeDelta::hours(7));
    let ended = bench.store.tick(9).await.unwrap().ended;
    assert_eq!(ended, [(id, FailureCode::ProviderTimeout)]);
    let states: Vec<_> = bench.store.submissions(id).iter().map(|s| s.state).collect();
    assert_eq!(states, [SubmissionState::Error]);
}

#[tokio::test]
async fn a_job_that_waits_for_nothing_ends_when_it_is_due() {
    let bench = Bench::new();
    let owner = bench.owner().await;
    let id = bench.enqueue(owner).await;
    let claimed = bench.claim(1, 9, None).await.remove(0);
    bench.submit(&claimed).await;
    let now = bench.fakes.clock.now();
    bench.store.lock().end_submissions(id, now);
    assert!(bench.store.due_polls(9, LEASE).await.unwrap().is_empty());
    assert_eq!(bench.store.job(id), None);
    assert_eq!(bench.store.tick(9).await.unwrap(), TickReport::default());
    let TranscriptionState::Failed { failure, .. } =
        bench.store.transcription(id).unwrap().parts().state.clone()
    else {
        panic!("it failed");
    };
    assert_eq!(failure.code(), FailureCode::Internal);
}
