//! Asking the speech engine how far a waiting job is.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{Failure, FailureClass, FailureCode, Outcome, PollStep, Stage};
use tokio::time::timeout;

use super::{Engine, duration, submit::may_resubmit};
use crate::{
    causes,
    ports::{CommitError, DuePoll, Hint, PollAnswer, SpeechError},
};

/// The longest pause that the engine can ask for: the result may be there long before.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// The shortest pause after a question that was not answered.
const UNANSWERED: TimeDelta = TimeDelta::seconds(5);

impl Engine {
    #[tracing::instrument(name = "engine.poll", skip_all, fields(job.id = %due.job.parts().id))]
    pub(super) async fn poll(self: Arc<Self>, due: DuePoll) {
        let step = tokio::select! {
            step = self.ask(&due) => step,
            // The next process asks at once, instead of waiting for the end of the hold.
            () = self.stopping.cancelled() => PollStep::Pending { check_at: self.clock.now() },
        };
        let (id, epoch) = (due.job.parts().id, due.job.parts().epoch);
        let failed = match &step {
            PollStep::Fail(failure) => Some((failure.code(), failure.stage())),
            PollStep::Pending { .. } | PollStep::Finished | PollStep::Resubmit { .. } => None,
        };
        let next = match &step {
            PollStep::Pending { check_at: at } | PollStep::Resubmit { run_at: at, .. } => {
                Some(*at - self.clock.now())
            }
            PollStep::Finished | PollStep::Fail(_) => None,
        };
        // Its copy is put down for erasure.
        let failed_there = matches!(step, PollStep::Resubmit { .. } | PollStep::Fail(_));
        let settled = self.jobs.settle(id, epoch, step).await;
        if failed_there {
            self.nudge.notify_one();
        }
        match settled {
            Ok(Outcome::Ended) => {
                if let Some((code, stage)) = failed {
                    tracing::error!(
                        event = "transcription_failed",
                        error.code = code.as_str(),
                        stage = stage.as_str(),
                        retry_count = due.job.parts().failures,
                        "the speech engine failed"
                    );
                }
                self.release(&due.transcription.parts().source).await;
                self.events.publish(Hint::Changed(id));
            }
            Ok(Outcome::Free | Outcome::Held) => {
                match next {
                    Some(delay) => self.wake_in(duration(delay)),
                    None => self.events.publish(Hint::Ready),
                }
                self.events.publish(Hint::Changed(id));
            }
            // Called off, or settled by another process.
            Err(CommitError::LeaseLost) => {}
            Err(CommitError::Failed(failure)) => tracing::error!(
                           event = "job_store_unavailable",
                           error = %failure,
            causes = causes(&failure),
                           "an answer of the speech engine was not stored; it is asked again"
                       ),
        }
    }

    /// Asks, and turns the answer into what becomes of the job.
    async fn ask(&self, due: &DuePoll) -> PollStep {
        let failure = |code: FailureCode| Failure::new(code, Stage::Transcribing);
        if due.transcription.parts().engine != self.speech.name() {
            return PollStep::Pending { check_at: self.clock.now() + self.config.retry.paused };
        }
        let Some(provider_id) = due.submission.provider_id.as_deref() else {
            return PollStep::Fail(failure(FailureCode::Internal));
        };
        let polls = due.job.parts().polls;
        let jitter = self.entropy.unit();
        let poll = self.speech.poll(provider_id, polls, due.submission.intent_at, jitter);
        let Ok(answer) = timeout(self.config.poll_timeout(), poll).await else {
            return self.ask_later(polls, None);
        };
        match answer {
            Ok(PollAnswer::Pending { check_after }) => {
                PollStep::Pending { check_at: self.clock.now() + check_after }
            }
            Ok(PollAnswer::Finished) => PollStep::Finished,
            Ok(PollAnswer::Failed(error)) => self.failed_there(due, &error),
            Err(error) => match error.code.class() {
                FailureClass::Permanent | FailureClass::Ambiguous => {
                    PollStep::Fail(failure(error.code).with_detail(error.detail.as_deref()))
                }
                class @ (FailureClass::ProviderPaused | FailureClass::LocalResource) => {
                    if class == FailureClass::ProviderPaused {
                        self.pause(error.code, error.retry_after).await;
                    }
                    PollStep::Pending { check_at: self.clock.now() + self.config.retry.paused }
                }
                // A question that was not answered says nothing about the job: it is asked again
                // until the job's own deadline, and never submitted again for it.
                FailureClass::Transient
                | FailureClass::Throttled
                | FailureClass::ProviderFailed
                | FailureClass::Bug => self.ask_later(polls, error.retry_after),
            },
        }
    }

    /// The engine says that the job failed there.
    fn failed_there(&self, due: &DuePoll, error: &SpeechError) -> PollStep {
        let failure =
            Failure::new(error.code, Stage::Transcribing).with_detail(error.detail.as_deref());
        let again = error.code.class() == FailureClass::ProviderFailed
            && may_resubmit(&due.job, &due.submission, self.config.retry.max_transient);
        if again {
            let failures = due.job.parts().failures;
            let delay = self.config.retry.backoff(failures, self.entropy.unit());
            PollStep::Resubmit { failure, run_at: self.clock.now() + delay }
        } else {
            PollStep::Fail(failure)
        }
    }

    fn ask_later(&self, polls: u32, retry_after: Option<TimeDelta>) -> PollStep {
        let delay = self.config.retry.backoff(polls.min(4), self.entropy.unit());
        let asked = retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        let delay = delay.max(UNANSWERED).max(asked);
        PollStep::Pending { check_at: self.clock.now() + delay }
    }
}
