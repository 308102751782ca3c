//! The engine's side of transcriptions.
//!
//! An adapter loads the rows, lets [`domain::Job`] and [`domain::Transcription`] decide, and
//! writes them back in one transaction, guarded by id, epoch and state. On `SQLite` "now" is the
//! injected clock, on a database server its own.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    CallbackDigest, Epoch, FailureCode, Job, Outcome, Status, Step, Submission, SubmissionId,
    Transcript, Transcription, TranscriptionId, UploadId, UserId, WorkerId, job::PollStep,
};

use super::PortFailure;

/// The right to move one job, until it is taken away. Not `Clone`: a holder cannot finish twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which job.
    pub job: TranscriptionId,
    /// Under which claim.
    pub epoch: Epoch,
}

/// What a worker asks for.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerId,
    /// How many jobs it can take.
    pub slots: u32,
    /// How long it may hold them without a heartbeat.
    pub lease: Duration,
    /// How many jobs of one user may be leased at once, over all workers.
    pub per_owner: u32,
    /// How many jobs may be at the engine or on their way there, over all workers; `None` for no
    /// limit. Jobs at [`domain::Stage::Storing`] are never held back by it.
    pub provider_cap: Option<u32>,
}

/// A job that was claimed.
#[derive(Debug)]
pub struct Claimed {
    /// The right to move it.
    pub lease: Lease,
    /// The job, leased.
    pub job: Job,
    /// What its owner sees, processing.
    pub transcription: Transcription,
    /// The submission that counts, if it has one: the accepted one, or else the latest.
    pub submission: Option<Submission>,
}

/// A waiting job whose engine should be asked now.
#[derive(Debug, Clone)]
pub struct DuePoll {
    /// The job, waiting.
    pub job: Job,
    /// What its owner sees.
    pub transcription: Transcription,
    /// Its accepted submission.
    pub submission: Submission,
}

/// A submission to be written down.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// Its identifier.
    pub id: SubmissionId,
    /// The audio at the engine.
    pub upload_url: Option<String>,
    /// What is kept of the token that goes with it; `None` where nobody is to call back.
    pub callback: Option<CallbackDigest>,
}

/// What changes together with a step.
#[derive(Debug, Default)]
pub struct StepEffects {
    /// The submission to be marked accepted, under the engine's name for the job. Goes with
    /// [`Step::Submitted`].
    pub accepted: Option<(SubmissionId, String)>,
    /// The open submission to be closed because the engine surely did not take it.
    pub refused: Option<SubmissionId>,
    /// The open submission that a complete listing of the engine's jobs lacked once more. Not with
    /// a step that keeps the lease: said twice, it would count twice.
    pub unlisted: Option<SubmissionId>,
    /// The open submission that is given up: as far as the engine's lists go it was not accepted.
    /// A step that ends the job gives an open submission up without being told.
    pub abandoned: Option<SubmissionId>,
    /// Whether the engine's copy is put down for erasure, once the transcript is stored. Goes
    /// with [`Step::Complete`].
    pub erase: bool,
    /// The transcript to be stored. Goes with [`Step::Complete`], which also marks the accepted
    /// submission finished.
    pub transcript: Option<Transcript>,
}

impl StepEffects {
    /// Whether they go with `step`: what a submission was accepted under exactly with
    /// [`Step::Submitted`], a transcript exactly with [`Step::Complete`], and a listing without
    /// the submission only with a step that ends the lease.
    pub fn fit(&self, step: &Step) -> bool {
        self.accepted.is_some() == matches!(step, Step::Submitted { .. })
            && self.transcript.is_some() == matches!(step, Step::Complete(_))
            && (!self.erase || matches!(step, Step::Complete(_)))
            && (self.unlisted.is_none() || !matches!(step, Step::Fetched(_) | Step::Uploaded(_)))
    }
}

/// What became of a submission that had been given up, or whose job had ended, when the engine
/// turned out to have accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It is the accepted submission of its job under this very name: nothing was changed.
    Recorded,
    /// Its job lives and had nothing better: it waits for this submission now.
    Adopted,
    /// Nobody needs it: its copy is put down for erasure.
    Unneeded,
    /// Its job was submitted once more and that was accepted too: it may be paid for twice. Its
    /// copy is put down for erasure, and it is counted ([`JobStore::duplicates`]).
    Duplicate,
}

