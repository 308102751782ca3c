//! Calling a job off, and deleting what its owner sees.

use application::ports::{CancelOutcome, PortFailure};
use chrono::{DateTime, Utc};
use domain::{Job, Status, SubmissionState, Transcription, TranscriptionId, UserId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use super::{
    erase,
    load::{Attempt, record, save_transcription},
};
use crate::persistence::{
    entities::{jobs, submissions, transcriptions},
    fault::{CorruptRow, Stop, StoreError, unreadable},
    rows,
    sqlite::WriteTx,
};

pub(super) async fn cancel(
    tx: &WriteTx,
    owner: UserId,
    id: TranscriptionId,
    now: DateTime<Utc>,
) -> Result<Option<CancelOutcome>, Stop<PortFailure>> {
    let Some(mut transcription) = owned(tx, owner, id).await? else { return Ok(None) };
    match transcription.status() {
        Status::Canceled => {}
        ended @ (Status::Completed | Status::Failed) => {
            return Ok(Some(CancelOutcome::Ended(ended)));
        }
        Status::Pending | Status::Processing => {
            transcription.cancel(now)?;
            save_transcription(tx, &transcription).await?;
            if let Some(job) = job(tx, id).await? {
                record(tx, &job, Attempt::new("cancel"), now).await?;
            }
            jobs::Entity::delete_by_id(id.as_uuid()).exec(tx.db()).await?;
            let accepted = submissions::Column::State.eq(SubmissionState::Accepted.as_str());
            let copies = copies(tx, id, Condition::all().add(accepted)).await?;
            erase::put_down(tx, &copies, now).await?;
        }
    }
    Ok(Some(CancelOutcome::Canceled(Box::new(transcription))))
}

pub(super) async fn delete(
    tx: &WriteTx,
    owner: UserId,
    id: TranscriptionId,
    now: DateTime<Utc>,
) -> Result<bool, Stop<PortFailure>> {
    // Nothing else is read: what cannot be read can still be deleted.
    let found: Option<Uuid> = of_owner(owner, id)
        .select_only()
        .column(transcriptions::Column::Id)
        .into_tuple()
        .one(tx.db())
        .await?;
    if found.is_none() {
        return Ok(false);
    }
    let copies = copies(tx, id, Condition::all()).await?;
    erase::put_down(tx, &copies, now).await?;
    // Its job, its transcript, its submissions and its history go with it.
    transcriptions::Entity::delete_by_id(id.as_uuid()).exec(tx.db()).await?;
    Ok(true)
}

async fn owned(
    tx: &WriteTx,
    owner: UserId,
    id: TranscriptionId,
) -> Result<Option<Transcription>, StoreError> {
    let row = of_owner(owner, id).one(tx.db()).await?;
    Ok(row.map(rows::transcriptions::restore).transpose()?)
}

fn of_owner(owner: UserId, id: TranscriptionId) -> Select<transcriptions::Entity> {
    transcriptions::Entity::find_by_id(id.as_uuid())
        .filter(transcriptions::Column::UserId.eq(owner.as_uuid()))
}

/// The job of a transcription, for the history. One that cannot be read has no line there: it goes
/// all the same.
async fn job(tx: &WriteTx, id: TranscriptionId) -> Result<Option<Job>, StoreError> {
    let id = id.as_uuid();
    let why = "a column cannot be read";
    let restored = match jobs::Entity::find_by_id(id).one(tx.db()).await {
        Ok(row) => row.map(rows::jobs::restore).transpose(),
        Err(error) if unreadable(&error) => Err(CorruptRow { table: "jobs", id, why }),
        Err(error) => return Err(error.into()),
    };
    Ok(restored.unwrap_or_else(|corrupt| {
        tracing::error!(
            event = "job_row_corrupt",
            job.id = %id,
            error = %corrupt,
            "a job is called off without a line of history because its row cannot be read"
        );
        None
    }))
}

/// The copies that engines have of a job: engine and the engine's name for it.
async fn copies(
    tx: &WriteTx,
    id: TranscriptionId,
    which: Condition,
) -> Result<Vec<(String, String)>, StoreError> {
    // No other column is read: one that cannot be must not keep a copy from being erased.
    let rows: Vec<(String, Option<String>)> = submissions::Entity::find()
        .select_only()
        .column(submissions::Column::Engine)
        .column(submissions::Column::ProviderId)
        .filter(submissions::Column::JobId.eq(id.as_uuid()))
        .filter(which)
        .into_tuple()
        .all(tx.db())
        .await?;
    Ok(rows.into_iter().filter_map(|(engine, name)| Some((engine, name?))).collect())
}
