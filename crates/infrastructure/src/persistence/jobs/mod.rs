//! The job engine's tables in `SQLite`: live jobs, the fair queue, submissions, erasures.
//!
//! Each call of the port is one transaction of the one writer, so calls never race: rows are
//! loaded, the domain decides, and what it decided is written back. A write is still guarded by
//! epoch and state, so that a mistake in here shows as a failure, not as a lost update.

mod claim;
mod corrupt;
mod enqueue;
mod erase;
mod leases;
mod load;
#[cfg(test)]
mod plans;
mod polls;
mod stop;
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
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    SqliteStore,
    entities::jobs::{Column, Entity},
    fault::{Stop, bounded},
};

/// Runs `$work` over a new transaction and commits it; anything but a result undoes it.
macro_rules! change {
    ($store:expr, $operation:literal, |$tx:ident, $now:ident| $work:expr) => {
        bounded($operation, async {
            let transaction = $store.writer.begin().await?;
            // Read once the lock is held, so that instants rise from change to change.
            let $now = $store.now();
            let $tx = &transaction;
            let result = $work.await?;
            transaction.commit().await?;
            Ok::<_, Stop<_>>(result)
        })
        .await
    };
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        change!(self, "jobs.enqueue", |tx, _now| enqueue::enqueue(tx, transcription))
    }

    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        change!(self, "jobs.enqueue", |tx, _now| uploads::enqueue(tx, transcription, quota))
    }

    async fn upload_bytes(&self, owner: UserId) -> Result<u64, PortFailure> {
        bounded("jobs.upload_bytes", async {
            Ok::<_, Stop<PortFailure>>(uploads::bytes(self.reader.db(), owner).await?)
        })
        .await
    }

    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        bounded("jobs.uploads_in_use", async {
            Ok::<_, Stop<PortFailure>>(uploads::in_use(self.reader.db(), ids).await?)
        })
        .await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        change!(self, "jobs.claim", |tx, now| claim::claim(tx, request, now))
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        lease: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        change!(self, "jobs.heartbeat", |tx, now| leases::prolong(
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
        change!(self, "jobs.commit", |tx, now| leases::commit(tx, lease, step, effects, now))
    }

    async fn intend(
        &self,
        lease: &Lease,
        submission: NewSubmission,
    ) -> Result<Submission, IntentError> {
        change!(self, "jobs.intend", |tx, now| submit::intend(tx, lease, submission, now))
    }

    async fn due_polls(&self, limit: u32, hold: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        change!(self, "jobs.due_polls", |tx, now| polls::due(tx, limit, now, delta(hold)))
    }

    async fn settle(
        &self,
        job: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
    ) -> Result<Outcome, CommitError> {
        change!(self, "jobs.settle", |tx, now| polls::settle(tx, job, epoch, step, now))
    }

    async fn tick(&self, limit: u32) -> Result<TickReport, PortFailure> {
        change!(self, "jobs.tick", |tx, now| tick::tick(tx, limit, now))
    }

    async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        change!(self, "jobs.cancel", |tx, now| stop::cancel(tx, owner, id, now))
    }

    async fn delete(&self, owner: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        change!(self, "jobs.delete", |tx, now| stop::delete(tx, owner, id, now))
    }

    async fn progress(&self, _: &Lease, _: f64) -> Result<(), CommitError> {
        Ok(())
    }

    async fn hear(
        &self,
        _: &CallbackDigest,
        _: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        Err(PortFailure::permanent("jobs", "not built yet"))
    }

    async fn unresolved(
        &self,
        _: &str,
        _: DateTime<Utc>,
        _: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        Ok(Vec::new())
    }

    async fn resolve(
        &self,
        _: SubmissionId,
        engine: &str,
        provider_id: &str,
    ) -> Result<Resolution, PortFailure> {
        change!(self, "jobs.orphan", |tx, now| erase::orphan(tx, engine, provider_id, now))
            .map(|()| Resolution::Unneeded)
    }

    async fn duplicates(&self) -> Result<u64, PortFailure> {
        Ok(0)
    }

    async fn pause(&self, _: &str, _: FailureCode, _: DateTime<Utc>) -> Result<(), PortFailure> {
        Ok(())
    }

    async fn paused(&self, _: &str) -> Result<Option<Pause>, PortFailure> {
        Ok(None)
    }

    async fn resume(&self, _: &str) -> Result<(), PortFailure> {
        Ok(())
    }

    async fn due_erasures(
        &self,
        engine: &str,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        change!(self, "jobs.due_erasures", |tx, now| erase::due(
            tx,
            erase::at(engine, limit, now),
            now + delta(hold)
        ))
    }

    async fn erased(&self, id: Uuid) -> Result<(), PortFailure> {
        change!(self, "jobs.erased", |tx, _now| erase::done(tx, id))
    }

    async fn living(&self, ids: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        bounded("jobs.living", async {
            let living: Vec<Uuid> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::Id.is_in(ids.iter().map(TranscriptionId::as_uuid)))
                .into_tuple()
                .all(self.reader.db())
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