/// Why, and until when, no job is submitted to an engine: it refuses our key, or wants to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Why.
    pub code: FailureCode,
    /// Since when, without an accepted job in between.
    pub since: DateTime<Utc>,
    /// When one job is tried again.
    pub until: DateTime<Utc>,
}

/// A copy at an engine that is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Which row.
    pub id: uuid::Uuid,
    /// The name of the engine.
    pub engine: String,
    /// The engine's name for the job.
    pub provider_id: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// What the housekeeping did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickReport {
    /// Scheduled jobs that became ready.
    pub promoted: u32,
    /// Jobs taken from a holder that died.
    pub reaped: u32,
    /// Jobs given up because their holders kept dying.
    pub crashed_out: u32,
    /// Jobs given up because they took too long.
    pub expired: u32,
    /// The jobs that were given up, for whichever reason, and why.
    pub ended: Vec<(TranscriptionId, FailureCode)>,
    /// When the next scheduled or waiting job is due.
    pub next_due: Option<DateTime<Utc>>,
}

/// How a cancellation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelOutcome {
    /// It is canceled, now or already before.
    Canceled(Box<Transcription>),
    /// It had ended otherwise.
    Ended(Status),
}

/// Why a job was not enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The owner has no account (any more).
    #[error("the account does not exist")]
    NoSuchOwner,
    /// The files of the owner's live jobs would be more than allowed.
    #[error("the quota for uploads is used up")]
    QuotaExceeded,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

/// Why a step was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The job is no longer ours, or has ended. Nothing was changed.
    #[error("the lease was lost")]
    LeaseLost,
    /// Anything else. Nothing is known of the outcome when it is transient.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

/// Why a submission was not written down.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// The job is no longer ours, or has ended. Nothing was changed.
    #[error("the lease was lost")]
    LeaseLost,
    /// The job has an open submission already. Nothing was changed.
    #[error("the job has an open submission")]
    AlreadyOpen,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

