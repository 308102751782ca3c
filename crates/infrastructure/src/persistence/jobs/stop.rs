//! Calling a job off, and deleting what its owner sees.

use application::ports::{CancelOutcome, PortFailure};
use chrono::{DateTime, Utc};
use domain::{Job, Status, Transcription, TranscriptionId, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use super::{
    load::{Attempt, record, save_transcription},
    locks, submissions,
};
use crate::persistence::{
    entities::{jobs, transcriptions},
    fault::{CorruptRow, Stop, StoreError, unreadable},
    rows,
    store::WriteTx,
};

pub(super) async fn cancel(
    tx: &WriteTx,
    owner: UserId,
    id: TranscriptionId,
    now: DateTime<Utc>,
) -> Result<Option<CancelOutcome>, Stop<PortFailure>> {
    if !is_of(tx, owner, id).await? {
        return Ok(None);
    }
    locks::job(tx, id).await?;
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
            jobs::Entity::delete_by_id(id.as_uuid()).exec(&tx.db()).await?;
            submissions::end(tx, id.as_uuid(), now).await?;
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
    if !is_of(tx, owner, id).await? {
        return Ok(false);
    }
    locks::job(tx, id).await?;
    submissions::forget(tx, id.as_uuid(), now).await?;
    // Its job, its transcript and its history go with it.
    let gone = transcriptions::Entity::delete_by_id(id.as_uuid()).exec(&tx.db()).await?;
    Ok(gone.rows_affected == 1)
}

/// Whether `owner` has it. Looked at before anything is locked: nobody else's job is held up by
/// who guesses its id.
async fn is_of(tx: &WriteTx, owner: UserId, id: TranscriptionId) -> Result<bool, StoreError> {
    let found: Option<Uuid> = of_owner(owner, id)
        .select_only()
        .column(transcriptions::Column::Id)
        .into_tuple()
        .one(&tx.db())
        .await?;
    Ok(found.is_some())
}

async fn owned(
    tx: &WriteTx,
    owner: UserId,
    id: TranscriptionId,
) -> Result<Option<Transcription>, StoreError> {
    let row = of_owner(owner, id).one(&tx.db()).await?;
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
    let restored = match jobs::Entity::find_by_id(id).one(&tx.db()).await {
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
