//! Engines to which nothing is submitted for now.

use application::ports::{Pause, PortFailure};
use chrono::{DateTime, Utc};
use domain::FailureCode;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, sea_query::OnConflict};

use crate::persistence::{
    entities::pauses::{Column, Entity, Model},
    fault::Stop,
    store::{Db, WriteTx},
};

pub(super) async fn pause(
    tx: &WriteTx,
    engine: &str,
    code: FailureCode,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Stop<PortFailure>> {
    let (engine, code) = (engine.to_owned(), code.as_str().to_owned());
    let row = Model { engine, code, since: now, until }.into_active_model().reset_all();
    let again =
        OnConflict::column(Column::Engine).update_columns([Column::Code, Column::Until]).to_owned();
    Entity::insert(row).on_conflict(again).exec_without_returning(&tx.db()).await?;
    Ok(())
}

pub(super) async fn paused(db: &Db<'_>, engine: &str) -> Result<Option<Pause>, Stop<PortFailure>> {
    let row = Entity::find_by_id(engine.to_owned()).one(db).await?;
    let Some(Model { code, since, until, .. }) = row else { return Ok(None) };
    // Of another version: what counts is until when, and that is known.
    let code = FailureCode::from_word(&code).unwrap_or(FailureCode::ProviderAuth);
    Ok(Some(Pause { code, since, until }))
}

pub(super) async fn resume(tx: &WriteTx, engine: &str) -> Result<(), Stop<PortFailure>> {
    Entity::delete_by_id(engine.to_owned()).exec(&tx.db()).await?;
    Ok(())
}
