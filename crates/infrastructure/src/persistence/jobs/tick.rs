//! Housekeeping: what time alone does to jobs.

use std::time::{Duration, Instant};

use application::ports::{PortFailure, TickReport};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    FailureCode, Outcome, Submission, SubmissionState, Transcription, TranscriptionState,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::Expr,
};

use super::{
    corrupt::Sieve,
    enqueue::Queue,
    load::{self, Attempt, save_jobs},
    locks, submissions,
};
use crate::persistence::{
    entities::{
        attempts,
        jobs::{Column, Entity},
    },
    fault::{CorruptRow, Stop, StoreError, unreadable},
    rows,
    store::WriteTx,
};

/// How long the history is kept.
const HISTORY: TimeDelta = TimeDelta::days(30);

/// How long the jobs of a tick may take: on a server that is slow, a few are ended for good
/// rather than many in vain. The rest is left for the next tick.
const ENOUGH: Duration = Duration::from_secs(3);

/// The states that have a time at which something is due.
pub(super) const DUE: [&str; 2] = ["state = 'scheduled'", "state = 'waiting'"];

/// Jobs of the dead come first, then what took too long, so that nothing is promoted that ends
/// at once.
pub(super) async fn tick(
    tx: &WriteTx,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<TickReport, Stop<PortFailure>> {
    let mut sieve = Sieve::new(tx, now);
    let mut report = TickReport::default();
    let begun = Instant::now();
    reap(&mut sieve, limit, begun, &mut report).await?;
    expire(&mut sieve, past_deadline(limit, now), begun, &mut report).await?;
    let rest = limit.saturating_sub(report.expired);
    expire(&mut sieve, past_await(rest, now), begun, &mut report).await?;
    report.promoted = promote(&mut sieve, limit).await?;
    prune(tx, limit, now).await?;
    submissions::prune(tx, limit, now).await?;
    report.next_due = next_due(&mut sieve).await?;
    report.ended.extend(sieve.gone.into_iter().map(|id| (id, FailureCode::Internal)));
    Ok(report)
}

/// Jobs whose holders died.
pub(super) fn dead(limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    locks::free(
        Entity::find()
            // As constants, here and below, so that SQLite sees that a partial index holds the rows.
            .filter(Expr::cust("state = 'leased'"))
            .filter(Column::LeaseUntil.lt(now))
            .order_by_asc(Column::LeaseUntil)
            .limit(u64::from(limit)),
    )
}

/// Jobs that nobody holds and that took too long as a whole.
pub(super) fn past_deadline(limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    locks::free(
        Entity::find()
            .filter(Expr::cust("state <> 'leased'"))
            .filter(Column::DeadlineAt.lt(now))
            .order_by_asc(Column::DeadlineAt)
            .limit(u64::from(limit)),
    )
}

/// Jobs that took too long at the engine.
pub(super) fn past_await(limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    locks::free(
        Entity::find()
            .filter(Expr::cust("state = 'waiting'"))
            .filter(Column::AwaitUntil.lt(now))
            .order_by_asc(Column::AwaitUntil)
            .limit(u64::from(limit)),
    )
}

/// Scheduled jobs whose time has come.
pub(super) fn scheduled(limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    locks::free(
        Entity::find()
            .filter(Expr::cust("state = 'scheduled'"))
            .filter(Column::RunAt.lte(now))
            .order_by_asc(Column::RunAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit)),
    )
}

/// The job of a state that is due next.
pub(super) fn next_in(state: &'static str) -> Select<Entity> {
    Entity::find().filter(Expr::cust(state)).order_by_asc(Column::RunAt).limit(1)
}

