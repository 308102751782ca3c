//! Engines that lack a safeguard, to show that the checker would notice.

use std::{sync::Arc, time::Duration};

use application::{
    EngineConfig,
    ports::{
        CancelOutcome, Capabilities, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError,
        Erasure, IntentError, JobStore, Lease, NewSubmission, Pause, PollAnswer, PortFailure,
        Resolution, SpeechError, SpeechToText, StepEffects, SubmitAnswer, SubmitRequest,
        TickReport, Wanted,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    CallbackDigest, Epoch, FailureCode, Outcome, PollStep, Step, Submission, SubmissionId,
    SubmissionState, Transcript, Transcription, TranscriptionId, UserId, WorkerId,
};
use infrastructure::persistence::SqliteStore;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::world::{LEASE, config};

/// What an engine lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Nothing.
    None,
    /// It never takes a lease for lost: neither by itself, nor when the store says so.
    NoFence,
    /// It sends an open intent again.
    SendsAgain,
}

impl Mutant {
    const ALL: [Self; 3] = [Self::None, Self::NoFence, Self::SendsAgain];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::NoFence => "no-fence",
            Self::SendsAgain => "sends-again",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }

    /// How the engine works.
    pub(super) fn config(self) -> EngineConfig {
        match self {
            Self::None | Self::SendsAgain => config(),
            // So that its own fence never falls.
            Self::NoFence => EngineConfig { lease: Duration::from_mins(1), ..config() },
        }
    }

    /// The store as the engine sees it.
    pub(super) fn jobs(
        self,
        jobs: Arc<dyn JobStore>,
        store: &Arc<SqliteStore>,
    ) -> Arc<dyn JobStore> {
        match self {
            Self::None | Self::SendsAgain => jobs,
            Self::NoFence => Arc::new(Unfenced { jobs, store: store.clone() }),
        }
    }

    /// The speech engine as the engine sees it.
    pub(super) fn speech(self, speech: Arc<dyn SpeechToText>) -> Arc<dyn SpeechToText> {
        match self {
            Self::None | Self::NoFence => speech,
            Self::SendsAgain => Arc::new(Careless(speech)),
        }
    }
}

/// Takes no answer that a lease was lost: says it again under the epoch of whoever has the job
/// now, and goes on in any case.
struct Unfenced {
    jobs: Arc<dyn JobStore>,
    store: Arc<SqliteStore>,
}

impl Unfenced {
    async fn usurped(&self, job: TranscriptionId) -> Option<Lease> {
        let db = self.store.read_connection();
        let sql = "SELECT epoch FROM jobs WHERE id = ?";
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

/// Says that to submit twice does no harm.
struct Careless(Arc<dyn SpeechToText>);

#[async_trait]
impl SpeechToText for Careless {
    fn capabilities(&self) -> Capabilities {
        Capabilities { resubmission_is_harmless: true, ..self.0.capabilities() }
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn upload(&self, audio: &std::path::Path) -> Result<String, SpeechError> {
        self.0.upload(audio).await
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        self.0.submit(request).await
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.0.find(wanted).await
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        self.0.poll(provider_id, polls, since, jitter).await
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        self.0.result(provider_id, video_url).await
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.0.erase(provider_id).await
    }
}
