//! A speech engine that refuses our key, or wants to be paid: nothing new is started for it, in
//! any process, until it has accepted a job again.

use std::sync::{MutexGuard, PoisonError};

use chrono::TimeDelta;
use domain::{FailureCode, RetryPolicy, TranscriptionId};

use super::Engine;
use crate::{causes, ports::PortFailure};

/// What this process knows of the stop.
#[derive(Default)]
pub(super) struct Stop {
    /// Whether submissions were stopped when it was last looked at.
    known: bool,
    /// The job with which it is tried whether the engine accepts again.
    trial: Option<TranscriptionId>,
}

/// How many jobs may be started that lead to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// As many as its limit allows.
    Any,
    /// A single one, to see whether the engine accepts again.
    One,
    /// None.
    None,
}

impl Engine {
    /// Stops submissions in every process: each job would fetch its audio only to be refused.
    pub(super) async fn pause(&self, code: FailureCode, retry_after: Option<TimeDelta>) {
        if !self.capabilities.limited_concurrency {
            return;
        }
        let asked = retry_after.unwrap_or_default();
        let asked = asked.clamp(TimeDelta::zero(), RetryPolicy::MAX_RETRY_AFTER);
        let delay = self.config.retry.paused.max(asked);
        let until = self.clock.now() + delay;
        if let Err(failure) = self.jobs.pause(self.speech.name(), code, until).await {
            tracing::warn!(
                           event = "pause_not_stored",
                           error = %failure,
            causes = causes(&failure),
                           "submissions go on although the speech engine refuses them"
                       );
            return;
        }
        let known = std::mem::replace(&mut self.stop().known, true);
        if known {
            tracing::warn!(
                event = "provider_paused",
                error.code = code.as_str(),
                "the speech engine still refuses this installation"
            );
        } else {
            tracing::error!(
                event = "provider_paused",
                error.code = code.as_str(),
                "the speech engine refuses this installation: nothing is submitted until that is mended"
            );
        }
    }

    /// The engine took a job: whatever stood in the way is mended.
    pub(super) async fn resume(&self) {
        if !std::mem::take(&mut self.stop().known) {
            return;
        }
        match self.jobs.resume(self.speech.name()).await {
            Ok(()) => {
                tracing::info!(event = "provider_resumed", "the speech engine accepts jobs again");
            }
            Err(failure) => tracing::warn!(
                           event = "resume_not_stored",
                           error = %failure,
            causes = causes(&failure),
                           "submissions stay stopped until the next one is accepted"
                       ),
        }
    }

    /// How many jobs may be started that lead to the engine. Asks the store at most once.
    pub(super) async fn admission(&self) -> Result<Admission, PortFailure> {
        if !self.capabilities.limited_concurrency {
            return Ok(Admission::Any);
        }
        let pause = self.jobs.paused(self.speech.name()).await?;
        let mut stop = self.stop();
        stop.known = pause.is_some();
        stop.trial = stop.trial.filter(|job| self.held.holds(*job));
        Ok(match pause {
            None => Admission::Any,
            Some(pause) if self.clock.now() < pause.until => Admission::None,
            Some(_) if stop.trial.is_some() => Admission::None,
            Some(_) => Admission::One,
        })
    }

    /// Takes in with which job it is tried whether the engine accepts again.
    pub(super) fn try_with(&self, job: TranscriptionId) {
        self.stop().trial = Some(job);
    }

    fn stop(&self) -> MutexGuard<'_, Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
