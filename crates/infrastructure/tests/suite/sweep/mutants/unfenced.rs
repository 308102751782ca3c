//! A store for an engine that takes no answer that a lease was lost.

use std::{sync::Arc, time::Duration};

use application::ports::{
    CancelOutcome, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError, Erasure, IntentError,
    JobStore, Lease, NewSubmission, Pause, PortFailure, Resolution, StepEffects, TickReport,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    CallbackDigest, Epoch, FailureCode, Outcome, PollStep, Step, Submission, SubmissionId,
    SubmissionState, Transcription, TranscriptionId, UploadId, UserId, WorkerId,
};
use infrastructure::persistence::Store;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use crate::sweep::world::LEASE;

/// Says everything that was refused again under the epoch of whoever has the job
/// now, and goes on in any case.
pub(super) struct Unfenced {
    pub(super) jobs: Arc<dyn JobStore>,
    pub(super) store: Arc<Store>,
}

impl Unfenced {
    async fn usurped(&self, job: TranscriptionId) -> Option<Lease> {
        let db = self.store.read_connection();
        let sql = "SELECT epoch FROM jobs WHERE id = $1";
        let values = [job.as_uuid().into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let row = db.query_one_raw(query).await.expect("the query runs")?;
        let epoch: i64 = row.try_get_by(0).expect("a number");
        Some(Lease { job, epoch: Epoch::new(epoch.unsigned_abs()) })
    }
}

fn copy(effects: &StepEffects) -> StepEffects {
    StepEffects {
        accepted: effects.accepted.clone(),
        transcript: effects.transcript.clone(),
        ..*effects
    }
}

/// What the caller believes that it has achieved.
const fn believed(step: &Step) -> Outcome {
    match step {
        Step::Fetched(_) | Step::Uploaded(_) => Outcome::Held,
        Step::Submitted { .. } | Step::Retry { .. } | Step::Snooze { .. } | Step::Release => {
            Outcome::Free
        }
        Step::Fail(_) | Step::Complete(_) => Outcome::Ended,
    }
}

#[async_trait]
impl JobStore for Unfenced {
    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        self.jobs.enqueue_upload(transcription, quota).await
    }

    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure> {
        self.jobs.upload_bytes(owner).await
    }

    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        self.jobs.uploads_in_use(ids).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        // The others think as usual of how long a lease lasts.
        self.jobs.claim(&ClaimRequest { lease: LEASE, ..*request }).await
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        _: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.jobs.heartbeat(worker, held, LEASE).await?;
        Ok(held.iter().map(|(job, _)| *job).collect())
    }

    async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError> {
        match self.jobs.commit(lease, step.clone(), copy(&effects)).await {
            Err(CommitError::LeaseLost) => {}
            answered => return answered,
        }
        let believed = believed(&step);
        if let Some(lease) = self.usurped(lease.job).await {
            let _ = self.jobs.commit(&lease, step, effects).await;
        }
        Ok(believed)
    }

    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError> {
        match self.jobs.intend(lease, submission.clone()).await {
            Err(IntentError::LeaseLost | IntentError::AlreadyOpen) => {}
            answered => return answered,
        }
        if let Some(lease) = self.usurped(lease.job).await
            && let Ok(written) = self.jobs.intend(&lease, submission.clone()).await
        {
            return Ok(written);
        }
        Ok(Submission {
            id: submission.id,
            job: lease.job,
            seq: 1,
            upload_url: submission.upload_url,
            epoch: lease.epoch,
            state: SubmissionState::Intent,
            provider_id: None,
            intent_at: DateTime::UNIX_EPOCH,
            callback: submission.callback,
            clean_listings: 0,
            hinted_id: None,
        })
    }

    async fn due_polls(&self, limit: u32, _: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        self.jobs.due_polls(limit, LEASE).await
    }

    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        match self.jobs.settle(job, epoch, step.clone()).await {
            Err(CommitError::LeaseLost) => {}
            answered => return answered,
        }
        let lease = self.usurped(job).await.ok_or(CommitError::LeaseLost)?;
        self.jobs.settle(job, lease.epoch, step).await
    }

    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        self.jobs.enqueue(transcription).await
    }

    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure> {
        self.jobs.tick(limit).await
    }

    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        self.jobs.cancel(owner, id).await
    }

    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        self.jobs.delete(owner, id).await
    }

    async fn progress(&self, lease: &Lease, share: f64) -> Result<(), CommitError> {
        match self.jobs.progress(lease, share).await {
            Err(CommitError::LeaseLost) => Ok(()),
            answered => answered,
        }
    }

    async fn hear(
        &self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        self.jobs.hear(callback, provider_id).await
    }

    async fn unresolved(
        &self,
        engine: &str,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        self.jobs.unresolved(engine, since, limit).await
    }

    async fn resolve(
        &self,
        submission: SubmissionId,
        engine: &str,
        provider_id: &str,
    ) -> Result<Resolution, PortFailure> {
        self.jobs.resolve(submission, engine, provider_id).await
    }

    async fn duplicates(&self) -> Result<u64, PortFailure> {
        self.jobs.duplicates().await
    }

    async fn pause(
        &self,
        engine: &str,
        code: FailureCode,
        until: DateTime<Utc>,
    ) -> Result<(), PortFailure> {
        self.jobs.pause(engine, code, until).await
    }

    async fn paused(&self, engine: &str) -> Result<Option<Pause>, PortFailure> {
        self.jobs.paused(engine).await
    }

    async fn resume(&self, engine: &str) -> Result<(), PortFailure> {
        self.jobs.resume(engine).await
    }

    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        self.jobs.due_erasures(engine, limit, hold).await
    }

    async fn erased(&self, id: Uuid) -> Result<(), PortFailure> {
        self.jobs.erased(id).await
    }

    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.jobs.living(ids).await
    }
}
