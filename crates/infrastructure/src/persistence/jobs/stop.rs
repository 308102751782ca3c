//! Calling a job off, and deleting what its owner sees.

use application::ports::{CancelOutcome, PortFailure};
use chrono::{DateTime, Utc};
use domain::{Status, SubmissionState, Transcription, TranscriptionId, UserId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{
    erase,
    load::{Attempt, record, save_transcription},
};
use crate::persistence::{
    entities::{jobs, submissions, transcriptions},
    fault::{Stop, StoreError},
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
            if let Some(row) = jobs::Entity::find_by_id(id.as_uuid()).one(tx.db()).await? {
                let job = rows::jobs::restore(row)?;
                record(tx, &job, Attempt::new("cancel"), now).await?;
                jobs::Entity::delete_by_id(id.as_uuid()).exec(tx.db()).await?;
            }
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
    if owned(tx, owner, id).await?.is_none() {
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
    let row = transcriptions::Entity::find_by_id(id.as_uuid())
        .filter(transcriptions::Column::UserId.eq(owner.as_uuid()))
        .one(tx.db())
        .await?;
    Ok(row.map(rows::transcriptions::restore).transpose()?)
}

/// The copies that engines have of a job: engine and the engine's name for it.
async fn copies(
    tx: &WriteTx,
    id: TranscriptionId,
    which: Condition,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = submissions::Entity::find()
        .filter(submissions::Column::JobId.eq(id.as_uuid()))
        .filter(which)
        .all(tx.db())
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.engine, row.provider_id?))).collect())
}