/// Keeps live jobs and moves them.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Stores a pending transcription together with its job, ready, at its fair place
    /// ([`Job::fair_place`], weight 1, cost 1).
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError>;

    /// Like [`Self::enqueue`], for a file of which the owner's live jobs may have `quota` bytes
    /// together, this one included; `None` for no limit. MUST hold however many call at once.
    ///
    /// # Errors
    /// MUST return [`EnqueueError::QuotaExceeded`] beyond it, and then change nothing.
    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError>;

    /// How many bytes the files of the owner's live jobs have together.
    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure>;

    /// Which of these files live jobs have.
    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure>;

    /// Leases ready jobs in the order of their fair place (`vtime`, then `id`).
    ///
    /// MUST give a job to one caller only, raise its epoch, start its transcription, keep within
    /// `slots`, `per_owner` and `provider_cap` however many workers call at once, and advance the
    /// queue's clock to the largest `vtime` claimed. Jobs at or before `Submitting`, and those at
    /// `Transcribing` (to be submitted again), count against `provider_cap` while they are leased;
    /// waiting ones always do.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure>;

    /// Prolongs leases and returns those that are still held; whoever misses one MUST stop.
    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        lease: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure>;

    /// Applies a step ([`Job::apply`]) with its effects, all or nothing. A caller that got no
    /// answer may call again: what was applied already MUST NOT be applied twice.
    ///
    /// # Errors
    /// MUST be a permanent [`PortFailure`] for effects that do not [`fit`](StepEffects::fit).
    /// MUST return [`CommitError::LeaseLost`] unless the job is leased under this lease's epoch,
    /// and then change nothing.
    async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError>;

    /// Writes down that a submission is about to leave; `seq` is one more than the last.
    /// Durable when it returns. A caller that got no answer may call again: the very intent (the
    /// same id, under the same lease) that is open already MUST be returned.
    ///
    /// # Errors
    /// MUST return [`IntentError::AlreadyOpen`] while another is `Intent` or `Accepted`.
    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError>;

    /// Hands out waiting jobs that are due, and pushes their due time `hold` into the future so
    /// that no two pollers ask at once. A row that cannot be understood MUST NOT keep others from
    /// being handed out, neither here nor in [`Self::claim`] and [`Self::tick`]: its job ends as
    /// failed with [`FailureCode::Internal`].
    async fn due_polls(&self, limit: u32, hold: Duration) -> Result<Vec<DuePoll>, PortFailure>;

    /// Applies what the engine answered ([`Job::settle`]). [`PollStep::Resubmit`] and
    /// [`PollStep::Fail`] also mark the accepted submission as failed and put its copy down for
    /// erasure: nobody needs it.
    ///
    /// # Errors
    /// MUST return [`CommitError::LeaseLost`] unless the job still waits under `epoch`, and then
    /// change nothing.
    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError>;

    /// Promotes due jobs, takes jobs from holders that died ([`Job::reap`]) and ends what took
    /// too long ([`Job::expire`]), at most `limit` of each. A job whose submission is
    /// [`Intent`](domain::SubmissionState::Intent) is unanswered.
    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure>;

    /// Calls a job off: ends the transcription and removes the job, so that its holder is fenced
    /// off. An accepted submission is put down for erasure, an open one abandoned. `Ok(None)`
    /// where `owner` has no such transcription.
    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure>;

    /// Deletes a transcription with its transcript, and its job if it is live; every submission
    /// that an engine accepted is put down for erasure, and one that it may have accepted is
    /// remembered ([`Self::unresolved`]). `false` where `owner` has no such
    /// transcription.
    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure>;

    /// Notes how far the present stage is ([`Transcription::advance`]).
    ///
    /// # Errors
    /// MUST return [`CommitError::LeaseLost`] unless the job is leased under this lease's epoch,
    /// and then change nothing.
    async fn progress(&self, lease: &Lease, share: f64) -> Result<(), CommitError>;

    /// Takes in a callback: whose submission it is about, if the digest is that of one. The job is
    /// looked at at once: a waiting one becomes due for its poll, one that is scheduled with an
    /// open submission ready. `provider_id` is kept as the submission's hint unless it is accepted
    /// already. MUST NOT change anything else: a callback is never trusted.
    async fn hear(
        &self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure>;

    /// Submissions at `engine`, written down after `since`, that were given up and that the engine
    /// may have accepted all the same: abandoned ones without a name at the engine; oldest first.
    async fn unresolved(
        &self,
        engine: &str,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Submission>, PortFailure>;

    /// Takes in that `engine` has accepted `submission` as `provider_id` although its job was
    /// called off, or had given it up. MUST be harmless to say twice. A submission that is no
    /// longer known is [`Resolution::Unneeded`].
    ///
    /// Adopted is only the submission of a job that lives, is not leased, and has no accepted
    /// one; an open later one is then abandoned.
    ///
    /// # Errors
    /// MUST be a transient [`PortFailure`], and change nothing, while somebody holds a job that
    /// could adopt it: whether the copy is needed shows once it is free.
    async fn resolve(
        &self,
        submission: SubmissionId,
        engine: &str,
        provider_id: &str,
    ) -> Result<Resolution, PortFailure>;

    /// How many submissions were found to have been accepted beside another of the same job.
    async fn duplicates(&self) -> Result<u64, PortFailure>;

    /// Stops submissions to `engine`, for every process. What `since` says stays while it is
    /// stopped again and again.
    async fn pause(
        &self,
        engine: &str,
        code: FailureCode,
        until: DateTime<Utc>,
    ) -> Result<(), PortFailure>;

    /// Whether submissions to `engine` are stopped, also once `until` has passed: then one job is
    /// tried.
    async fn paused(&self, engine: &str) -> Result<Option<Pause>, PortFailure>;

    /// Ends the stop: the engine has accepted a job.
    async fn resume(&self, engine: &str) -> Result<(), PortFailure>;

    /// Hands out erasures at `engine` that are due, and pushes their due time `hold` into the
    /// future.
    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure>;

    /// Takes an erasure off the list: done, or given up.
    async fn erased(&self, id: uuid::Uuid) -> Result<(), PortFailure>;

    /// Which of these jobs are alive.
    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure>;
}
