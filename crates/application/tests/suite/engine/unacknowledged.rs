//! A store that does what it is asked and does not say so: what a database looks like whose
//! commit succeeded while the answer was lost.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use application::{
    Adapters, Engine, EngineConfig,
    ports::{
        CancelOutcome, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError, Erasure,
        IntentError, JobStore, Lease, NewSubmission, Pause, PortFailure, Resolution, StepEffects,
        TickReport,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    CallbackDigest, Epoch, FailureCode, JobState, Outcome, PollStep, Status, Step, Submission,
    SubmissionId, SubmissionState, Transcription, TranscriptionId, UploadId, UserId, WorkerId,
};
use testkit::{
    fakes::{Gate, SpeechMethod, speech_error},
    memory::InMemoryStore,
};
use uuid::Uuid;

use super::Bench;

type Losing = fn(&Step) -> bool;

struct Unacknowledged {
    inner: Arc<InMemoryStore>,
    /// Which commits are not acknowledged, each once.
    commits: Mutex<Vec<Losing>>,
    /// How many intents are not acknowledged.
    intents: Mutex<u32>,
    claims: Gate,
    ticks: Gate,
    /// Whether whoever claims a job is not told of its submission.
    silent: AtomicBool,
}

impl Unacknowledged {
    fn over(bench: &Bench) -> Arc<Self> {
        Arc::new(Self {
            inner: bench.fakes.store.clone(),
            commits: Mutex::default(),
            intents: Mutex::default(),
            claims: Gate::default(),
            ticks: Gate::default(),
            silent: AtomicBool::default(),
        })
    }

    fn lose_commit(&self, losing: Losing) {
        self.commits.lock().unwrap().push(losing);
    }

    fn engine(self: &Arc<Self>, bench: &Bench) -> Arc<Engine> {
        let adapters = Adapters { jobs: self.clone(), ..bench.fakes.adapters() };
        // What is erased here would be erased by mistake.
        Engine::new(&adapters, EngineConfig { erase_after_store: false, ..EngineConfig::default() })
    }
}

fn lost(operation: &'static str) -> PortFailure {
    PortFailure::transient(operation, "no answer in time")
}

