//! One claimed job from its claim to its end, and what becomes of it when something fails.

use std::{panic::AssertUnwindSafe, sync::Arc};

use chrono::TimeDelta;
use domain::{
    Failure, FailureClass, FailureCode, Job, Outcome, Stage, Step, Submission, Transcription,
    TranscriptionId, Upload, Verdict,
};
use futures_util::FutureExt;

use super::{Engine, duration, held::Fence};
use crate::{
    causes,
    ports::{Claimed, CommitError, FetchError, Hint, Lease, PortFailure, SpeechError, StepEffects},
};

/// How often something is written down while the database is away; a fence that falls ends it
/// earlier.
pub(super) const COMMIT_TRIES: u32 = 5;

/// The same for the engine's acceptance of a job.
const PAID_TRIES: u32 = 50;

/// A job while this process holds it.
pub(super) struct Run {
    pub(super) lease: Lease,
    pub(super) job: Job,
    pub(super) transcription: Transcription,
    pub(super) submission: Option<Submission>,
    pub(super) fence: Fence,
    /// Where it stands, as far as this process has committed.
    pub(super) stage: Stage,
    pub(super) upload: Option<Upload>,
    /// Whether this run has uploaded already because the engine lost an upload.
    pub(super) reuploaded: bool,
}

/// Why a stage did not end in its commit.
#[derive(Debug)]
pub(super) enum Halt {
    /// The job is not ours any more.
    Lost,
    /// The engine stops.
    Draining,
    /// It failed.
    Failed(Problem),
    /// The store does not answer; the lease will run out.
    Store(PortFailure),
}

/// A failure with what is needed to decide on a retry.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) code: FailureCode,
    pub(super) retry_after: Option<TimeDelta>,
    /// Shown to the user.
    pub(super) detail: Option<String>,
}

impl Problem {
    pub(super) fn new(code: FailureCode) -> Self {
        Self { code, retry_after: None, detail: None }
    }
}

impl From<SpeechError> for Halt {
    fn from(error: SpeechError) -> Self {
        let SpeechError { code, retry_after, detail } = error;
        Self::Failed(Problem { code, retry_after, detail })
    }
}

impl From<FetchError> for Halt {
    fn from(error: FetchError) -> Self {
        tracing::info!(event = "fetch_failed", code = error.code.as_str(), detail = %error.detail, "source not fetched");
        Self::Failed(Problem { code: error.code, retry_after: error.retry_after, detail: None })
    }
}

