//! The port of the job engine: each method takes the lock, reads the clock, and changes the state.

use std::time::Duration;

use application::ports::{
    CancelOutcome, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError, Erasure, IntentError,
    JobStore, Lease, NewSubmission, Pause, PortFailure, Resolution, StepEffects, TickReport,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    CallbackDigest, Epoch, FailureCode, Outcome, PollStep, Step, Submission, SubmissionId,
    Transcription, TranscriptionId, UploadId, UserId, WorkerId,
};

use super::{InMemoryStore, state::later};

#[async_trait]
impl JobStore for InMemoryStore {
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        self.lock().enqueue(transcription)
    }

    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        self.lock().enqueue_upload(transcription, quota)
    }

    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure> {
        Ok(self.lock().upload_bytes(owner))
    }

    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        Ok(self.lock().uploads_in_use(ids))
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        self.lock().claim(request, self.clock.now())
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        lease: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(self.lock().heartbeat(worker, held, later(self.clock.now(), lease)))
    }

    async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError> {
        self.lock().commit(lease, step, effects, self.clock.now())
    }

    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError> {
        self.lock().intend(lease, submission, self.clock.now())
    }

    async fn due_polls(&self, limit: u32, hold: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        let now = self.clock.now();
        Ok(self.lock().due_polls(limit, later(now, hold), now))
    }

    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        self.lock().settle(job, epoch, step, self.clock.now())
    }

    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure> {
        self.lock().tick(limit, self.clock.now())
    }

    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        self.lock().cancel(owner, id, self.clock.now())
    }

    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        Ok(self.lock().delete(owner, id, self.clock.now()))
    }

    async fn progress(&self, lease: &Lease, share: f64) -> Result<(), CommitError> {
        self.lock().progress(lease, share, self.clock.now())
    }

    async fn hear(
        &self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        self.lock().hear(callback, provider_id, self.clock.now())
    }

    async fn unresolved(
        &self,
        engine: &str,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        Ok(self.lock().unresolved(engine, since, limit))
    }

    async fn resolve(
        &self,
        submission: SubmissionId,
        engine: &str,
        provider_id: &str,
    ) -> Result<Resolution, PortFailure> {
        self.lock().resolve(submission, engine, provider_id, self.clock.now())
    }

    async fn duplicates(&self) -> Result<u64, PortFailure> {
        Ok(self.lock().duplicates())
    }

    async fn pause(
        &self,
        engine: &str,
        code: FailureCode,
        until: DateTime<Utc>,
    ) -> Result<(), PortFailure> {
        let now = self.clock.now();
        let mut state = self.lock();
        let since = state.pauses.get(engine).map_or(now, |pause| pause.since);
        state.pauses.insert(engine.to_owned(), Pause { code, since, until });
        Ok(())
    }

    async fn paused(&self, engine: &str) -> Result<Option<Pause>, PortFailure> {
        Ok(self.lock().pauses.get(engine).copied())
    }

    async fn resume(&self, engine: &str) -> Result<(), PortFailure> {
        self.lock().pauses.remove(engine);
        Ok(())
    }

    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        let now = self.clock.now();
        Ok(self.lock().due_erasures(engine, limit, later(now, hold), now))
    }

    async fn erased(&self, id: uuid::Uuid) -> Result<(), PortFailure> {
        self.lock().erasures.retain(|(_, erasure)| erasure.id != id);
        Ok(())
    }

    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        let state = self.lock();
        Ok(ids.iter().copied().filter(|id| state.jobs.contains_key(id)).collect())
    }
}
