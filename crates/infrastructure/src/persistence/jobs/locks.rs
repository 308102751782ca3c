//! Who waits for whom, where changes run side by side.
//!
//! A job's row is locked before its transcription and its submissions, and those before the place
//! of its owner in the queue, so that no two changes wait for each other. Of many rows nobody
//! waits for those that another change has: they are that one's business. `SQLite` has one writer
//! and no such locks; its statements are built without them.

use domain::{TranscriptionId, UserId};
use sea_orm::{
    ActiveValue, ConnectionTrait, DbErr, EntityTrait, QuerySelect, Select,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};
use uuid::Uuid;

use crate::persistence::{
    entities::{jobs, tenant_sched},
    fault::StoreError,
    store::WriteTx,
};

/// The lock under which jobs are claimed, in every process: limits over all of them are only exact
/// if one claims at a time. The number is arbitrary; nothing else of ours uses it.
const CLAIMS: i64 = 0x5aa5_1a00_0001;

/// Of these rows, those that no other change has; they are locked.
pub(super) fn free<E: EntityTrait>(select: Select<E>) -> Select<E> {
    select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
}

/// Locks the row of a job, if it has one, and waits for whoever changes it.
pub(super) async fn job(tx: &WriteTx, id: TranscriptionId) -> Result<(), StoreError> {
    if tx.is_postgres() {
        let row = jobs::Entity::find_by_id(id.as_uuid()).select_only().column(jobs::Column::Id);
        row.lock_exclusive().into_tuple::<Uuid>().one(&tx.db()).await?;
    }
    Ok(())
}

/// Waits until nobody else adds a job of `owner`; until the end of the change nobody else does.
pub(super) async fn owner(tx: &WriteTx, owner: UserId) -> Result<(), DbErr> {
    use tenant_sched::{Column, Entity};
    if tx.is_postgres() {
        // Where there is no place yet, this makes the one before the first.
        let place = Entity::insert(tenant_sched::ActiveModel {
            user_id: ActiveValue::Set(owner.as_uuid()),
            last_vtime: ActiveValue::Set(0.0),
        });
        let same = Expr::col((Entity, Column::LastVtime));
        let locked = OnConflict::column(Column::UserId).value(Column::LastVtime, same).to_owned();
        place.on_conflict(locked).exec_without_returning(&tx.db()).await?;
    }
    Ok(())
}

/// Waits until nobody else claims jobs; until the end of the change nobody else does.
pub(super) async fn claims(tx: &WriteTx) -> Result<(), StoreError> {
    if tx.is_postgres() {
        let lock = format!("SELECT pg_advisory_xact_lock({CLAIMS})");
        tx.db().execute_unprepared(&lock).await?;
    }
    Ok(())
}
