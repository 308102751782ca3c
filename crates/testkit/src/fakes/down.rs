//! An outside world that is not there.

use std::time::Duration;

use application::ports::{
    Budget, CancelOutcome, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError, Erasure,
    Found, InsertUserError, IntentError, JobStore, Lease, NewSubmission, Pause, PortFailure,
    RateLimiter, Resolution, StepEffects, Taken, TickReport, TitledTranscript,
    TranscriptionRepository, UserRepository,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    CallbackDigest, Email, Epoch, FailureCode, ListFilter, Outcome, Page, PageRequest,
    PasswordDigest, PollStep, Step, Submission, SubmissionId, Transcription, TranscriptionId,
    UploadId, User, UserId, WorkerId,
};
use uuid::Uuid;

/// Answers every call of a repository, of the job store and of the limiter with a failure that
/// may pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Down;

fn down<T, E: From<PortFailure>>(operation: &'static str) -> Result<T, E> {
    Err(PortFailure::transient(operation, "the connection was refused").into())
}

#[async_trait]
impl UserRepository for Down {
    async fn insert(&self, _: &User) -> Result<(), InsertUserError> {
        down("users.insert")
    }

    async fn find(&self, _: UserId) -> Result<Option<User>, PortFailure> {
        down("users.find")
    }

    async fn find_by_email(&self, _: &Email) -> Result<Option<User>, PortFailure> {
        down("users.find_by_email")
    }

    async fn replace_password(
        &self,
        _: UserId,
        _: &PasswordDigest,
        _: &PasswordDigest,
    ) -> Result<(), PortFailure> {
        down("users.replace_password")
    }
}

#[async_trait]
impl TranscriptionRepository for Down {
    async fn find(&self, _: UserId, _: TranscriptionId) -> Result<Option<Found>, PortFailure> {
        down("transcriptions.find")
    }

    async fn transcript(
        &self,
        _: UserId,
        _: TranscriptionId,
    ) -> Result<Option<TitledTranscript>, PortFailure> {
        down("transcriptions.transcript")
    }

    async fn list(
        &self,
        _: UserId,
        _: &ListFilter,
        _: &PageRequest,
    ) -> Result<Page<Transcription>, PortFailure> {
        down("transcriptions.list")
    }

    async fn count(&self, _: UserId, _: &ListFilter) -> Result<u64, PortFailure> {
        down("transcriptions.count")
    }
}

#[async_trait]
impl JobStore for Down {
    async fn enqueue(&self, _: &Transcription) -> Result<(), EnqueueError> {
        down("jobs.enqueue")
    }

    async fn enqueue_upload(&self, _: &Transcription, _: Option<u64>) -> Result<(), EnqueueError> {
        down("jobs.enqueue")
    }

    async fn upload_bytes(&self, _: UserId) -> Result<u64, PortFailure> {
        down("jobs.upload_bytes")
    }

    async fn uploads_in_use(&self, _: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        down("jobs.uploads_in_use")
    }

    async fn claim(&self, _: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        down("jobs.claim")
    }

    async fn heartbeat(
        &self,
        _: WorkerId,
        _: &[(TranscriptionId, Epoch)],
        _: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        down("jobs.heartbeat")
    }

    async fn commit(&self, _: &Lease, _: Step, _: StepEffects) -> Result<Outcome, CommitError> {
        down("jobs.commit")
    }

    async fn intend(&self, _: &Lease, _: NewSubmission) -> Result<Submission, IntentError> {
        down("jobs.intend")
    }

    async fn due_polls(&self, _: u32, _: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        down("jobs.due_polls")
    }

    async fn settle(
        &self,
        _: TranscriptionId,
        _: Epoch,
        _: PollStep,
    ) -> Result<Outcome, CommitError> {
        down("jobs.settle")
    }

    async fn tick(&self, _: u32) -> Result<TickReport, PortFailure> {
        down("jobs.tick")
    }

    async fn cancel(
        &self,
        _: UserId,
        _: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        down("jobs.cancel")
    }

    async fn delete(&self, _: UserId, _: TranscriptionId) -> Result<bool, PortFailure> {
        down("jobs.delete")
    }

    async fn progress(&self, _: &Lease, _: f64) -> Result<(), CommitError> {
        down("jobs.progress")
    }

    async fn hear(
        &self,
        _: &CallbackDigest,
        _: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        down("jobs.hear")
    }

    async fn unresolved(
        &self,
        _: &str,
        _: DateTime<Utc>,
        _: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        down("jobs.unresolved")
    }

    async fn resolve(&self, _: SubmissionId, _: &str, _: &str) -> Result<Resolution, PortFailure> {
        down("jobs.resolve")
    }

    async fn duplicates(&self) -> Result<u64, PortFailure> {
        down("jobs.duplicates")
    }

    async fn pause(&self, _: &str, _: FailureCode, _: DateTime<Utc>) -> Result<(), PortFailure> {
        down("jobs.pause")
    }

    async fn paused(&self, _: &str) -> Result<Option<Pause>, PortFailure> {
        down("jobs.paused")
    }

    async fn resume(&self, _: &str) -> Result<(), PortFailure> {
        down("jobs.resume")
    }

    async fn due_erasures(
        &self,
        _: &str,
        _: u32,
        _: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        down("jobs.due_erasures")
    }

    async fn erased(&self, _: Uuid) -> Result<(), PortFailure> {
        down("jobs.erased")
    }

    async fn living(&self, _: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        down("jobs.living")
    }
}

#[async_trait]
impl RateLimiter for Down {
    async fn take(&self, _: &Budget, _: &str) -> Result<Taken, PortFailure> {
        down("limits.take")
    }
}
