//! Files that users handed in, as the rows of their live jobs tell of them.

use application::ports::EnqueueError;
use domain::{Source, Transcription, UploadId, UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::SelectStatement,
};
use uuid::Uuid;

use super::{enqueue, locks};
use crate::persistence::{
    entities::{jobs, transcriptions},
    fault::{Stop, StoreError},
    store::WriteTx,
};

/// Puts a job into the queue if its file and those of the owner's other live jobs keep within
/// `quota`, which nobody adds another file to meanwhile.
pub(super) async fn enqueue(
    tx: &WriteTx,
    transcription: &Transcription,
    quota: Option<u64>,
) -> Result<(), Stop<EnqueueError>> {
    let parts = transcription.parts();
    if let (Source::Upload(file), Some(quota)) = (&parts.source, quota) {
        locks::owner(tx, parts.owner).await.map_err(enqueue::no_such_owner)?;
        let used = bytes(&tx.db(), parts.owner).await?;
        if used.saturating_add(file.bytes) > quota {
            return Err(Stop::Refused(EnqueueError::QuotaExceeded));
        }
    }
    enqueue::enqueue(tx, transcription).await
}

/// How many bytes the files of the owner's live jobs have together.
pub(super) async fn bytes(db: &impl ConnectionTrait, owner: UserId) -> Result<u64, StoreError> {
    let sizes: Vec<i64> = transcriptions::Entity::find()
        .select_only()
        .column(transcriptions::Column::SourceBytes)
        .filter(transcriptions::Column::Id.in_subquery(live_jobs(Some(owner))))
        .filter(transcriptions::Column::SourceBytes.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    sizes.into_iter().try_fold(0_u64, |sum, size| {
        let size = u64::try_from(size).map_err(|_| StoreError::Broken("a size is negative"))?;
        Ok(sum.saturating_add(size))
    })
}

/// Which of these files live jobs have.
pub(super) async fn in_use(
    db: &impl ConnectionTrait,
    ids: &[UploadId],
) -> Result<Vec<UploadId>, DbErr> {
    let names: Vec<String> = transcriptions::Entity::find()
        .select_only()
        .column(transcriptions::Column::SourceValue)
        .filter(transcriptions::Column::Id.in_subquery(live_jobs(None)))
        .filter(transcriptions::Column::SourceKind.eq("upload"))
        .filter(transcriptions::Column::SourceValue.is_in(ids.iter().map(UploadId::to_string)))
        .into_tuple()
        .all(db)
        .await?;
    let id = |name: String| Uuid::parse_str(&name).ok().map(UploadId::from_uuid);
    Ok(names.into_iter().filter_map(id).collect())
}

fn live_jobs(owner: Option<UserId>) -> SelectStatement {
    let mut live = jobs::Entity::find().select_only().column(jobs::Column::Id);
    if let Some(owner) = owner {
        live = live.filter(jobs::Column::UserId.eq(owner.as_uuid()));
    }
    live.into_query()
}
