//! Putting a job into the fair queue.

use std::collections::HashMap;

use application::ports::EnqueueError;
use domain::{Job, Transcription, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, SqlErr,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{joint, load::save_jobs};
use crate::persistence::{
    entities::{sched_clock, tenant_sched, transcriptions},
    fault::{Stop, StoreError},
    rows,
    store::WriteTx,
};

/// Every user has the same share, and every job uses the same part of it, for now.
const WEIGHT: f64 = 1.0;
const COST: f64 = 1.0;

pub(super) async fn enqueue(
    tx: &WriteTx,
    transcription: &Transcription,
) -> Result<(), Stop<EnqueueError>> {
    if tx.is_postgres() {
        return joint::enqueue(tx, transcription, COST, WEIGHT).await.map_err(no_such_owner);
    }
    let row = rows::transcriptions::row(transcription).into_active_model().reset_all();
    transcriptions::Entity::insert(row)
        .exec_without_returning(&tx.db())
        .await
        .map_err(no_such_owner)?;
    let owner = transcription.parts().owner;
    let mut queue = Queue::load(tx, [owner]).await?;
    let job = Job::enqueue(transcription, COST, queue.place(owner, COST));
    save_jobs(tx, &[&job]).await?;
    Ok(queue.save(tx).await?)
}

/// The only reference of a transcription is its owner.
pub(super) fn no_such_owner(error: DbErr) -> Stop<EnqueueError> {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Stop::Refused(EnqueueError::NoSuchOwner),
        _ => error.into(),
    }
}

/// Where some users stand in the fair queue.
pub(super) struct Queue {
    clock: f64,
    last: HashMap<Uuid, f64>,
}

impl Queue {
    pub(super) async fn load(
        tx: &WriteTx,
        owners: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, StoreError> {
        let clock = sched_clock::Entity::find().one(&tx.db()).await?;
        let clock = clock.ok_or(StoreError::Broken("the queue has no clock"))?.vclock;
        let owners = owners.into_iter().map(|owner| owner.as_uuid());
        let last = tenant_sched::Entity::find()
            .filter(tenant_sched::Column::UserId.is_in(owners))
            // In one order, or two changes could wait for each other.
            .order_by_asc(tenant_sched::Column::UserId)
            .lock_exclusive()
            .all(&tx.db())
            .await?;
        Ok(Self {
            clock,
            last: last.into_iter().map(|row| (row.user_id, row.last_vtime)).collect(),
        })
    }

    /// Takes the next place of `owner`.
    pub(super) fn place(&mut self, owner: UserId, cost: f64) -> f64 {
        let last = self.last.get(&owner.as_uuid()).copied();
        let place = Job::fair_place(last, self.clock, cost, WEIGHT);
        self.last.insert(owner.as_uuid(), place);
        place
    }

    pub(super) async fn save(self, tx: &WriteTx) -> Result<(), StoreError> {
        let rows = self.last.into_iter().map(|(user_id, last_vtime)| {
            tenant_sched::Model { user_id, last_vtime }.into_active_model().reset_all()
        });
        let replace = OnConflict::column(tenant_sched::Column::UserId)
            .update_column(tenant_sched::Column::LastVtime)
            .to_owned();
        tenant_sched::Entity::insert_many(rows)
            .on_conflict(replace)
            .exec_without_returning(&tx.db())
            .await?;
        Ok(())
    }
}

/// Moves the queue's clock forward to `vtime`, never back.
pub(super) async fn advance_clock(tx: &WriteTx, vtime: f64) -> Result<(), StoreError> {
    sched_clock::Entity::update_many()
        .col_expr(sched_clock::Column::Vclock, Expr::value(vtime))
        .filter(sched_clock::Column::Vclock.lt(vtime))
        .exec(&tx.db())
        .await?;
    Ok(())
}