#[async_trait]
impl JobStore for Unacknowledged {
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        self.inner.enqueue(transcription).await
    }

    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        self.inner.enqueue_upload(transcription, quota).await
    }

    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure> {
        self.inner.upload_bytes(owner).await
    }

    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        self.inner.uploads_in_use(ids).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        let mut claimed = self.inner.claim(request).await?;
        self.claims.pass().await;
        if self.silent.load(Ordering::Relaxed) {
            for claimed in &mut claimed {
                claimed.submission = None;
            }
        }
        Ok(claimed)
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        lease: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.inner.heartbeat(worker, held, lease).await
    }

    async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError> {
        let outcome = self.inner.commit(lease, step.clone(), effects).await?;
        let mut losing = self.commits.lock().unwrap();
        match losing.iter().position(|losing| losing(&step)) {
            Some(at) => {
                losing.remove(at);
                Err(lost("jobs.commit").into())
            }
            None => Ok(outcome),
        }
    }

    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError> {
        let written = self.inner.intend(lease, submission).await?;
        let mut intents = self.intents.lock().unwrap();
        if *intents == 0 {
            return Ok(written);
        }
        *intents -= 1;
        Err(lost("jobs.intend").into())
    }

    async fn due_polls(&self, limit: u32, hold: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        self.inner.due_polls(limit, hold).await
    }

    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        self.inner.settle(job, epoch, step).await
    }

    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure> {
        self.ticks.pass().await;
        self.inner.tick(limit).await
    }

    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        self.inner.cancel(owner, id).await
    }

    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        self.inner.delete(owner, id).await
    }

    async fn progress(&self, lease: &Lease, share: f64) -> Result<(), CommitError> {
        self.inner.progress(lease, share).await
    }

    async fn hear(
        &self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        self.inner.hear(callback, provider_id).await
    }

    async fn unresolved(
        &self,
        engine: &str,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        self.inner.unresolved(engine, since, limit).await
    }

    async fn resolve(
        &self,
        submission: SubmissionId,
        engine: &str,
        provider_id: &str,
    ) -> Result<Resolution, PortFailure> {
        self.inner.resolve(submission, engine, provider_id).await
    }

    async fn duplicates(&self) -> Result<u64, PortFailure> {
        self.inner.duplicates().await
    }

    async fn pause(
        &self,
        engine: &str,
        code: FailureCode,
        until: DateTime<Utc>,
    ) -> Result<(), PortFailure> {
        self.inner.pause(engine, code, until).await
    }

    async fn paused(&self, engine: &str) -> Result<Option<Pause>, PortFailure> {
        self.inner.paused(engine).await
    }

    async fn resume(&self, engine: &str) -> Result<(), PortFailure> {
        self.inner.resume(engine).await
    }

    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        self.inner.due_erasures(engine, limit, hold).await
    }

    async fn erased(&self, id: Uuid) -> Result<(), PortFailure> {
        self.inner.erased(id).await
    }

    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.inner.living(ids).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_whose_commit_was_not_acknowledged_is_not_erased() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    store.lose_commit(|step| matches!(step, Step::Submitted { .. }));
    let id = bench.enqueue().await;
    let engine = store.engine(&bench);
    engine.run_pending().await.unwrap();
    engine.erase().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert!(bench.fakes.speech.accepted().iter().all(|job| !job.erased));
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_other_commit_may_go_unacknowledged_too() {
    let losing: [Losing; 3] = [
        |step| matches!(step, Step::Fetched(_)),
        |step| matches!(step, Step::Uploaded(_)),
        |step| matches!(step, Step::Complete(_)),
    ];
    for losing in losing {
        let bench = Bench::default().await;
        let store = Unacknowledged::over(&bench);
        store.lose_commit(losing);
        let id = bench.enqueue().await;
        store.engine(&bench).run_pending().await.unwrap();
        assert_eq!(bench.status(id).await, Status::Completed);
        assert_eq!(bench.found(id).await.parts().retry_count, 0);
        assert_eq!(bench.fakes.speech.accepted().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_was_not_acknowledged_is_written_down_again_and_used_once() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    *store.intents.lock().unwrap() = 2;
    let id = bench.enqueue().await;
    store.engine(&bench).run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    let submissions = bench.fakes.store.submissions(id);
    assert_eq!(submissions.len(), 1);
    assert_eq!(submissions[0].state, SubmissionState::Finished);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_being_claimed_when_a_drain_begins_is_handed_back() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    let id = bench.enqueue().await;
    store.claims.close();
    let handle = store.engine(&bench).start();
    store.claims.reached().await;
    let drained = tokio::spawn(handle.drain());
    tokio::task::yield_now().await;
    store.claims.open();
    assert!(drained.await.unwrap());
    let job = bench.fakes.store.job(id).unwrap();
    assert_eq!(job.parts().state, JobState::Ready);
    assert_eq!(job.parts().crashes, 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_intent_that_the_claim_did_not_tell_of_is_not_sent_again_either() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    bench.fakes.speech.next_submit_lost();
    bench.fakes.speech.next_find_fails(speech_error(FailureCode::ProviderUnavailable));
    let id = bench.enqueue().await;
    store.silent.store(true, Ordering::Relaxed);
    let engine = store.engine(&bench);
    bench.run_for(&engine, TimeDelta::minutes(30), TimeDelta::seconds(5)).await;
    assert_eq!(bench.status(id).await, Status::Processing);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 1);
    store.silent.store(false, Ordering::Relaxed);
    bench.hours(&engine, 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_finds_its_job_too_late_and_unanswered_says_so() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    store.engine(&bench).run_pending().await.unwrap();
    bench.fakes.clock.advance(TimeDelta::seconds(5));
    store.claims.close();
    let engine = store.engine(&bench);
    let claiming = tokio::spawn(async move { engine.run_pending().await });
    store.claims.reached().await;
    bench.fakes.clock.advance(TimeDelta::hours(25));
    store.claims.open();
    claiming.await.unwrap().unwrap();
    assert_eq!(bench.failure(id).await.0, FailureCode::SubmissionUnknown);
}

#[tokio::test(start_paused = true)]
async fn what_others_left_undone_does_not_keep_an_engine_from_its_own_jobs() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    store.ticks.close();
    let engine = store.engine(&bench);
    bench.enqueue().await;
    let failure = engine.run_pending().await.expect_err("nothing was promoted");
    assert_eq!(failure.operation(), "jobs.tick");
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 1);
}

#[tokio::test(start_paused = true)]
async fn an_engine_knows_when_it_last_looked_for_jobs() {
    let bench = Bench::default().await;
    let store = Unacknowledged::over(&bench);
    let engine = store.engine(&bench);
    let handle = engine.start();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(engine.since_last_look() < Duration::from_secs(5));
    store.ticks.close();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(engine.since_last_look() > Duration::from_secs(50));
    store.ticks.open();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(engine.since_last_look() < Duration::from_secs(5));
    assert!(handle.drain().await);
}
