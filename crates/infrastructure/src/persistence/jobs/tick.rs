//! Housekeeping: what time alone does to jobs.

use application::ports::{PortFailure, TickReport};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{FailureCode, Outcome};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::Expr,
};

use super::{
    enqueue::Queue,
    load::{Attempt, save_jobs, with_transcriptions},
};
use crate::persistence::{
    entities::{
        attempts,
        jobs::{Column, Entity},
    },
    fault::{Stop, StoreError},
    rows,
    sqlite::WriteTx,
};

/// How long the history is kept.
const HISTORY: TimeDelta = TimeDelta::days(30);

/// Jobs of the dead come first, then what took too long, so that nothing is promoted that ends
/// at once.
pub(super) async fn tick(
    tx: &WriteTx,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<TickReport, Stop<PortFailure>> {
    let mut report = TickReport::default();
    reap(tx, limit, now, &mut report).await?;
    report.expired = expire(tx, limit, now).await?;
    report.promoted = promote(tx, limit, now).await?;
    prune(tx, limit, now).await?;
    report.next_due = next_due(tx).await?;
    Ok(report)
}

async fn reap(
    tx: &WriteTx,
    limit: u32,
    now: DateTime<Utc>,
    report: &mut TickReport,
) -> Result<(), StoreError> {
    let dead = Entity::find()
        .filter(Expr::cust("state = 'leased'"))
        .filter(Column::LeaseUntil.lt(now))
        .order_by_asc(Column::LeaseUntil)
        .limit(u64::from(limit))
        .all(tx.db())
        .await?;
    for mut live in with_transcriptions(tx, dead).await? {
        let outcome = live.job.reap(&mut live.transcription, now)?;
        let code = (outcome == Outcome::Ended).then_some(FailureCode::WorkerCrashLoop);
        live.save(tx, outcome, Some(Attempt { outcome: "crash", code }), now).await?;
        match outcome {
            Outcome::Ended => report.crashed_out += 1,
            Outcome::Held | Outcome::Free => report.reaped += 1,
        }
    }
    Ok(())
}

async fn expire(tx: &WriteTx, limit: u32, now: DateTime<Utc>) -> Result<u32, StoreError> {
    let late = Condition::any().add(Column::DeadlineAt.lt(now)).add(
        // As a constant, so that SQLite sees that the partial index holds these rows.
        Condition::all().add(Expr::cust("state = 'waiting'")).add(Column::AwaitUntil.lt(now)),
    );
    let late = Entity::find()
        .filter(Expr::cust("state <> 'leased'"))
        .filter(late)
        .order_by_asc(Column::DeadlineAt)
        .limit(u64::from(limit))
        .all(tx.db())
        .await?;
    let mut expired = 0;
    for mut live in with_transcriptions(tx, late).await? {
        let outcome = live.job.expire(&mut live.transcription, now)?;
        live.save(tx, outcome, Some(Attempt::new("expire")), now).await?;
        expired += 1;
    }
    Ok(expired)
}

async fn promote(tx: &WriteTx, limit: u32, now: DateTime<Utc>) -> Result<u32, StoreError> {
    let due = Entity::find()
        .filter(Expr::cust("state = 'scheduled'"))
        .filter(Column::RunAt.lte(now))
        .order_by_asc(Column::RunAt)
        .order_by_asc(Column::Id)
        .limit(u64::from(limit))
        .all(tx.db())
        .await?;
    let mut jobs = due.into_iter().map(rows::jobs::restore).collect::<Result<Vec<_>, _>>()?;
    if jobs.is_empty() {
        return Ok(0);
    }
    let mut queue = Queue::load(tx, jobs.iter().map(|job| job.parts().owner)).await?;
    for job in &mut jobs {
        let place = queue.place(job.parts().owner, job.parts().cost);
        job.promote(place)?;
    }
    save_jobs(tx, &jobs.iter().collect::<Vec<_>>()).await?;
    queue.save(tx).await?;
    Ok(u32::try_from(jobs.len()).unwrap_or(u32::MAX))
}

async fn prune(tx: &WriteTx, limit: u32, now: DateTime<Utc>) -> Result<(), StoreError> {
    let old = attempts::Entity::find()
        .select_only()
        .column(attempts::Column::Id)
        .filter(attempts::Column::At.lt(now - HISTORY))
        .limit(u64::from(limit))
        .into_query();
    attempts::Entity::delete_many()
        .filter(attempts::Column::Id.in_subquery(old))
        .exec(tx.db())
        .await?;
    Ok(())
}

async fn next_due(tx: &WriteTx) -> Result<Option<DateTime<Utc>>, StoreError> {
    // One look into the index for each state.
    let mut next = None;
    for state in ["state = 'scheduled'", "state = 'waiting'"] {
        let first: Option<DateTime<Utc>> = Entity::find()
            .select_only()
            .column(Column::RunAt)
            .filter(Expr::cust(state))
            .order_by_asc(Column::RunAt)
            .limit(1)
            .into_tuple()
            .one(tx.db())
            .await?;
        next = next.into_iter().chain(first).min();
    }
    Ok(next)
}
