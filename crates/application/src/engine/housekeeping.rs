//! What is done in the background: copies at the speech engine are erased, local audio of jobs
//! that ended is removed.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::TranscriptionId;
use tokio::time::{Instant, timeout};

use super::Engine;
use crate::{
    causes,
    ports::{Erasure, PortFailure},
};

/// How often the list of erasures is looked at.
const ERASE_EVERY: Duration = Duration::from_secs(15);

/// How long an erasure that failed waits for its next try.
const ERASE_HOLD: Duration = Duration::from_mins(10);

/// How long one erasure may take.
const ERASE_TIMEOUT: Duration = Duration::from_mins(1);

/// How often an erasure is tried before it is left to the operator: about two days.
const ERASE_TRIES: u32 = 288;

/// How many erasures one look takes.
const ERASE_BATCH: u32 = 32;

/// How much time passes between two sweeps of local audio.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

impl Engine {
    pub(super) async fn keep_house(self: Arc<Self>) {
        let mut sweep_at = Instant::now();
        while !self.stopping.is_cancelled() {
            if sweep_at <= Instant::now() {
                report("sweep", self.sweep().await);
                sweep_at = Instant::now() + self.jittered(SWEEP_EVERY, 0.2);
                report("uploads", self.sweep_uploads().await);
            }
            report("erasures", self.erase().await);
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(self.jittered(ERASE_EVERY, 0.2)) => {}
            }
        }
    }

    /// Erases what is due at the speech engine.
    ///
    /// # Errors
    /// [`PortFailure`] of the job store; an erasure that fails is tried again later.
    pub async fn erase(&self) -> Result<usize, PortFailure> {
        let due = self.jobs.due_erasures(self.speech.name(), ERASE_BATCH, ERASE_HOLD).await?;
        let count = due.len();
        for erasure in due {
            self.erase_one(erasure).await?;
        }
        Ok(count)
    }

    async fn erase_one(&self, erasure: Erasure) -> Result<(), PortFailure> {
        // A refusal here stops nothing else: one copy that may not be erased says nothing of jobs.
        match timeout(ERASE_TIMEOUT, self.speech.erase(&erasure.provider_id)).await {
            Ok(Ok(())) => {
                tracing::info!(event = "provider_copy_erased", provider.id = %erasure.provider_id, "erased");
                self.jobs.erased(erasure.id).await
            }
            _ if erasure.attempts >= ERASE_TRIES => {
                tracing::error!(
                    event = "provider_copy_not_erased",
                    provider.id = %erasure.provider_id,
                    "a copy at the speech engine could not be erased; erase it by hand"
                );
                self.jobs.erased(erasure.id).await
            }
            _ => {
                tracing::warn!(event = "erasure_delayed", provider.id = %erasure.provider_id, "will be tried again");
                Ok(())
            }
        }
    }

    /// Removes local audio of jobs that no longer live, such as a killed process leaves.
    ///
    /// # Errors
    /// [`PortFailure`] of the job store or the media source.
    pub async fn sweep(&self) -> Result<usize, PortFailure> {
        let young = self.spared();
        let mut kept = self.media.kept().await?;
        // What is handed in is looked at before its job is in the queue.
        kept.retain(|job| made_at(*job).is_none_or(|at| at < young));
        if kept.is_empty() {
            return Ok(0);
        }
        let living = self.jobs.living(&kept).await?;
        let mut removed = 0;
        for job in kept.into_iter().filter(|job| !living.contains(job)) {
            self.media.discard(job).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// When an identifier was made, if it says so (`UUIDv7`).
fn made_at(job: TranscriptionId) -> Option<DateTime<Utc>> {
    let (seconds, nanoseconds) = job.as_uuid().get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

fn report(what: &'static str, done: Result<usize, PortFailure>) {
    if let Err(failure) = done {
        tracing::warn!(
                   event = "housekeeping_failed",
                   what,
                   error = %failure,
        causes = causes(&failure),
                   "housekeeping will be tried again"
               );
    }
}
