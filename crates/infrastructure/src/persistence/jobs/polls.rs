//! Jobs that wait for the engine: whom to ask about, and what was answered.

use application::ports::{CommitError, DuePoll, PortFailure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Epoch, Job, Outcome, Submission, SubmissionState, TranscriptionId, job::PollStep};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    corrupt::Sieve,
    load::{Attempt, save_jobs, submissions_in_force, under_epoch},
    locks,
    submissions::give_back,
};
use crate::persistence::{
    entities::{
        jobs::{Column, Entity},
        submissions,
    },
    fault::{CorruptRow, Stop, StoreError},
    store::WriteTx,
};

/// The waiting jobs whose time has come, the longest due first.
pub(super) fn waiting(limit: u32, now: DateTime<Utc>) -> Select<Entity> {
    locks::free(
        Entity::find()
            .filter(Expr::cust("state = 'waiting'"))
            .filter(Column::RunAt.lte(now))
            .order_by_asc(Column::RunAt)
            .limit(u64::from(limit)),
    )
}

pub(super) async fn due(
    tx: &WriteTx,
    limit: u32,
    now: DateTime<Utc>,
    hold: TimeDelta,
) -> Result<Vec<DuePoll>, Stop<PortFailure>> {
    let mut sieve = Sieve::new(tx, now);
    let rows = sieve.rows(waiting(limit, now)).await?;
    let waiting = sieve.live(rows).await?;
    let mut submissions =
        submissions_in_force(tx, waiting.iter().map(|live| live.job.parts().id)).await?;
    let mut polls = Vec::with_capacity(waiting.len());
    for live in waiting {
        let mut parts = live.job.parts().clone();
        parts.run_at = now + hold;
        match accepted(parts.id.as_uuid(), submissions.remove(&parts.id)) {
            Ok(submission) => {
                let job = Job::restore(parts);
                polls.push(DuePoll { job, transcription: live.transcription, submission });
            }
            Err(corrupt) => sieve.give_up(parts.id.as_uuid(), &corrupt).await?,
        }
    }
    let jobs: Vec<_> = polls.iter().map(|poll| &poll.job).collect();
    save_jobs(tx, &jobs).await?;
    Ok(polls)
}

/// What the engine can be asked about.
fn accepted(
    job: Uuid,
    latest: Option<Result<Submission, CorruptRow>>,
) -> Result<Submission, CorruptRow> {
    let why = "it waits for an engine that has accepted nothing";
    latest
        .transpose()?
        .filter(|submission| submission.state == SubmissionState::Accepted)
        .ok_or(CorruptRow { table: "jobs", id: job, why })
}

pub(super) async fn settle(
    tx: &WriteTx,
    job: TranscriptionId,
    epoch: Epoch,
    step: PollStep,
    now: DateTime<Utc>,
) -> Result<Outcome, Stop<CommitError>> {
    let waiting = under_epoch(tx, job, epoch, "waiting").await?;
    let mut live = waiting.ok_or(Stop::Refused(CommitError::LeaseLost))?;
    let step = match step {
        PollStep::Resubmit { failure, .. } if was_given_up_later(tx, job).await? => {
            PollStep::Fail(failure)
        }
        step => step,
    };
    let (attempt, failed) = match &step {
        PollStep::Pending { .. } => (None, false),
        PollStep::Finished => (Some(Attempt::new("finished")), false),
        PollStep::Resubmit { failure, .. } => (Some(Attempt::failed("resubmit", failure)), true),
        PollStep::Fail(failure) => (Some(Attempt::failed("fail", failure)), true),
    };
    let outcome = live.job.settle(step, &mut live.transcription, now)?;
    if failed {
        give_back(tx, job.as_uuid(), now).await?;
    }
    live.save(tx, outcome, attempt, now).await?;
    Ok(outcome)
}

/// Whether a later submission than the accepted one was given up: the engine may have accepted it,
/// and another must not follow.
async fn was_given_up_later(tx: &WriteTx, job: TranscriptionId) -> Result<bool, StoreError> {
    let of_job = submissions::Entity::find().filter(submissions::Column::JobId.eq(job.as_uuid()));
    let latest = of_job
        .select_only()
        .column(submissions::Column::State)
        .order_by_desc(submissions::Column::Seq)
        .into_tuple::<String>()
        .one(&tx.db())
        .await?;
    Ok(latest.is_some_and(|state| state == SubmissionState::Abandoned.as_str()))
}
