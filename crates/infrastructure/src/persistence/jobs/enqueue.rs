//! Putting a job into the fair queue.

use std::collections::HashMap;

use application::ports::EnqueueError;
use domain::{Job, Transcription, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select, SqlErr,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{joint, load::save_jobs, locks};
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
    /// The places of `owners`, which nobody else takes meanwhile.
    pub(super) async fn load(
        tx: &WriteTx,
        owners: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, StoreError> {
        // In one order, or two changes could wait for each other.
        let places = places(owners).order_by_asc(tenant_sched::Column::UserId).lock_exclusive();
        Self::read(tx, places).await
    }

    /// The places of those of `owners`, who all have one, of which nobody else takes any just now.
    pub(super) async fn of_the_free(
        tx: &WriteTx,
        owners: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, StoreError> {
        Self::read(tx, locks::free(places(owners))).await
    }

    async fn read(tx: &WriteTx, places: Select<tenant_sched::Entity>) -> Result<Self, StoreError> {
        let clock = sched_clock::Entity::find().one(&tx.db()).await?;
        let clock = clock.ok_or(StoreError::Broken("the queue has no clock"))?.vclock;
        let last = places.all(&tx.db()).await?;
        Ok(Self {
            clock,
            last: last.into_iter().map(|row| (row.user_id, row.last_vtime)).collect(),
        })
    }

    pub(super) fn has(&self, owner: UserId) -> bool {
        self.last.contains_key(&owner.as_uuid())
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

fn places(owners: impl IntoIterator<Item = UserId>) -> Select<tenant_sched::Entity> {
    let owners = owners.into_iter().map(|owner| owner.as_uuid());
    tenant_sched::Entity::find().filter(tenant_sched::Column::UserId.is_in(owners))
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
