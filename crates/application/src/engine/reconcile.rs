//! A submission whose answer is not known: looked for at the engine, and never sent again.
//!
//! The engine's list is what there is to go by, and it may lag: a job that it lacks may have been
//! accepted all the same. Only complete listings count, several of them, and the last one after a
//! window; then the submission is given up, and its audio is uploaded anew so that the two can
//! always be told apart.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Failure, FailureClass, FailureCode, RetryPolicy, Step, Submission, SubmissionId,
    SubmissionState,
};

use super::{
    Engine,
    run::{Halt, Problem, Run},
};
use crate::ports::{StepEffects, SubmitAnswer, Wanted};

/// What a look at the engine's list came to.
pub(super) enum Reconciled {
    /// The job moved on, or waits for the next look: this claim has ended.
    Concluded,
    /// The submission is given up: the job may be submitted anew.
    GivenUp,
}

impl Engine {
    /// The submission of this job that the engine may have accepted unknown to us.
    pub(super) fn unanswered<'a>(&self, run: &'a Run) -> Option<&'a Submission> {
        if self.capabilities.resubmission_is_harmless {
            return None;
        }
        run.submission.as_ref().filter(|submission| submission.state == SubmissionState::Intent)
    }

    /// Looks for `open` at the engine, and acts on what the look says.
    pub(super) async fn reconcile(
        &self,
        run: &mut Run,
        open: &Submission,
    ) -> Result<Reconciled, Halt> {
        // A listing says how things stood when it began.
        let began = self.clock.now();
        match self.look_for(run, open).await {
            Ok(Some(provider_id)) => {
                self.adopt(run, open, provider_id).await?;
                Ok(Reconciled::Concluded)
            }
            Ok(None) if self.config.settle.is_settled(open, began) => self.give_up(run, open).await,
            Ok(None) => {
                self.look_later(run, open.intent_at, Some(open.id), None).await?;
                Ok(Reconciled::Concluded)
            }
            // A listing that failed says nothing about the job, and is not its fault.
            Err(Halt::Failed(problem)) if problem.code.class() != FailureClass::ProviderPaused => {
                self.look_later(run, open.intent_at, None, Some(&problem)).await?;
                Ok(Reconciled::Concluded)
            }
            Err(halt) => Err(halt),
        }
    }

    async fn look_for(&self, run: &Run, open: &Submission) -> Result<Option<String>, Halt> {
        let wanted = [wanted(open)];
        let find = self.speech.find(&wanted);
        let mut found = self.guarded(run, self.config.deadlines.find, find).await?;
        match (found.pop(), found.is_empty()) {
            (Some(answer), true) => Ok(answer),
            _ => Err(Halt::Failed(Problem::new(FailureCode::ProviderProtocol))),
        }
    }

    async fn adopt(&self, run: &Run, open: &Submission, provider_id: String) -> Result<(), Halt> {
        let answer = SubmitAnswer { provider_id, check_after: TimeDelta::zero() };
        self.accepted(run, open, &answer).await?;
        tracing::warn!(
            event = "submission_adopted",
            submission.id = %open.id,
            provider.id = %answer.provider_id,
            "the speech engine had accepted a job whose answer was lost"
        );
        Ok(())
    }

    /// As far as the engine's list goes, it was never accepted.
    async fn give_up(&self, run: &mut Run, open: &Submission) -> Result<Reconciled, Halt> {
        let abandoned = || StepEffects { abandoned: Some(open.id), ..StepEffects::default() };
        tracing::warn!(
            event = "submission_abandoned",
            submission.id = %open.id,
            seq = open.seq,
            listings = open.clean_listings + 1,
            "the speech engine never listed a job whose answer was lost"
        );
        if open.seq >= Submission::MAX_SEQ {
            self.fail(run, &Problem::new(FailureCode::SubmissionUnknown), abandoned).await;
            return Ok(Reconciled::Concluded);
        }
        self.commit(run, || Step::Uploaded(None), abandoned).await?;
        run.upload = None;
        run.submission = None;
        Ok(Reconciled::GivenUp)
    }

    /// Leaves a submission open until the next look at the engine's list; not counted as a
    /// failure of the job. `unlisted` is what this look did not find, `problem` what kept it from
    /// telling anything.
    pub(super) async fn look_later(
        &self,
        run: &Run,
        intent_at: DateTime<Utc>,
        unlisted: Option<SubmissionId>,
        problem: Option<&Problem>,
    ) -> Result<(), Halt> {
        let now = self.clock.now();
        let asked = problem.and_then(|problem| problem.retry_after).unwrap_or_default();
        let asked = asked.clamp(TimeDelta::zero(), RetryPolicy::MAX_RETRY_AFTER);
        let run_at = self.config.settle.next_look(intent_at, now).max(now + asked);
        let code = problem.map_or(FailureCode::SubmissionUnknown, |problem| problem.code);
        let failure = Failure::new(code, run.stage);
        let step = || Step::Snooze { failure: failure.clone(), run_at };
        let effects = || StepEffects { unlisted, ..StepEffects::default() };
        self.commit(run, step, effects).await?;
        tracing::warn!(
            event = "submission_unanswered",
            error.code = code.as_str(),
            looked = unlisted.is_some(),
            next_look_seconds = (run_at - now).num_seconds(),
            "it is not known whether the speech engine accepted the job; it is looked for, not sent again"
        );
        Ok(())
    }
}

/// What there is to know a submission by.
pub(super) fn wanted(submission: &Submission) -> Wanted<'_> {
    Wanted {
        upload_url: submission.upload_url.as_deref(),
        callback: submission.callback,
        since: submission.intent_at,
        hinted_id: submission.hinted_id.as_deref(),
    }
}
