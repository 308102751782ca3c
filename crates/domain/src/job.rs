//! The engine's side of a transcription: who works on it, until when, and what comes next.
//!
//! ```text
//!            ┌────────────── retry, snooze ───────────────┐
//!            ▼                                            │
//! Scheduled ──due──▶ Ready ──claim──▶ Leased ──submit──▶ Waiting ──finished──▶ Ready (storing)
//!                      ▲                │  └─ complete, fail ─▶ gone      └─ fail ─▶ gone
//!                      └─ release, reap ┘
//! ```
//! Every claim raises the epoch; a step is applied only by the holder of the current epoch, so
//! that a process which lost its lease cannot change anything. A job row exists only while the
//! job lives: what remains is the transcription.

mod step;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Failure, FailureCode, Stage, Transcription, TranscriptionId, UserId, WorkerId};

pub use step::{Outcome, PollStep, Step};

/// A transition that the state does not allow. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot go from {from} to {to}")]
pub struct InvalidTransition {
    /// The state it is in.
    pub from: &'static str,
    /// The state it should have gone to.
    pub to: &'static str,
}

/// Counts the claims of a job; the fence against a holder that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// Wraps a stored number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of the next claim.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Who may move a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Nobody before `run_at`.
    Scheduled,
    /// Whoever claims it.
    Ready,
    /// The holder, until the lease ends.
    Leased {
        /// Who holds it.
        worker: WorkerId,
        /// When others may take it over.
        until: DateTime<Utc>,
    },
    /// The poller: the engine outside works.
    Waiting,
}

impl JobState {
    /// The word in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Leased { .. } => "leased",
            Self::Waiting => "waiting",
        }
    }
}

/// Audio that an engine holds for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The engine's own name for it.
    pub url: String,
    /// When it was uploaded; engines forget uploads after a day.
    pub at: DateTime<Utc>,
}

impl Upload {
    /// How long an upload is relied upon (`AssemblyAI` deletes them after 24 to 48 hours).
    pub const USABLE: TimeDelta = TimeDelta::hours(20);

    /// Whether it can still be submitted.
    pub fn is_usable(&self, now: DateTime<Utc>) -> bool {
        now - self.at < Self::USABLE
    }
}

/// The facts of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobParts {
    /// Which transcription it makes.
    pub id: TranscriptionId,
    /// Whose turn it uses up.
    pub owner: UserId,
    /// Who may move it.
    pub state: JobState,
    /// What comes next.
    pub stage: Stage,
    /// Its place in the fair queue (start-time fair queueing by owner).
    pub vtime: f64,
    /// How much of its owner's share it uses, in expected minutes of audio; at least 1.
    pub cost: f64,
    /// When a scheduled job becomes ready, or a waiting one is polled next.
    pub run_at: DateTime<Utc>,
    /// Counted failures so far.
    pub failures: u32,
    /// How often its holder died since it last got on.
    pub crashes: u32,
    /// How often the engine has been asked how far it is, since the last submission.
    pub polls: u32,
    /// The number of the last claim.
    pub epoch: Epoch,
    /// When it is given up, whatever it does.
    pub deadline_at: DateTime<Utc>,
    /// When a waiting job is given up.
    pub await_until: Option<DateTime<Utc>>,
    /// The audio at the engine.
    pub upload: Option<Upload>,
}

/// A live job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job(JobParts);

impl Job {
    /// How long a job may take as a whole.
    pub const DEADLINE: TimeDelta = TimeDelta::hours(24);
    /// How long the engine may take.
    pub const AWAIT: TimeDelta = TimeDelta::hours(6);
    /// How often the holder of a job may die before the job is taken for the cause.
    pub const MAX_CRASHES: u32 = 3;

    /// A new job, ready at once, at place `vtime` of the fair queue.
    pub fn enqueue(transcription: &Transcription, cost: f64, vtime: f64) -> Self {
        let parts = transcription.parts();
        Self(JobParts {
            id: parts.id,
            owner: parts.owner,
            state: JobState::Ready,
            stage: Stage::Fetching,
            vtime,
            cost: cost.max(1.0),
            run_at: parts.created_at,
            failures: 0,
            crashes: 0,
            polls: 0,
            epoch: Epoch::default(),
            deadline_at: parts.created_at + Self::DEADLINE,
            await_until: None,
            upload: None,
        })
    }

    /// Rebuilds a job from storage.
    pub fn restore(parts: JobParts) -> Self {
        Self(parts)
    }

