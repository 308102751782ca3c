//! Stores under test, and the short ways to bring them into a state.

use std::{any::Any, sync::Arc, time::Duration};

use application::ports::{
    ClaimRequest, Claimed, Clock, CommitError, DuePoll, Erasure, JobStore, Lease, Resolution,
    StepEffects, TickReport, TranscriptionRepository, UserRepository,
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    CallbackDigest, CompletedFacts, Failure, FailureCode, Job, Outcome, PollStep, SourceFacts,
    Stage, Step, Submission, SubmissionId, SubmissionState, Transcription, TranscriptionId, Upload,
    UserId, WorkerId,
};

use super::{
    TestClock,
    samples::{ENGINE, a_submission, a_transcript, a_transcription, a_user, next_id},
};

/// The ports over one fresh store, and its clock.
#[derive(Clone)]
pub struct Stores {
    /// Accounts.
    pub users: Arc<dyn UserRepository>,
    /// What users see.
    pub transcriptions: Arc<dyn TranscriptionRepository>,
    /// The engine's side.
    pub jobs: Arc<dyn JobStore>,
    /// What the store takes for now.
    pub clock: Arc<TestClock>,
    /// What must live as long as the store, such as a directory.
    _guard: Arc<dyn Any + Send + Sync>,
}

impl Stores {
    /// A store that is all three ports. `guard` lives as long as it.
    pub fn new<S>(store: S, clock: Arc<TestClock>, guard: impl Any + Send + Sync) -> Self
    where
        S: UserRepository + TranscriptionRepository + JobStore + 'static,
    {
        let store = Arc::new(store);
        Self {
            users: Arc::<S>::clone(&store),
            transcriptions: Arc::<S>::clone(&store),
            jobs: store,
            clock,
            _guard: Arc::new(guard),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Registers a user.
    pub(super) async fn owner(&self) -> UserId {
        let user = a_user(self.now());
        self.users.insert(&user).await.expect("the account is stored");
        user.parts().id
    }

    /// Queues a job of `owner`.
    pub(super) async fn queued(&self, owner: UserId) -> Transcription {
        let transcription = a_transcription(owner, self.now());
        self.jobs.enqueue(&transcription).await.expect("the job is queued");
        transcription
    }

    /// Queues several jobs of `owner`.
    pub(super) async fn queue(&self, owner: UserId, jobs: usize) -> Vec<TranscriptionId> {
        let mut ids = Vec::new();
        for _ in 0..jobs {
            ids.push(self.queued(owner).await.parts().id);
        }
        ids
    }

    pub(super) async fn claim(&self, request: &ClaimRequest) -> Vec<Claimed> {
        self.jobs.claim(request).await.expect("jobs are claimed")
    }

    /// Claims the one job that is ready.
    pub(super) async fn claim_one(&self) -> Claimed {
        let mut claimed = self.claim(&request(9)).await;
        assert_eq!(claimed.len(), 1, "one job is ready");
        claimed.pop().expect("one job is ready")
    }

    /// Queues a job of a new user and claims it.
    pub(super) async fn a_leased_job(&self) -> Claimed {
        let owner = self.owner().await;
        self.queued(owner).await;
        self.claim_one().await
    }

    pub(super) async fn step(&self, lease: &Lease, step: Step) -> Outcome {
        self.commit(lease, step, StepEffects::default()).await.expect("the step is applied")
    }

    pub(super) async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError> {
        self.jobs.commit(lease, step, effects).await
    }

    /// Brings a leased job to the brink of its submission.
    pub(super) async fn prepare(&self, lease: &Lease) {
        let facts = SourceFacts { title: Some("Un titre".to_owned()), duration_ms: Some(61_000) };
        self.step(lease, Step::Fetched(facts)).await;
        let url = format!("https://upload.example.com/{}", lease.job);
        let upload = Upload { url, at: self.now() };
        self.step(lease, Step::Uploaded(Some(upload))).await;
    }

    /// Writes a submission down and has it accepted: the job waits, to be asked about in 5 s.
    pub(super) async fn submit(&self, lease: &Lease) -> Submission {
        let intent = self.jobs.intend(lease, a_submission()).await.expect("written down");
        let provider_id = format!("provider-{}", intent.id);
        let effects = StepEffects {
            accepted: Some((intent.id, provider_id.clone())),
            ..StepEffects::default()
        };
        let check_at = self.now() + TimeDelta::seconds(5);
        let outcome = self.commit(lease, Step::Submitted { check_at }, effects).await;
        assert_eq!(outcome.expect("the job waits"), Outcome::Free);
        Submission { state: SubmissionState::Accepted, provider_id: Some(provider_id), ..intent }
    }

    /// A job of a new user that waits for the engine.
    pub(super) async fn a_waiting_job(&self) -> (Claimed, Submission) {
        let claimed = self.a_leased_job().await;
        self.prepare(&claimed.lease).await;
        let submission = self.submit(&claimed.lease).await;
        (claimed, submission)
    }

    /// A job of a new user that gave its only submission up and is ready.
    pub(super) async fn a_given_up_job(&self) -> (Claimed, Submission) {
        let claimed = self.a_leased_job().await;
        self.prepare(&claimed.lease).await;
        let intent = self.jobs.intend(&claimed.lease, a_submission()).await.expect("written down");
        let effects = StepEffects { abandoned: Some(intent.id), ..StepEffects::default() };
        self.commit(&claimed.lease, Step::Release, effects).await.expect("it is given up");
        (claimed, Submission { state: SubmissionState::Abandoned, ..intent })
    }

    /// Lets every holder of the one leased job die, until it is given up.
    pub(super) async fn crash_out(&self) {
        for death in 1..=Job::MAX_CRASHES {
            self.advance(61);
            let report = self.tick().await;
            let last = death == Job::MAX_CRASHES;
            assert_eq!((report.crashed_out, report.reaped), if last { (1, 0) } else { (0, 1) });
            if !last {
                self.claim_one().await;
            }
        }
    }

    /// Has the engine finish a waiting job, claims it again, and completes it.
    pub(super) async fn complete(&self, waiting: &Lease) {
        self.settle(waiting, PollStep::Finished).await.expect("the job goes on");
        let again = self.claim_one().await;
        self.store(&again.lease, false).await;
    }

    /// Completes a job that is leased for it.
    pub(super) async fn store(&self, lease: &Lease, erase: bool) {
        let transcript = a_transcript();
        let facts = CompletedFacts {
            language_detected: transcript.language.clone(),
            confidence: transcript.confidence,
            duration_ms: transcript.duration_ms,
        };
        let transcript = Some(transcript);
        let effects = StepEffects { transcript, erase, ..StepEffects::default() };
        let outcome = self.commit(lease, Step::Complete(facts), effects).await;
        assert_eq!(outcome.expect("the job completes"), Outcome::Ended);
    }

    pub(super) async fn settle(
        &self,
        waiting: &Lease,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        self.jobs.settle(waiting.job, waiting.epoch, step).await
    }

    pub(super) async fn due_polls(&self) -> Vec<DuePoll> {
        self.jobs.due_polls(9, Duration::from_secs(30)).await.expect("polls are handed out")
    }

    pub(super) async fn tick(&self) -> TickReport {
        self.jobs.tick(100).await.expect("the housekeeping is done")
    }

    /// What the owner sees of a job.
    pub(super) async fn seen(&self, transcription: &Transcription) -> Transcription {
        let parts = transcription.parts();
        let found = self.transcriptions.find(parts.owner, parts.id).await.expect("it is read");
        found.expect("it is there").transcription
    }

    pub(super) async fn is_alive(&self, id: TranscriptionId) -> bool {
        self.jobs.living(&[id]).await.expect("it is looked up") == [id]
    }

    /// What is to be erased now, as the engine's names.
    pub(super) async fn due_erasures(&self) -> Vec<String> {
        let due = self.erasures_at(ENGINE, 9).await;
        due.into_iter().map(|erasure| erasure.provider_id).collect()
    }

    /// What is to be erased now at `engine`, held for a minute.
    pub(super) async fn erasures_at(&self, engine: &str, limit: u32) -> Vec<Erasure> {
        let hold = Duration::from_mins(1);
        self.jobs.due_erasures(engine, limit, hold).await.expect("handed out")
    }

    /// What was given up and may have been accepted, whenever it was.
    pub(super) async fn unresolved(&self) -> Vec<Submission> {
        let since = DateTime::UNIX_EPOCH;
        self.jobs.unresolved(ENGINE, since, 9).await.expect("they are told")
    }

    pub(super) async fn resolve(&self, id: SubmissionId, name: &str) -> Resolution {
        self.jobs.resolve(id, ENGINE, name).await.expect("it is resolved")
    }

    /// Has `engine` tell of a copy whose submission nobody knows: it is put down.
    pub(super) async fn unknown_copy(&self, engine: &str, name: &str) {
        let unknown = SubmissionId::from_uuid(next_id());
        let resolution = self.jobs.resolve(unknown, engine, name).await;
        assert_eq!(resolution.expect("it is resolved"), Resolution::Unneeded);
    }

    pub(super) async fn duplicates(&self) -> u64 {
        self.jobs.duplicates().await.expect("they are counted")
    }

    pub(super) async fn hear(
        &self,
        callback: &CallbackDigest,
        name: Option<&str>,
    ) -> Option<TranscriptionId> {
        self.jobs.hear(callback, name).await.expect("it is taken in")
    }
}

/// A claim of a new worker, for a minute, without limits but its slots.
pub(super) fn request(slots: u32) -> ClaimRequest {
    ClaimRequest {
        worker: WorkerId::from_uuid(next_id()),
        slots,
        lease: Duration::from_mins(1),
        per_owner: u32::MAX,
        provider_cap: None,
    }
}

/// A failure that may pass.
pub(super) fn a_failure() -> Failure {
    Failure::new(FailureCode::SourceUnreachable, Stage::Fetching).with_detail(Some("reset by peer"))
}
