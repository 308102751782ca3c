//! The files that users hand in: gone as soon as their transcription has ended.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Source, UploadId};

use super::Engine;
use crate::{ports::PortFailure, uploads};

/// How old a file is that can no longer be an upload under way: one has half an hour, and some
/// minutes to be looked at.
const UNDER_WAY: TimeDelta = TimeDelta::hours(1);

/// Most files of one sweep.
const MOST: u32 = 100_000;

/// How many files are asked about at once.
const BATCH: usize = 500;

impl Engine {
    /// Removes the file of a transcription that has ended, if it had one.
    pub(super) async fn release(&self, source: &Source) {
        uploads::release(self.objects.as_ref(), source).await;
    }

    /// What was made since may belong to an upload under way, which has no job yet.
    pub(super) fn spared(&self) -> DateTime<Utc> {
        let long_ago = self.clock.now() - UNDER_WAY;
        if self.config.alone { self.began.max(long_ago) } else { long_ago }
    }

    /// Removes files that no live job needs: of jobs that ended where nobody knew their source, and
    /// what a killed process has left.
    ///
    /// # Errors
    /// [`PortFailure`] of the object store or the job store.
    pub async fn sweep_uploads(&self) -> Result<usize, PortFailure> {
        let young = self.spared();
        let kept = self.objects.list(MOST).await?;
        let old: Vec<UploadId> =
            kept.iter().filter(|object| object.stored_at < young).map(|object| object.id).collect();
        let mut removed = 0;
        for batch in old.chunks(BATCH) {
            let used = self.jobs.uploads_in_use(batch).await?;
            for id in batch.iter().filter(|id| !used.contains(id)) {
                self.objects.delete(*id).await?;
                removed += 1;
            }
        }
        if removed > 0 {
            tracing::info!(event = "uploads_swept", removed, "removed files that nobody needs");
        }
        Ok(removed)
    }
}