impl Engine {
    /// Runs a claimed job until it ends, waits, or is no longer ours.
    #[tracing::instrument(
        name = "engine.run",
        skip_all,
        fields(job.id = %claimed.lease.job, job.epoch = claimed.lease.epoch.get())
    )]
    pub(super) async fn run(self: Arc<Self>, claimed: Claimed, fence: Fence) {
        let Claimed { lease, job, transcription, submission } = claimed;
        let (id, epoch) = (lease.job, lease.epoch);
        let (stage, upload) = (job.parts().stage, job.parts().upload.clone());
        let mut run =
            Run { lease, job, transcription, submission, fence, stage, upload, reuploaded: false };
        if stage == Stage::Fetching {
            tracing::info!(
                event = "transcription_processing_started",
                mock_mode = self.is_mock(),
                "work begins"
            );
        }
        // Released however this ends: a lease that is kept alive by the heartbeat and worked on by
        // nobody would never be reaped.
        let held = self.held.guard(id, epoch);
        let worked = AssertUnwindSafe(self.advance(&mut run)).catch_unwind().await;
        let halted = match worked {
            Ok(Ok(())) => None,
            Ok(Err(halt)) => Some(halt),
            Err(_panic) => Some(Halt::Failed(Problem::new(FailureCode::Internal))),
        };
        if let Some(halt) = halted {
            self.halt(&run, halt).await;
        }
        drop(held);
        self.events.publish(Hint::Changed(id));
        // A slot is free, and the job may be ready for its next stage.
        self.events.publish(Hint::Ready);
    }

    /// Commits a step, again if the store does not answer: the store applies it once.
    pub(super) async fn commit(
        &self,
        run: &Run,
        step: impl Fn() -> Step,
        effects: impl Fn() -> StepEffects,
    ) -> Result<Outcome, Halt> {
        // What was paid for is worth waiting as long as the lease holds.
        let paid = matches!(step(), Step::Submitted { .. });
        let limit = if paid { PAID_TRIES } else { COMMIT_TRIES };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.jobs.commit(&run.lease, step(), effects()).await {
                Err(CommitError::Failed(failure)) if tries >= limit => {
                    return Err(Halt::Store(failure));
                }
                Err(CommitError::Failed(failure)) => self.breathe(run, failure).await?,
                Err(CommitError::LeaseLost) => return Err(Halt::Lost),
                Ok(outcome) => return Ok(outcome),
            }
        }
    }

    /// Waits before something is written down again, if that may help and is still allowed.
    pub(super) async fn breathe(&self, run: &Run, failure: PortFailure) -> Result<(), Halt> {
        let left = run.fence.remaining();
        if !failure.is_transient() || left.is_zero() {
            return Err(Halt::Store(failure));
        }
        let pause = duration(self.config.retry.backoff(0, self.entropy.unit()));
        tokio::time::sleep(pause.min(left)).await;
        Ok(())
    }

    /// Deals with a stage that did not end in its commit.
    async fn halt(&self, run: &Run, halt: Halt) {
        match halt {
            Halt::Lost => self.let_go(run).await,
            Halt::Draining => {
                self.conclude(run, || Step::Release).await;
            }
            Halt::Failed(problem) => self.fail(run, &problem, StepEffects::default).await,
            Halt::Store(failure) => tracing::error!(
                           event = "job_store_unavailable",
                           error = %failure,
            causes = causes(&failure),
                           "a step was not stored; the job is taken up again when its lease ends"
                       ),
        }
    }

    /// Retries, waits or gives up, by the class of the failure.
    pub(super) async fn fail(
        &self,
        run: &Run,
        problem: &Problem,
        effects: impl Fn() -> StepEffects,
    ) {
        let failures = run.job.parts().failures;
        let verdict = self.config.retry.decide(
            problem.code.class(),
            failures,
            problem.retry_after,
            self.entropy.unit(),
        );
        // Whatever ends a job that may have been paid for: that is what its owner must know.
        let given_up = verdict == Verdict::GiveUp && self.unanswered(run).is_some();
        let code = if given_up { FailureCode::SubmissionUnknown } else { problem.code };
        let failure = Failure::new(code, run.stage).with_detail(problem.detail.as_deref());
        let now = self.clock.now();
        let step = || match verdict {
            Verdict::Retry(delay) => Step::Retry { failure: failure.clone(), run_at: now + delay },
            Verdict::Snooze(delay) => {
                Step::Snooze { failure: failure.clone(), run_at: now + delay }
            }
            Verdict::GiveUp => Step::Fail(failure.clone()),
        };
        let stage = run.stage.as_str();
        let code = code.as_str();
        let paused = problem.code.class() == FailureClass::ProviderPaused;
        if paused {
            self.pause(problem.code, problem.retry_after).await;
        }
        match self.commit(run, step, effects).await {
            Ok(Outcome::Ended) => {
                tracing::error!(
                    event = "transcription_failed",
                    error.code = code,
                    stage,
                    retry_count = failures,
                    "gave up"
                );
                self.discard(run.lease.job).await;
                self.nudge.notify_one();
                self.release(&run.transcription.parts().source).await;
            }
            Ok(Outcome::Free | Outcome::Held) => {
                tracing::warn!(
                    event = "transcription_delayed",
                    error.code = code,
                    stage,
                    retry_count = failures,
                    "will be tried again"
                );
                // Rather fetched again than kept for hours by every job that waits.
                if paused {
                    self.discard(run.lease.job).await;
                }
            }
            Err(Halt::Lost) => self.let_go(run).await,
            Err(halt) => {
                tracing::error!(event = "job_store_unavailable", ?halt, "a failure was not stored");
            }
        }
    }

    async fn conclude(&self, run: &Run, step: impl Fn() -> Step) {
        if let Err(halt) = self.commit(run, step, StepEffects::default).await {
            tracing::warn!(event = "lease_lost", ?halt, "the job was not handed back");
        }
    }

    /// The job is another's, or has ended: its files go only in the latter case.
    async fn let_go(&self, run: &Run) {
        tracing::info!(event = "lease_lost", "the job is no longer held by this process");
        if self.has_ended(run.lease.job).await {
            self.discard(run.lease.job).await;
            self.release(&run.transcription.parts().source).await;
        }
    }

    /// Whether the store says that a job is over. What it does not answer is not so: a sweep
    /// finds the files later.
    pub(super) async fn has_ended(&self, job: TranscriptionId) -> bool {
        self.jobs.living(&[job]).await.is_ok_and(|living| living.is_empty())
    }

    pub(super) async fn discard(&self, job: TranscriptionId) {
        if !self.capabilities.needs_audio {
            return;
        }
        if let Err(failure) = self.media.discard(job).await {
            tracing::warn!(
                           event = "discard_failed",
                           error = %failure,
            causes = causes(&failure),
                           "local audio is left for the next sweep"
                       );
        }
    }
}
