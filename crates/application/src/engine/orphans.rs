//! Jobs at the speech engine that belong to nobody: accepted after they had been given up, or
//! after the job that they were for had ended.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use domain::{FailureClass, Submission};
use tokio::time::timeout;

use super::{Engine, reconcile::wanted};
use crate::{
    causes,
    ports::{Hint, PortFailure, Resolution, SpeechError},
};

/// How long after the start the first sweep comes.
const FIRST_SWEEP: Duration = Duration::from_mins(1);

/// How much time passes between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// How long a submission that was given up is looked for.
const LOOK_BACK: TimeDelta = TimeDelta::hours(48);

/// How many submissions one sweep looks for.
const SWEEP_BATCH: u32 = 1_000;

/// How many submissions one walk through the engine's list looks for.
const WALK: usize = 250;

/// How long one walk may take.
const WALK_TIMEOUT: Duration = Duration::from_mins(5);

impl Engine {
    /// Sweeps until the engine stops.
    pub(super) async fn watch_orphans(self: Arc<Self>) {
        let mut pause = FIRST_SWEEP;
        while !self.stopping.is_cancelled() {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(self.jittered(pause, 0.2)) => {}
            }
            pause = SWEEP_EVERY;
            if let Err(failure) = self.reconcile_orphans().await {
                tracing::warn!(
                                   event = "orphan_sweep_failed",
                                   error = %failure,
                causes = causes(&failure),
                                   "jobs at the speech engine that belong to nobody are looked for again later"
                               );
            }
        }
    }

    /// Looks at the speech engine for submissions that were given up, and settles what became of
    /// those that it accepted all the same. Returns how many it found.
    ///
    /// # Errors
    /// [`PortFailure`] of the job store. An engine that cannot be asked is asked again later.
    pub async fn reconcile_orphans(&self) -> Result<usize, PortFailure> {
        if self.capabilities.resubmission_is_harmless {
            return Ok(0);
        }
        let since = self.clock.now() - LOOK_BACK;
        let open = self.jobs.unresolved(self.speech.name(), since, SWEEP_BATCH).await?;
        let mut found = 0;
        for walk in open.chunks(WALK) {
            match self.walk(walk).await {
                Ok(names) => found += self.settle_orphans(walk, names).await?,
                Err(error) => {
                    if error.code.class() == FailureClass::ProviderPaused {
                        self.pause(error.code, error.retry_after).await;
                    }
                    tracing::warn!(
                        event = "orphan_sweep_failed",
                        error.code = error.code.as_str(),
                        "the speech engine's list could not be read"
                    );
                    break;
                }
            }
        }
        Ok(found)
    }

    async fn walk(&self, open: &[Submission]) -> Result<Vec<Option<String>>, SpeechError> {
        let wanted: Vec<_> = open.iter().map(wanted).collect();
        let late = SpeechError {
            code: domain::FailureCode::ProviderUnavailable,
            retry_after: None,
            detail: None,
        };
        timeout(WALK_TIMEOUT, self.speech.find(&wanted)).await.unwrap_or(Err(late))
    }

    async fn settle_orphans(
        &self,
        open: &[Submission],
        names: Vec<Option<String>>,
    ) -> Result<usize, PortFailure> {
        let mut found = 0;
        for (submission, name) in open.iter().zip(names) {
            let Some(name) = name else { continue };
            // One that cannot be settled now must not keep the others from it.
            match self.resolve(submission, &name).await {
                Ok(()) => found += 1,
                Err(failure) => tracing::warn!(
                                   event = "orphan_not_recorded",
                                   submission.id = %submission.id,
                                   error = %failure,
                causes = causes(&failure),
                                   "will be looked for again"
                               ),
            }
        }
        Ok(found)
    }

    /// The engine accepted a submission of which this claim has lost its job meanwhile.
    pub(super) async fn accepted_too_late(&self, submission: &Submission, provider_id: &str) {
        let Err(failure) = self.resolve(submission, provider_id).await else { return };
        // Another process holds the job, most likely: let it look where the answer points.
        let hint = match &submission.callback {
            Some(callback) => self.jobs.hear(callback, Some(provider_id)).await.map(|_| ()),
            None => Ok(()),
        };
        let error = hint.err().unwrap_or(failure);
        tracing::warn!(
                   event = "orphan_not_recorded",
                   submission.id = %submission.id,
                   provider.id = provider_id,
                   error = %error,
        causes = causes(&error),
                   "a job at the speech engine could not be recorded now; it is looked for later"
               );
    }

    /// Tells the store under which name the engine keeps a submission, and everyone what follows.
    async fn resolve(&self, submission: &Submission, provider_id: &str) -> Result<(), PortFailure> {
        let resolution = self.jobs.resolve(submission.id, self.speech.name(), provider_id).await?;
        let (job, id) = (submission.job, submission.id);
        match resolution {
            Resolution::Recorded => {}
            Resolution::Adopted => {
                tracing::warn!(
                    event = "submission_adopted",
                    job.id = %job,
                    submission.id = %id,
                    provider.id = provider_id,
                    "the speech engine had accepted a job whose answer was lost"
                );
                self.events.publish(Hint::Ready);
                self.events.publish(Hint::Changed(job));
            }
            Resolution::Unneeded => {
                tracing::warn!(
                    event = "orphan_found",
                    job.id = %job,
                    submission.id = %id,
                    provider.id = provider_id,
                    "the speech engine had accepted a job that nobody needs; its copy will be erased"
                );
                self.nudge.notify_one();
            }
            Resolution::Duplicate => {
                tracing::error!(
                    event = "duplicate_submission",
                    job.id = %job,
                    submission.id = %id,
                    provider.id = provider_id,
                    "the speech engine accepted a job twice: it may be billed twice; one copy will be erased"
                );
                self.nudge.notify_one();
            }
        }
        Ok(())
    }
}
