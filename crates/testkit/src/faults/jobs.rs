//! A job store with a fault.

use std::{sync::Arc, time::Duration};

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
use uuid::Uuid;

use super::Faults;

/// Passes every call on, except where [`Faults`] says otherwise. What only reads has no points.
pub struct FaultyJobs {
    inner: Arc<dyn JobStore>,
    faults: Arc<Faults>,
}

impl FaultyJobs {
    /// Passes calls on to `inner`.
    pub fn new(inner: Arc<dyn JobStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    async fn call<T, E: From<PortFailure>>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let refused = || E::from(failure("jobs"));
        self.faults.around(operation, work, refused, async || E::from(failure("jobs"))).await
    }
}

/// The failure of a call whose caller may try again.
pub(super) fn failure(operation: &'static str) -> PortFailure {
    PortFailure::transient(operation, "a fault on purpose")
}

/// A commit, by what it says became of the job and of its submission.
fn commit_of(step: &Step, effects: &StepEffects) -> String {
    let step = match step {
        Step::Fetched(_) => "fetched",
        Step::Uploaded(Some(_)) => "uploaded",
        Step::Uploaded(None) => "upload_dropped",
        Step::Submitted { .. } => "submitted",
        Step::Retry { .. } => "retry",
        Step::Snooze { .. } => "snooze",
        Step::Release => "release",
        Step::Fail(_) => "fail",
        Step::Complete(_) => "complete",
    };
    let mut operation = format!("jobs.commit.{step}");
    for (named, effect) in [
        (effects.refused.is_some(), "+refused"),
        (effects.unlisted.is_some(), "+unlisted"),
        (effects.abandoned.is_some(), "+abandoned"),
        (effects.erase, "+erase"),
    ] {
        if named {
            operation.push_str(effect);
        }
    }
    operation
}

const fn settle_of(step: &PollStep) -> &'static str {
    match step {
        PollStep::Pending { .. } => "jobs.settle.pending",
        PollStep::Finished => "jobs.settle.finished",
        PollStep::Resubmit { .. } => "jobs.settle.resubmit",
        PollStep::Fail(_) => "jobs.settle.fail",
    }
}

#[async_trait]
impl JobStore for FaultyJobs {
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        self.call("jobs.enqueue", self.inner.enqueue(transcription)).await
    }

    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        self.call("jobs.enqueue_upload", self.inner.enqueue_upload(transcription, quota)).await
    }

    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure> {
        self.inner.upload_bytes(owner).await
    }

    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        self.inner.uploads_in_use(ids).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        self.call("jobs.claim", self.inner.claim(request)).await
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        lease: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.call("jobs.heartbeat", self.inner.heartbeat(worker, held, lease)).await
    }

    async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError> {
        let operation = commit_of(&step, &effects);
        self.call(&operation, self.inner.commit(lease, step, effects)).await
    }

    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError> {
        self.call("jobs.intend", self.inner.intend(lease, submission)).await
    }

    async fn due_polls(&self, limit: u32, hold: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        self.call("jobs.due_polls", self.inner.due_polls(limit, hold)).await
    }

    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        self.call(settle_of(&step), self.inner.settle(job, epoch, step)).await
    }

    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure> {
        self.call("jobs.tick", self.inner.tick(limit)).await
    }

    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        self.call("jobs.cancel", self.inner.cancel(owner, id)).await
    }

    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        self.call("jobs.delete", self.inner.delete(owner, id)).await
    }

    async fn progress(&self, lease: &Lease, share: f64) -> Result<(), CommitError> {
        self.call("jobs.progress", self.inner.progress(lease, share)).await
    }

    async fn hear(
        &self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        self.call("jobs.hear", self.inner.hear(callback, provider_id)).await
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
        self.call("jobs.resolve", self.inner.resolve(submission, engine, provider_id)).await
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
        self.call("jobs.pause", self.inner.pause(engine, code, until)).await
    }

    async fn paused(&self, engine: &str) -> Result<Option<Pause>, PortFailure> {
        self.inner.paused(engine).await
    }

    async fn resume(&self, engine: &str) -> Result<(), PortFailure> {
        self.call("jobs.resume", self.inner.resume(engine)).await
    }

    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        self.call("jobs.due_erasures", self.inner.due_erasures(engine, limit, hold)).await
    }

    async fn erased(&self, id: Uuid) -> Result<(), PortFailure> {
        self.call("jobs.erased", self.inner.erased(id)).await
    }

    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        self.inner.living(ids).await
    }
}
