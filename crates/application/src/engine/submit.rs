//! Asking a speech engine, once.
//!
//! The intent is durable before the request leaves, and used once: whoever finds an open intent
//! that it did not just write does not send, but looks for it at the engine.

use std::time::Duration;

use domain::{CallbackToken, FailureCode, Job, Step, Submission, SubmissionId, SubmissionState};
use tokio::time::{Instant, timeout};

use super::{
    Engine, duration,
    reconcile::Reconciled,
    run::{COMMIT_TRIES, Halt, Problem, Run},
};
use crate::ports::{
    IntentError, NewSubmission, SpeechError, StepEffects, SubmitAnswer, SubmitRequest,
};

/// How much longer than it was given an engine may take to keep its own deadline.
pub(super) const GRACE: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) async fn submit(&self, run: &mut Run) -> Result<(), Halt> {
        // Ends in the third round at the latest: a submission is given up once, and an upload
        // made anew once.
        loop {
            if let Some(open) = self.unanswered(run).cloned() {
                match self.reconcile(run, &open).await? {
                    Reconciled::Concluded => return Ok(()),
                    Reconciled::GivenUp => {}
                }
            }
            self.ensure_upload(run).await?;
            if self.stopping.is_cancelled() {
                return Err(Halt::Draining);
            }
            let asked = Instant::now();
            let token = CallbackToken::new(self.entropy.secret());
            let Some(submission) = self.intend(run, &token).await? else { return Ok(()) };
            if !self.config.may_send(asked.elapsed(), run.fence.remaining()) {
                // Too late to be sure of the lease; nothing was sent, and that is known.
                return self.withdraw(run, submission.id).await;
            }
            match self.send(run, &token).await {
                Ok(answer) => return self.answered(run, &submission, &answer).await,
                Err(error) if error.code == FailureCode::SubmissionUnknown => {
                    return self.look_later(run, submission.intent_at, None, None).await;
                }
                Err(error) if error.code == FailureCode::ProviderUploadLost && !run.reuploaded => {
                    self.forget_upload(run, submission.id).await?;
                }
                Err(error) => {
                    self.refused(run, submission.id, error).await;
                    return Ok(());
                }
            }
        }
    }

    /// Sends the request, and takes an engine that never answers for one whose answer is lost.
    /// Neither a cancellation nor a drain interrupts it: its answer tells what to erase, or spares
    /// the job a search.
    async fn send(&self, run: &Run, token: &CallbackToken) -> Result<SubmitAnswer, SpeechError> {
        let request = SubmitRequest {
            upload_url: run.upload.as_ref().map(|upload| upload.url.as_str()),
            options: &run.transcription.parts().options,
            callback: token,
            timeout: self.config.deadlines.submit.min(run.fence.remaining()),
        };
        let deadline = request.timeout + GRACE;
        let lost =
            SpeechError { code: FailureCode::SubmissionUnknown, retry_after: None, detail: None };
        timeout(deadline, self.speech.submit(request)).await.unwrap_or(Err(lost))
    }

    async fn ensure_upload(&self, run: &mut Run) -> Result<(), Halt> {
        let now = self.clock.now();
        let usable = run.upload.as_ref().is_some_and(|upload| upload.is_usable(now));
        if usable || !self.capabilities.needs_audio { Ok(()) } else { self.upload(run).await }
    }

    /// Writes down that a request is about to leave; `None` where another claim's is open, of
    /// which this claim was not told: the job then waits to be looked for.
    async fn intend(
        &self,
        run: &mut Run,
        token: &CallbackToken,
    ) -> Result<Option<Submission>, Halt> {
        let harmless = self.capabilities.resubmission_is_harmless;
        // An intent is used again only where that does no harm.
        let open = |s: &&Submission| harmless && s.state == SubmissionState::Intent;
        if let Some(again) = run.submission.as_ref().filter(open) {
            return Ok(Some(again.clone()));
        }
        let new = NewSubmission {
            id: SubmissionId::from_uuid(self.ids.next()),
            upload_url: run.upload.as_ref().map(|upload| upload.url.clone()),
            callback: (!harmless).then(|| token.digest()),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.jobs.intend(&run.lease, new.clone()).await {
                Ok(submission) => {
                    run.submission = Some(submission.clone());
                    return Ok(Some(submission));
                }
                Err(IntentError::LeaseLost) => return Err(Halt::Lost),
                Err(IntentError::AlreadyOpen) => {
                    self.look_later(run, self.clock.now(), None, None).await?;
                    return Ok(None);
                }
                // Nothing was sent: the same intent may be written down again.
                Err(IntentError::Failed(failure)) if tries >= COMMIT_TRIES => {
                    return Err(Halt::Store(failure));
                }
                Err(IntentError::Failed(failure)) => self.breathe(run, failure).await?,
            }
        }
    }

    async fn withdraw(&self, run: &Run, submission: SubmissionId) -> Result<(), Halt> {
        let effects = || StepEffects { refused: Some(submission), ..StepEffects::default() };
        self.commit(run, || Step::Release, effects).await.map(|_| ())
    }

    /// The engine lost the audio: it is uploaded once more, under a new submission.
    async fn forget_upload(&self, run: &mut Run, submission: SubmissionId) -> Result<(), Halt> {
        let effects = || StepEffects { refused: Some(submission), ..StepEffects::default() };
        self.commit(run, || Step::Uploaded(None), effects).await?;
        run.submission = None;
        run.upload = None;
        run.reuploaded = true;
        Ok(())
    }

    /// The engine took the job: whatever stood in its way is mended.
    async fn answered(
        &self,
        run: &Run,
        submission: &Submission,
        answer: &SubmitAnswer,
    ) -> Result<(), Halt> {
        let stored = self.accepted(run, submission, answer).await;
        self.resume().await;
        stored?;
        tracing::info!(
            event = if self.is_mock() { "mock_transcription_started" } else { "real_transcription_started" },
            submission.id = %submission.id,
            "the speech engine accepted the job"
        );
        Ok(())
    }

    /// Stores under which name the engine keeps the job.
    pub(super) async fn accepted(
        &self,
        run: &Run,
        submission: &Submission,
        answer: &SubmitAnswer,
    ) -> Result<(), Halt> {
        let check_at = self.clock.now() + answer.check_after;
        let effects = || StepEffects {
            accepted: Some((submission.id, answer.provider_id.clone())),
            ..StepEffects::default()
        };
        match self.commit(run, || Step::Submitted { check_at }, effects).await {
            Ok(_) => {
                self.wake_in(duration(answer.check_after));
                Ok(())
            }
            Err(Halt::Lost) => {
                self.accepted_too_late(submission, &answer.provider_id).await;
                Err(Halt::Lost)
            }
            Err(halt) => {
                tracing::error!(
                    event = "acceptance_not_stored",
                    submission.id = %submission.id,
                    provider.id = %answer.provider_id,
                    "the speech engine accepted a job, and that could not be stored"
                );
                Err(halt)
            }
        }
    }

    /// The engine did not take the job.
    async fn refused(&self, run: &mut Run, submission: SubmissionId, error: SpeechError) {
        let SpeechError { code, retry_after, detail } = error;
        // An upload lost twice: another round would only upload it again.
        let code = match code {
            FailureCode::ProviderUploadLost => FailureCode::ProviderRejected,
            code => code,
        };
        run.submission = None;
        let problem = Problem { code, retry_after, detail };
        let effects = || StepEffects { refused: Some(submission), ..StepEffects::default() };
        self.fail(run, &problem, effects).await;
    }
}

/// Whether a job that the engine failed at may be submitted again.
pub(super) fn may_resubmit(job: &Job, submission: &Submission, max_failures: u32) -> bool {
    submission.seq < Submission::MAX_SEQ && job.parts().failures + 1 < max_failures
}
