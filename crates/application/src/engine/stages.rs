//! The stages of a job, each ending in one guarded commit.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{CompletedFacts, Failure, FailureCode, RetryPolicy, Stage, Step, Upload};
use tokio::time::timeout;

use super::{
    Engine,
    progress::Reached,
    run::{Halt, Problem, Run},
};
use crate::ports::{AudioFile, StepEffects};

/// From how long a pause a result that could not be read is asked for again, as a number of
/// failures: 80 s.
const READ_AGAIN: u32 = 4;

/// The shortest such pause.
const READ_AGAIN_AT_LEAST: TimeDelta = TimeDelta::seconds(5);

/// Whether the engine was not there to answer, or not now.
fn is_passing(code: FailureCode) -> bool {
    matches!(code, FailureCode::ProviderUnavailable | FailureCode::ProviderThrottled)
}

impl Engine {
    /// Moves a job on until it has no holder any more.
    pub(super) async fn advance(&self, run: &mut Run) -> Result<(), Halt> {
        self.check_engine(run)?;
        loop {
            if run.job.parts().deadline_at < self.clock.now() {
                return Err(Halt::Failed(Problem::new(FailureCode::DeadlineExceeded)));
            }
            match run.stage {
                Stage::Fetching if self.capabilities.needs_audio => self.fetch(run).await?,
                Stage::Fetching => self.commit_upload(run, None).await?,
                Stage::Uploading => self.upload(run).await?,
                Stage::Submitting | Stage::Transcribing => return self.submit(run).await,
                Stage::Storing => return self.store(run).await,
            }
        }
    }

    /// A job stays with the engine that it was accepted for.
    fn check_engine(&self, run: &Run) -> Result<(), Halt> {
        if run.transcription.parts().engine == self.speech.name() {
            Ok(())
        } else {
            Err(Halt::Failed(Problem::new(FailureCode::EngineUnavailable)))
        }
    }

    async fn fetch(&self, run: &mut Run) -> Result<(), Halt> {
        let audio = self.bring_audio(run).await?;
        self.commit(run, || Step::Fetched(audio.facts.clone()), StepEffects::default).await?;
        run.stage = Stage::Uploading;
        Ok(())
    }

    /// The local audio: fetched now, or kept from before.
    async fn bring_audio(&self, run: &Run) -> Result<AudioFile, Halt> {
        let reached = Reached::default();
        let source = &run.transcription.parts().source;
        let fetch = self.media.fetch(run.lease.job, source, &reached);
        tokio::select! {
            biased;
            audio = self.guarded(run, self.config.deadlines.fetch, fetch) => audio,
            halt = self.note_progress(run, &reached) => Err(halt),
        }
    }

    /// Brings the audio to the engine, fetching it again where it is gone.
    pub(super) async fn upload(&self, run: &mut Run) -> Result<(), Halt> {
        let audio = self.bring_audio(run).await?;
        let upload = self.speech.upload(&audio.path);
        let url = self.guarded(run, self.config.deadlines.upload, upload).await?;
        let upload = Upload { url, at: self.clock.now() };
        self.commit_upload(run, Some(upload)).await?;
        self.discard(run.lease.job).await;
        Ok(())
    }

    async fn commit_upload(&self, run: &mut Run, upload: Option<Upload>) -> Result<(), Halt> {
        self.commit(run, || Step::Uploaded(upload.clone()), StepEffects::default).await?;
        run.stage = run.stage.max(Stage::Submitting);
        run.upload = upload;
        Ok(())
    }

    async fn store(&self, run: &Run) -> Result<(), Halt> {
        let provider_id = run.submission.as_ref().and_then(|s| s.provider_id.as_deref());
        let Some(provider_id) = provider_id else {
            return Err(Halt::Failed(Problem::new(FailureCode::Internal)));
        };
        let video_url = run.transcription.parts().video_url.as_deref().unwrap_or("upload");
        // Not interrupted by a drain: it is short, and the last step.
        let result = tokio::select! {
            () = run.fence.broken() => return Err(Halt::Lost),
            result = timeout(self.config.deadlines.store, self.speech.result(provider_id, video_url)) => result,
        };
        let transcript = match result {
            Ok(Ok(transcript)) => transcript.without_nul(),
            Ok(Err(error)) if !is_passing(error.code) => return Err(error.into()),
            Ok(Err(error)) => return self.read_later(run, error.code, error.retry_after).await,
            Err(_) => return self.read_later(run, FailureCode::StageTimeout, None).await,
        };
        let facts = CompletedFacts {
            language_detected: transcript.language.clone(),
            confidence: transcript.confidence,
            duration_ms: transcript.duration_ms,
        };
        // What was given no audio has nothing that is worth an erasure.
        let erase = self.config.erase_after_store && self.capabilities.needs_audio;
        let effects = || StepEffects {
            transcript: Some(transcript.clone()),
            erase,
            ..StepEffects::default()
        };
        self.commit(run, || Step::Complete(facts.clone()), effects).await?;
        if erase {
            self.nudge.notify_one();
        }
        self.release(&run.transcription.parts().source).await;
        tracing::info!(
            event = "transcription_completed",
            text_length = transcript.text.chars().count(),
            words = transcript.words.len(),
            confidence = transcript.confidence,
            mock_mode = self.is_mock(),
            "transcript stored"
        );
        Ok(())
    }

    /// The result is there and paid for: it is asked for again until the job's own deadline,
    /// however often the engine does not answer.
    async fn read_later(
        &self,
        run: &Run,
        code: FailureCode,
        retry_after: Option<TimeDelta>,
    ) -> Result<(), Halt> {
        let asked = retry_after.unwrap_or_default();
        let asked = asked.clamp(TimeDelta::zero(), RetryPolicy::MAX_RETRY_AFTER);
        let delay = self.config.retry.backoff(READ_AGAIN, self.entropy.unit());
        let run_at = self.clock.now() + delay.max(READ_AGAIN_AT_LEAST).max(asked);
        let failure = Failure::new(code, run.stage);
        let step = || Step::Snooze { failure: failure.clone(), run_at };
        self.commit(run, step, StepEffects::default).await?;
        tracing::warn!(
            event = "transcription_delayed",
            error.code = code.as_str(),
            stage = run.stage.as_str(),
            "the speech engine did not hand out its result; it is asked again"
        );
        Ok(())
    }

    /// Runs something that may be stopped at any point: by its deadline, a lost lease, a drain.
    pub(super) async fn guarded<T, E: Into<Halt>>(
        &self,
        run: &Run,
        deadline: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Halt> {
        tokio::select! {
            biased;
            () = run.fence.broken() => Err(Halt::Lost),
            () = self.stopping.cancelled() => Err(Halt::Draining),
            done = timeout(deadline, work) => match done {
                Ok(done) => done.map_err(Into::into),
                Err(_) => Err(Halt::Failed(Problem::new(FailureCode::StageTimeout))),
            },
        }
    }
}