async fn reap(
    sieve: &mut Sieve<'_>,
    limit: u32,
    begun: Instant,
    report: &mut TickReport,
) -> Result<(), StoreError> {
    let (tx, now) = (sieve.tx, sieve.now);
    let dead = sieve.rows(dead(limit, now)).await?;
    let dead = sieve.live(dead).await?;
    let submissions =
        load::submissions_in_force(tx, dead.iter().map(|live| live.job.parts().id)).await?;
    for mut live in dead {
        if begun.elapsed() > ENOUGH {
            break;
        }
        let id = live.job.parts().id;
        let unanswered = submissions.get(&id).is_some_and(may_be_open);
        let outcome = live.job.reap(&mut live.transcription, unanswered, now)?;
        let code = failure_code(&live.transcription);
        live.save(tx, outcome, Some(Attempt { outcome: "crash", code }), now).await?;
        report.ended.extend(code.map(|code| (id, code)));
        match outcome {
            Outcome::Ended => report.crashed_out += 1,
            Outcome::Held | Outcome::Free => report.reaped += 1,
        }
    }
    Ok(())
}

async fn expire(
    sieve: &mut Sieve<'_>,
    late: Select<Entity>,
    begun: Instant,
    report: &mut TickReport,
) -> Result<(), StoreError> {
    let (tx, now) = (sieve.tx, sieve.now);
    let late = sieve.rows(late).await?;
    let late = sieve.live(late).await?;
    let ids = late.iter().map(|live| live.job.parts().id);
    let submissions = load::submissions_in_force(tx, ids).await?;
    for mut live in late {
        if begun.elapsed() > ENOUGH {
            break;
        }
        let id = live.job.parts().id;
        let unanswered = submissions.get(&id).is_some_and(may_be_open);
        let outcome = live.job.expire(&mut live.transcription, unanswered, now)?;
        let code = failure_code(&live.transcription);
        live.save(tx, outcome, Some(Attempt { outcome: "expire", code }), now).await?;
        report.ended.extend(code.map(|code| (id, code)));
        report.expired += 1;
    }
    Ok(())
}

/// One that cannot be read may have been accepted as well as one that has no answer.
fn may_be_open(submission: &Result<Submission, CorruptRow>) -> bool {
    submission.as_ref().map_or(true, |submission| submission.state == SubmissionState::Intent)
}

fn failure_code(transcription: &Transcription) -> Option<FailureCode> {
    match &transcription.parts().state {
        TranscriptionState::Failed { failure, .. } => Some(failure.code()),
        TranscriptionState::Pending
        | TranscriptionState::Processing { .. }
        | TranscriptionState::Completed { .. }
        | TranscriptionState::Canceled { .. } => None,
    }
}

async fn promote(sieve: &mut Sieve<'_>, limit: u32) -> Result<u32, StoreError> {
    let tx = sieve.tx;
    let mut jobs = Vec::new();
    for row in sieve.rows(scheduled(limit, sieve.now)).await? {
        let id = row.id;
        match rows::jobs::restore(row) {
            Ok(job) => jobs.push(job),
            Err(corrupt) => sieve.give_up(id, &corrupt).await?,
        }
    }
    if jobs.is_empty() {
        return Ok(0);
    }
    let mut queue = Queue::of_the_free(tx, jobs.iter().map(|job| job.parts().owner)).await?;
    jobs.retain(|job| queue.has(job.parts().owner));
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
        .limit(u64::from(limit));
    let old = locks::free(old).into_query();
    attempts::Entity::delete_many()
        .filter(attempts::Column::Id.in_subquery(old))
        .exec(&tx.db())
        .await?;
    Ok(())
}

async fn next_due(sieve: &mut Sieve<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    // One look into the index for each state.
    let mut next = None;
    for state in DUE {
        let first = next_in(state).select_only().column(Column::RunAt).into_tuple();
        let first: Option<DateTime<Utc>> = match first.one(&sieve.tx.db()).await {
            // One that is none has no turn at which its job would be given up.
            Err(error) if unreadable(&error) => {
                sieve.rows(next_in(state)).await?.first().map(|row| row.run_at)
            }
            first => first?,
        };
        next = next.into_iter().chain(first).min();
    }
    Ok(next)
}
