//! Jobs that wait for the engine: whom to ask about, and what was answered.

use application::ports::{CommitError, DuePoll, PortFailure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Epoch, Job, Outcome, SubmissionState, TranscriptionId, job::PollStep};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use super::load::{
    Attempt, close_accepted, latest_submissions, save_jobs, under_epoch, with_transcriptions,
};
use crate::persistence::{
    entities::jobs::{Column, Entity},
    fault::Stop,
    sqlite::WriteTx,
};

pub(super) async fn due(
    tx: &WriteTx,
    limit: u32,
    now: DateTime<Utc>,
    hold: TimeDelta,
) -> Result<Vec<DuePoll>, Stop<PortFailure>> {
    let rows = Entity::find()
        .filter(Expr::cust("state = 'waiting'"))
        .filter(Column::RunAt.lte(now))
        .order_by_asc(Column::RunAt)
        .limit(u64::from(limit))
        .all(tx.db())
        .await?;
    let waiting = with_transcriptions(tx, rows).await?;
    let mut submissions =
        latest_submissions(tx, waiting.iter().map(|live| live.job.parts().id)).await?;
    let mut polls = Vec::with_capacity(waiting.len());
    for live in waiting {
        let mut parts = live.job.parts().clone();
        parts.run_at = now + hold;
        let accepted = submissions
            .remove(&parts.id)
            .filter(|submission| submission.state == SubmissionState::Accepted);
        let Some(submission) = accepted else {
            // Nobody can be asked about it; it ends when its time at the engine is up.
            tracing::error!(
                event = "waiting_job_without_submission",
                job.id = %parts.id,
                "a job waits for an engine that was never asked"
            );
            continue;
        };
        let job = Job::restore(parts);
        polls.push(DuePoll { job, transcription: live.transcription, submission });
    }
    let jobs: Vec<_> = polls.iter().map(|poll| &poll.job).collect();
    save_jobs(tx, &jobs).await?;
    Ok(polls)
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
    let (attempt, failed) = match &step {
        PollStep::Pending { .. } => (None, false),
        PollStep::Finished => (Some(Attempt::new("finished")), false),
        PollStep::Resubmit { failure, .. } => (Some(Attempt::failed("resubmit", failure)), true),
        PollStep::Fail(failure) => (Some(Attempt::failed("fail", failure)), true),
    };
    let outcome = live.job.settle(step, &mut live.transcription, now)?;
    if failed {
        close_accepted(tx, &live.job, SubmissionState::Error).await?;
    }
    live.save(tx, outcome, attempt, now).await?;
    Ok(outcome)
}
