//! Copies at engines that are to be erased.

use application::ports::{Erasure, PortFailure};
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::locks;
use crate::persistence::{
    entities::erasures::{Column, Entity, Model},
    fault::{Stop, StoreError},
    store::WriteTx,
};

/// Puts copies down, each once: engine and the engine's name for it.
pub(super) async fn put_down(
    tx: &WriteTx,
    copies: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows = copies.iter().map(|(engine, provider_id)| {
        Model {
            id: id(engine, provider_id),
            engine: engine.clone(),
            provider_id: provider_id.clone(),
            attempts: 0,
            due_at: now,
            created_at: now,
        }
        .into_active_model()
        .reset_all()
    });
    let once = OnConflict::column(Column::Id).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(&tx.db()).await?;
    Ok(())
}

/// What is due at one engine, the longest due first.
pub(super) fn at(engine: &str, limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    let due = Entity::find()
        .filter(Column::Engine.eq(engine))
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .limit(u64::from(limit));
    locks::free(due)
}

pub(super) async fn due(
    tx: &WriteTx,
    due: Select<Entity>,
    held_until: DateTime<Utc>,
) -> Result<Vec<Erasure>, Stop<PortFailure>> {
    let rows = due.all(&tx.db()).await?;
    if !rows.is_empty() {
        Entity::update_many()
            .col_expr(Column::DueAt, Expr::value(held_until))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.is_in(rows.iter().map(|row| row.id)))
            .exec(&tx.db())
            .await?;
    }
    Ok(rows
        .into_iter()
        .map(|row| Erasure {
            id: row.id,
            engine: row.engine,
            provider_id: row.provider_id,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        })
        .collect())
}

pub(super) async fn done(tx: &WriteTx, id: Uuid) -> Result<(), Stop<PortFailure>> {
    Entity::delete_by_id(id).exec(&tx.db()).await?;
    Ok(())
}

/// The same copy has the same row, whoever puts it down and how often.
fn id(engine: &str, provider_id: &str) -> Uuid {
    let hash = digest(&SHA256, format!("{engine}\0{provider_id}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