    /// The facts.
    pub fn parts(&self) -> &JobParts {
        &self.0
    }

    /// The place in the fair queue of a job that becomes ready now (start-time fair queueing):
    /// behind its owner's last one, and never before the job that was claimed last.
    pub fn fair_place(owner_last: Option<f64>, clock: f64, cost: f64, weight: f64) -> f64 {
        owner_last.unwrap_or(clock).max(clock) + cost / weight
    }

    /// Makes a scheduled job ready, at place `vtime`.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless it is scheduled.
    pub fn promote(&mut self, vtime: f64) -> Result<(), InvalidTransition> {
        match self.0.state {
            JobState::Scheduled => {
                self.0.state = JobState::Ready;
                self.0.vtime = vtime;
                Ok(())
            }
            JobState::Ready | JobState::Leased { .. } | JobState::Waiting => {
                Err(self.refuse("ready"))
            }
        }
    }

    /// Gives a ready job to `worker` and raises the epoch.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless it is ready.
    pub fn lease(
        &mut self,
        worker: WorkerId,
        until: DateTime<Utc>,
    ) -> Result<(), InvalidTransition> {
        match self.0.state {
            JobState::Ready => {
                self.0.state = JobState::Leased { worker, until };
                self.0.epoch = self.0.epoch.next();
                Ok(())
            }
            JobState::Scheduled | JobState::Leased { .. } | JobState::Waiting => {
                Err(self.refuse("leased"))
            }
        }
    }

    /// Applies what the holder has done, to the job and to what its owner sees.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless the job is leased and the step follows from its stage; both
    /// are unchanged.
    pub fn apply(
        &mut self,
        step: Step,
        transcription: &mut Transcription,
        now: DateTime<Utc>,
    ) -> Result<Outcome, InvalidTransition> {
        if !matches!(self.0.state, JobState::Leased { .. }) {
            return Err(self.refuse("a step of its holder"));
        }
        match step {
            Step::Fetched(facts) => {
                // At the later stage when the caller did not learn that it was applied.
                self.expect_stage(&[Stage::Fetching, Stage::Uploading], "uploading")?;
                transcription.enter(Stage::Uploading, now)?;
                transcription.learn(facts, now);
                self.0.stage = Stage::Uploading;
                self.0.crashes = 0;
                Ok(Outcome::Held)
            }
            Step::Uploaded(upload) => {
                // A job that must be submitted anew uploads anew, without going back a stage.
                let next = self.0.stage.max(Stage::Submitting);
                self.expect_stage(
                    &[Stage::Fetching, Stage::Uploading, Stage::Submitting, Stage::Transcribing],
                    "submitting",
                )?;
                transcription.enter(next, now)?;
                self.0.stage = next;
                self.0.upload = upload;
                self.0.crashes = 0;
                Ok(Outcome::Held)
            }
            Step::Submitted { check_at } => {
                self.expect_stage(&[Stage::Submitting, Stage::Transcribing], "waiting")?;
                transcription.enter(Stage::Transcribing, now)?;
                self.wait(check_at, now);
                Ok(Outcome::Free)
            }
            Step::Retry { run_at, .. } => {
                self.0.failures += 1;
                transcription.count_retry(now);
                self.schedule(run_at);
                Ok(Outcome::Free)
            }
            Step::Snooze { run_at, .. } => {
                self.schedule(run_at);
                Ok(Outcome::Free)
            }
            Step::Release => {
                self.0.state = JobState::Ready;
                Ok(Outcome::Free)
            }
            Step::Fail(failure) => transcription.fail(failure, now).map(|()| Outcome::Ended),
            Step::Complete(facts) => {
                self.expect_stage(&[Stage::Storing], "completed")?;
                transcription.complete(facts, now).map(|()| Outcome::Ended)
            }
        }
    }

    /// Applies what the engine answered about a waiting job.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless the job waits; nothing is changed.
    pub fn settle(
        &mut self,
        step: PollStep,
        transcription: &mut Transcription,
        now: DateTime<Utc>,
    ) -> Result<Outcome, InvalidTransition> {
        if self.0.state != JobState::Waiting {
            return Err(self.refuse("an answer of the engine"));
        }
        match step {
            PollStep::Pending { check_at } => {
                self.0.polls = self.0.polls.saturating_add(1);
                self.0.run_at = check_at;
                Ok(Outcome::Free)
            }
            PollStep::Finished => {
                transcription.enter(Stage::Storing, now)?;
                self.0.stage = Stage::Storing;
                self.0.state = JobState::Ready;
                self.0.await_until = None;
                Ok(Outcome::Free)
            }
            PollStep::Resubmit { run_at, .. } => {
                self.0.failures += 1;
                self.0.await_until = None;
                // The upload may be what it failed at.
                self.0.upload = None;
                transcription.count_retry(now);
                self.schedule(run_at);
                Ok(Outcome::Free)
            }
            PollStep::Fail(failure) => transcription.fail(failure, now).map(|()| Outcome::Ended),
        }
    }

