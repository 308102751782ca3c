//! Asking a speech engine, once.
//!
//! The intent is durable before the request leaves, and used once: whoever finds an open intent
//! that it did not just write does not send. What the engine accepted for a job that was called
//! off meanwhile is put down for erasure.

use std::time::Duration;

use domain::{CallbackToken, FailureCode, Job, Step, Submission, SubmissionId, SubmissionState};
use tokio::time::{Instant, timeout};

use super::{
    Engine, duration,
    run::{COMMIT_TRIES, Halt, Problem, Run},
};
use crate::ports::{
    IntentError, NewSubmission, SpeechError, StepEffects, SubmitAnswer, SubmitRequest,
};

/// How much longer than it was given an engine may take to keep its own deadline.
pub(super) const GRACE: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) async fn submit(&self, run: &mut Run) -> Result<(), Halt> {
        // Ends in the second round at the latest: an upload is made anew once.
        loop {
            let open = run.submission.take().filter(|s| s.state == SubmissionState::Intent);
            if open.is_some() && !self.capabilities.resubmission_is_harmless {
                return Err(Halt::Failed(Problem::new(FailureCode::SubmissionUnknown)));
            }
            self.ensure_upload(run).await?;
            if self.stopping.is_cancelled() {
                return Err(Halt::Draining);
            }
            let asked = Instant::now();
            let token = CallbackToken::new(self.entropy.secret());
            let submission = match open {
                Some(submission) => submission,
                None => self.intend(run, &token).await?,
            };
            if !self.config.may_send(asked.elapsed(), run.fence.remaining()) {
                // Too late to be sure of the lease; nothing was sent, and that is known.
                return self.withdraw(run, submission.id).await;
            }
            let upload_url = run.upload.as_ref().map(|upload| upload.url.as_str());
            let request = SubmitRequest {
                upload_url,
                options: &run.transcription.parts().options,
                callback: &token,
                timeout: self.config.deadlines.submit.min(run.fence.remaining()),
            };
            // Neither a cancellation nor a drain interrupts the request: its answer tells what to
            // erase, or spares the job from ending as unknown.
            match self.send(request).await {
                Ok(answer) => return self.accepted(run, submission.id, &answer).await,
                Err(error) if error.code == FailureCode::ProviderUploadLost && !run.reuploaded => {
                    self.forget_upload(run, submission.id).await?;
                }
                Err(error) if error.code == FailureCode::ProviderUploadLost => {
                    // Lost twice: another round would only upload it again.
                    let error = SpeechError { code: FailureCode::ProviderRejected, ..error };
                    self.refused(run, submission.id, error).await;
                    return Ok(());
                }
                Err(error) => {
                    self.refused(run, submission.id, error).await;
                    return Ok(());
                }
            }
        }
    }

    /// Sends the request, and takes an engine that never answers for one whose answer is lost.
    async fn send(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
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

    /// Writes down that a request is about to leave.
    async fn intend(&self, run: &Run, token: &CallbackToken) -> Result<Submission, Halt> {
        let new = NewSubmission {
            id: SubmissionId::from_uuid(self.ids.next()),
            upload_url: run.upload.as_ref().map(|upload| upload.url.clone()),
            callback: Some(token.digest()),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.jobs.intend(&run.lease, new.clone()).await {
                Ok(submission) => return Ok(submission),
                Err(IntentError::LeaseLost) => return Err(Halt::Lost),
                // Another claim's intent, which this claim was not told of: never send.
                Err(IntentError::AlreadyOpen) => {
                    return Err(Halt::Failed(Problem::new(FailureCode::SubmissionUnknown)));
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
        run.upload = None;
        run.reuploaded = true;
        Ok(())
    }

    async fn accepted(
        &self,
        run: &Run,
        submission: SubmissionId,
        answer: &SubmitAnswer,
    ) -> Result<(), Halt> {
        let check_at = self.clock.now() + answer.check_after;
        let effects = || StepEffects {
            accepted: Some((submission, answer.provider_id.clone())),
            ..StepEffects::default()
        };
        match self.commit(run, || Step::Submitted { check_at }, effects).await {
            Ok(_) => {
                self.resume();
                tracing::info!(
                    event = if self.is_mock() { "mock_transcription_started" } else { "real_transcription_started" },
                    submission.id = %submission,
                    "the speech engine accepted the job"
                );
                self.wake_in(duration(answer.check_after));
                Ok(())
            }
            Err(Halt::Lost) => {
                self.orphan(submission, &answer.provider_id).await;
                Err(Halt::Lost)
            }
            Err(halt) => {
                tracing::error!(
                    event = "acceptance_not_stored",
                    submission.id = %submission,
                    provider.id = %answer.provider_id,
                    "the speech engine accepted a job, and that could not be stored"
                );
                Err(halt)
            }
        }
    }

    /// The engine holds a job that nobody wants any more.
    async fn orphan(&self, submission: SubmissionId, provider_id: &str) {
        if let Err(failure) = self.jobs.resolve(submission, self.speech.name(), provider_id).await {
            tracing::error!(
                event = "orphan_not_recorded",
                provider.id = provider_id,
                error = &failure as &dyn std::error::Error,
                "a job at the speech engine belongs to nobody and could not be put down for erasure"
            );
        }
    }

    /// The engine did not take the job, or nobody knows: then the intent stays open for ever.
    async fn refused(&self, run: &Run, submission: SubmissionId, error: SpeechError) {
        let SpeechError { code, retry_after, detail } = error;
        let unknown = code == FailureCode::SubmissionUnknown;
        let refused = (!unknown).then_some(submission);
        let problem = Problem { code, retry_after, detail };
        self.fail(run, &problem, || StepEffects { refused, ..StepEffects::default() }).await;
    }
}

/// Whether a job that the engine failed at may be submitted again.
pub(super) fn may_resubmit(job: &Job, submission: &Submission, max_failures: u32) -> bool {
    submission.seq < Submission::MAX_SEQ && job.parts().failures + 1 < max_failures
}
