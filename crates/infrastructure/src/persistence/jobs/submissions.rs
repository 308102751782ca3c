//! What becomes of submissions when their job ends or is forgotten.
//!
//! No row is read as a whole here: a column that cannot be read must not keep a copy at an engine
//! from being erased.

use chrono::{DateTime, TimeDelta, Utc};
use domain::SubmissionState;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, UpdateMany,
    sea_query::{Expr, SelectStatement, UpdateStatement},
};
use uuid::Uuid;

use super::{erase, locks};
use crate::persistence::{
    entities::submissions::{Column, Entity},
    fault::StoreError,
    store::WriteTx,
};

/// How long a submission is remembered whose transcription is deleted.
const FORGET_AFTER: TimeDelta = TimeDelta::hours(72);

/// What becomes of the submissions of a job that has ended: nobody waits for the accepted one, and
/// an open one may have been accepted unknown to us.
pub(super) async fn end(tx: &WriteTx, job: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    give_back(tx, job, now).await?;
    abandon_open(tx, job).await
}

/// Closes the accepted submission of a job, whose result nobody takes, and puts its copy down.
pub(super) async fn give_back(
    tx: &WriteTx,
    job: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    put_down(tx, job, in_state(SubmissionState::Accepted), now).await?;
    change(tx, job, SubmissionState::Accepted, SubmissionState::Error).await
}

/// Puts the accepted copy of a job down, whose transcript is stored.
pub(super) async fn put_accepted_down(
    tx: &WriteTx,
    job: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    put_down(tx, job, in_state(SubmissionState::Accepted), now).await
}

/// Closes the accepted submission of a job whose transcript is stored.
pub(super) fn finished(job: Uuid) -> UpdateStatement {
    to_state(job, SubmissionState::Accepted, SubmissionState::Finished).into_query()
}

pub(super) async fn abandon_open(tx: &WriteTx, job: Uuid) -> Result<(), StoreError> {
    change(tx, job, SubmissionState::Intent, SubmissionState::Abandoned).await
}

/// Takes leave of the submissions of a transcription that is deleted. All are remembered for a
/// while if an engine may have accepted one of them unknown to us; otherwise only what is counted.
pub(super) async fn forget(tx: &WriteTx, job: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    end(tx, job, now).await?;
    put_down(tx, job, Condition::all(), now).await?;
    let uncounted = Condition::all().add(Column::JobId.eq(job)).add(Column::IsDuplicate.eq(false));
    let unresolved = in_state(SubmissionState::Abandoned).add(Column::ProviderId.is_null());
    let unresolved = of_job(job).filter(unresolved);
    if unresolved.count(&tx.db()).await? == 0 {
        Entity::delete_many().filter(uncounted).exec(&tx.db()).await?;
    } else {
        let forgotten = Entity::update_many().col_expr(Column::IsForgotten, Expr::value(true));
        forgotten.filter(uncounted).exec(&tx.db()).await?;
    }
    Ok(())
}

/// Forgets what was remembered of deleted transcriptions and is too old to be found.
pub(super) async fn prune(tx: &WriteTx, limit: u32, now: DateTime<Utc>) -> Result<(), StoreError> {
    let old: SelectStatement = forgotten(limit, now).select_only().column(Column::Id).into_query();
    Entity::delete_many().filter(Column::Id.in_subquery(old)).exec(&tx.db()).await?;
    Ok(())
}

pub(super) fn forgotten(limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    let forgotten = Entity::find()
        // As a constant, so that SQLite sees that the partial index holds these rows.
        .filter(Expr::cust("is_forgotten"))
        .filter(Column::IntentAt.lt(now - FORGET_AFTER))
        .order_by_asc(Column::IntentAt)
        .limit(u64::from(limit));
    locks::free(forgotten)
}

/// Puts the copies down that engines have of a job.
async fn put_down(
    tx: &WriteTx,
    job: Uuid,
    which: Condition,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<(String, Option<String>)> = of_job(job)
        .select_only()
        .column(Column::Engine)
        .column(Column::ProviderId)
        .filter(which)
        .into_tuple()
        .all(&tx.db())
        .await?;
    let copies: Vec<_> =
        rows.into_iter().filter_map(|(engine, name)| Some((engine, name?))).collect();
    erase::put_down(tx, &copies, now).await
}

/// Every submission of a job.
pub(super) fn of_job(job: Uuid) -> Select<Entity> {
    Entity::find().filter(Column::JobId.eq(job))
}

fn in_state(state: SubmissionState) -> Condition {
    Condition::all().add(Column::State.eq(state.as_str()))
}

async fn change(
    tx: &WriteTx,
    job: Uuid,
    from: SubmissionState,
    to: SubmissionState,
) -> Result<(), StoreError> {
    to_state(job, from, to).exec(&tx.db()).await?;
    Ok(())
}

fn to_state(job: Uuid, from: SubmissionState, to: SubmissionState) -> UpdateMany<Entity> {
    let changed: UpdateMany<Entity> =
        Entity::update_many().col_expr(Column::State, Expr::value(to.as_str()));
    changed.filter(Column::JobId.eq(job)).filter(in_state(from))
}