    /// Takes in that the engine has accepted the job after all: it waits from now on.
    ///
    /// # Errors
    /// [`InvalidTransition`] while somebody holds it or it waits already, and before it can have
    /// been submitted; both are unchanged.
    pub fn adopt(
        &mut self,
        transcription: &mut Transcription,
        now: DateTime<Utc>,
    ) -> Result<Outcome, InvalidTransition> {
        match self.0.state {
            JobState::Scheduled | JobState::Ready => {
                self.expect_stage(&[Stage::Submitting, Stage::Transcribing], "waiting")?;
                transcription.enter(Stage::Transcribing, now)?;
                self.wait(now, now);
                Ok(Outcome::Free)
            }
            JobState::Leased { .. } | JobState::Waiting => Err(self.refuse("waiting")),
        }
    }

    /// Takes the job from a holder whose lease has ended. `unanswered` says whether the engine may
    /// have accepted it unknown to us: then that is what its owner is told if it ends here.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless it is leased and the lease ended before `now`.
    pub fn reap(
        &mut self,
        transcription: &mut Transcription,
        unanswered: bool,
        now: DateTime<Utc>,
    ) -> Result<Outcome, InvalidTransition> {
        match self.0.state {
            JobState::Leased { until, .. } if until < now => {
                self.0.crashes += 1;
                if self.0.crashes >= Self::MAX_CRASHES {
                    let code = if unanswered {
                        FailureCode::SubmissionUnknown
                    } else {
                        FailureCode::WorkerCrashLoop
                    };
                    let failure = Failure::new(code, self.0.stage);
                    return transcription.fail(failure, now).map(|()| Outcome::Ended);
                }
                transcription.count_retry(now);
                self.0.state = JobState::Ready;
                Ok(Outcome::Free)
            }
            JobState::Leased { .. } | JobState::Scheduled | JobState::Ready | JobState::Waiting => {
                Err(self.refuse("reaped"))
            }
        }
    }

    /// Ends a job that nobody holds and that has taken too long, as a whole or at the engine.
    /// `unanswered` says whether the engine may have accepted it unknown to us: then that is what
    /// its owner must know.
    ///
    /// # Errors
    /// [`InvalidTransition`] while it is leased or in time.
    pub fn expire(
        &mut self,
        transcription: &mut Transcription,
        unanswered: bool,
        now: DateTime<Utc>,
    ) -> Result<Outcome, InvalidTransition> {
        let leased = matches!(self.0.state, JobState::Leased { .. });
        let code = if self.0.deadline_at < now && unanswered {
            FailureCode::SubmissionUnknown
        } else if self.0.deadline_at < now {
            FailureCode::DeadlineExceeded
        } else if self.0.await_until.is_some_and(|until| until < now) {
            FailureCode::ProviderTimeout
        } else {
            return Err(self.refuse("expired"));
        };
        if leased {
            return Err(self.refuse("expired"));
        }
        transcription.fail(Failure::new(code, self.0.stage), now).map(|()| Outcome::Ended)
    }

    fn wait(&mut self, check_at: DateTime<Utc>, now: DateTime<Utc>) {
        self.0.stage = Stage::Transcribing;
        self.0.state = JobState::Waiting;
        self.0.run_at = check_at;
        self.0.polls = 0;
        self.0.crashes = 0;
        self.0.await_until = Some(now + Self::AWAIT);
    }

    fn schedule(&mut self, run_at: DateTime<Utc>) {
        self.0.state = JobState::Scheduled;
        self.0.run_at = run_at;
    }

    fn expect_stage(&self, stages: &[Stage], to: &'static str) -> Result<(), InvalidTransition> {
        if stages.contains(&self.0.stage) {
            Ok(())
        } else {
            Err(InvalidTransition { from: self.0.stage.as_str(), to })
        }
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition { from: self.0.state.as_str(), to }
    }
}

#[cfg(test)]
mod tests;
