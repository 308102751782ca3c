//! The job engine's tables: live jobs, the fair queue, submissions, erasures, pauses.
//!
//! Each call of the port is one transaction: rows are loaded, the domain decides, and what it
//! decided is written back. Nobody else changes those rows in between: `SQLite` has one writer, and
//! on a server they are locked (module `locks`). A write is still guarded by epoch and state, so
//! that a mistake in here shows as a failure, not as a lost update.

mod claim;
mod corrupt;
mod enqueue;
mod erase;
mod found;
mod joint;
mod leases;
mod load;
mod locks;
mod pauses;
#[cfg(test)]
mod plans;
mod polls;
mod stop;
mod submissions;
mod submit;
#[cfg(test)]
mod tests;
mod tick;
mod uploads;

use std::time::Duration;

use application::ports::{
    CancelOutcome, ClaimRequest, Claimed, CommitError, DuePoll, EnqueueError, Erasure, IntentError,
    JobStore, Lease, NewSubmission, Pause, PortFailure, Resolution, StepEffects, TickReport,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    CallbackDigest, Epoch, FailureCode, Outcome, Step, Submission, SubmissionId, Transcription,
    TranscriptionId, UploadId, UserId, WorkerId, job::PollStep,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    entities::jobs::{Column, Entity},
    fault::{Stop, bounded},
    store::{Lane, Store},
};

/// Runs `$work` over a new transaction and commits it; anything but a result undoes it.
macro_rules! change {
    ($store:expr, $lane:ident, $operation:literal, |$tx:ident, $now:ident| $work:expr) => {
        bounded($operation, async {
            let transaction = $store.begin(Lane::$lane).await?;
            let $now = transaction.now();
            let $tx = &transaction;
            match $work.await {
                Ok(result) => {
                    transaction.commit().await?;
                    Ok::<_, Stop<_>>(result)
                }
                Err(stop) => {
                    transaction.undo().await;
                    Err(stop)
                }
            }
        })
        .await
    };
}

#[async_trait]
impl JobStore for Store {
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        change!(self, Api, "jobs.enqueue", |tx, _now| enqueue::enqueue(tx, transcription))
    }

    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        change!(self, Api, "jobs.enqueue", |tx, _now| uploads::enqueue(tx, transcription, quota))
    }

    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure> {
        bounded("jobs.upload_bytes", async {
            Ok::<_, Stop<PortFailure>>(uploads::bytes(&self.reader(Lane::Api), owner).await?)
        })
        .await
    }

    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        bounded("jobs.uploads_in_use", async {
            Ok::<_, Stop<PortFailure>>(uploads::in_use(&self.reader(Lane::Engine), ids).await?)
        })
        .await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        change!(self, Engine, "jobs.claim", |tx, now| claim::claim(tx, request, now))
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        lease: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        change!(self, Heartbeat, "jobs.heartbeat", |tx, now| leases::prolong(
            tx,
            worker,
            held,
            now + delta(lease)
        ))
    }

    async fn commit(
        &self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
    ) -> Result<Outcome, CommitError> {
        change!(self, Engine, "jobs.commit", |tx, now| leases::commit(
            tx, lease, step, effects, now
        ))
    }

    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError> {
        change!(self, Engine, "jobs.intend", |tx, now| submit::intend(tx, lease, submission, now))
    }

    async fn due_polls(&self, limit: u32, hold: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        change!(self, Engine, "jobs.due_polls", |tx, now| polls::due(tx, limit, now, delta(hold)))
    }

    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        change!(self, Engine, "jobs.settle", |tx, now| polls::settle(tx, job, epoch, step, now))
    }

    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure> {
        change!(self, Engine, "jobs.tick", |tx, now| tick::tick(tx, limit, now))
    }

    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        change!(self, Api, "jobs.cancel", |tx, now| stop::cancel(tx, owner, id, now))
    }

    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        change!(self, Api, "jobs.delete", |tx, now| stop::delete(tx, owner, id, now))
    }

    async fn progress(&self, lease: &Lease, share: f64) -> Result<(), CommitError> {
        change!(self, Engine, "jobs.progress", |tx, now| leases::progress(tx, lease, share, now))
    }

    async fn hear(
        &self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        // Whoever knows no token does not make others wait for the lock.
        let known = bounded("jobs.hear", async {
            let known = found::under(callback).count(&self.reader(Lane::Api)).await?;
            Ok::<_, Stop<PortFailure>>(known > 0)
        });
        if !known.await? {
            return Ok(None);
        }
        change!(self, Api, "jobs.hear", |tx, now| found::hear(tx, callback, provider_id, now))
    }

    async fn unresolved(
        &self,
        engine: &str,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        change!(self, Engine, "jobs.unresolved", |tx, _now| found::unresolved(
            tx,
            found::lost(engine, since, limit)
        ))
    }

    async fn resolve(
        &self,
        submission: SubmissionId,
        engine: &str,
        provider_id: &str,
    ) -> Result<Resolution, PortFailure> {
        change!(self, Engine, "jobs.resolve", |tx, now| found::resolve(
            tx,
            submission,
            engine,
            provider_id,
            now
        ))
    }

    async fn duplicates(&self) -> Result<u64, PortFailure> {
        bounded("jobs.duplicates", async {
            Ok::<_, Stop<PortFailure>>(found::duplicates().count(&self.reader(Lane::Api)).await?)
        })
        .await
    }

    async fn pause(
        &self,
        engine: &str,
        code: FailureCode,
        until: DateTime<Utc>,
    ) -> Result<(), PortFailure> {
        change!(self, Engine, "jobs.pause", |tx, now| pauses::pause(tx, engine, code, until, now))
    }

    async fn paused(&self, engine: &str) -> Result<Option<Pause>, PortFailure> {
        bounded("jobs.paused", pauses::paused(&self.reader(Lane::Engine), engine)).await
    }

    async fn resume(&self, engine: &str) -> Result<(), PortFailure> {
        change!(self, Engine, "jobs.resume", |tx, _now| pauses::resume(tx, engine))
    }

    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        change!(self, Engine, "jobs.due_erasures", |tx, now| erase::due(
            tx,
            erase::at(engine, limit, now),
            now + delta(hold)
        ))
    }

    async fn erased(&self, id: Uuid) -> Result<(), PortFailure> {
        change!(self, Engine, "jobs.erased", |tx, _now| erase::done(tx, id))
    }

    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        bounded("jobs.living", async {
            let living: Vec<Uuid> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::Id.is_in(ids.iter().map(TranscriptionId::as_uuid)))
                .into_tuple()
                .all(&self.reader(Lane::Engine))
                .await?;
            let living = living.into_iter().map(TranscriptionId::from_uuid).collect();
            Ok::<_, Stop<PortFailure>>(living)
        })
        .await
    }
}

/// A span of time as instants are moved by it.
fn delta(span: Duration) -> TimeDelta {
    // No lease comes near the limit; a longer one would only be as good as this.
    TimeDelta::from_std(span).unwrap_or(TimeDelta::days(365))
}
