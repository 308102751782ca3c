//! What the holder of a lease does: keep it, and move the job.

use application::ports::{CommitError, Lease, PortFailure, StepEffects};
use chrono::{DateTime, Utc};
use domain::{Epoch, Outcome, Step, SubmissionId, SubmissionState, TranscriptionId, WorkerId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, QueryTrait, UpdateMany, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    load::{Attempt, under_epoch},
    submissions::put_accepted_down,
};
use crate::persistence::{
    entities::{jobs, submissions, transcriptions, transcripts},
    fault::{Stop, StoreError},
    rows,
    store::WriteTx,
};

pub(super) async fn prolong(
    tx: &WriteTx,
    worker: WorkerId,
    held: &[(TranscriptionId, Epoch)],
    until: DateTime<Utc>,
) -> Result<Vec<TranscriptionId>, Stop<PortFailure>> {
    use jobs::Column;
    let mut ours = Condition::any();
    for (id, epoch) in held {
        let epoch = i64::try_from(epoch.get()).unwrap_or(-1);
        let job = Condition::all().add(Column::Id.eq(id.as_uuid())).add(Column::Epoch.eq(epoch));
        ours = ours.add(job);
    }
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let prolonged = jobs::Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(until))
        .filter(Column::LeaseOwner.eq(worker.as_uuid()))
        .filter(ours)
        .into_query()
        .returning_col(Column::Id)
        .to_owned();
    let kept = tx.db().query_all(&prolonged).await?;
    let ids = kept.iter().map(|row| row.try_get::<Uuid>("", "id"));
    Ok(ids.map(|id| id.map(TranscriptionId::from_uuid)).collect::<Result<_, _>>()?)
}

pub(super) async fn commit(
    tx: &WriteTx,
    lease: &Lease,
    step: Step,
    effects: StepEffects,
    now: DateTime<Utc>,
) -> Result<Outcome, Stop<CommitError>> {
    if !effects.fit(&step) {
        let misfit = PortFailure::permanent("jobs.commit", "the effects do not go with the step");
        return Err(Stop::Refused(misfit.into()));
    }
    let held = under_epoch(tx, lease.job, lease.epoch, "leased").await?;
    let mut live = held.ok_or(Stop::Refused(CommitError::LeaseLost))?;
    let attempt = attempt(&step);
    let outcome = live.job.apply(step, &mut live.transcription, now)?;
    if let Some((id, provider_id)) = effects.accepted {
        accept(tx, lease.job, id, provider_id).await?;
    }
    if let Some(id) = effects.refused {
        refuse(tx, lease.job, id).await?;
    }
    if let Some(id) = effects.unlisted {
        unlist(tx, lease.job, id).await?;
    }
    if let Some(id) = effects.abandoned {
        abandon(tx, lease.job, id).await?;
    }
    match effects.transcript {
        Some(transcript) => {
            if effects.erase {
                put_accepted_down(tx, lease.job.as_uuid(), now).await?;
            }
            let row = rows::transcripts::row(lease.job, transcript)?;
            let row = transcripts::Entity::insert(row.into_active_model().reset_all());
            live.complete(tx, attempt, row.into_query(), now).await?;
        }
        None => live.save(tx, outcome, attempt, now).await?,
    }
    Ok(outcome)
}

pub(super) async fn progress(
    tx: &WriteTx,
    lease: &Lease,
    share: f64,
    now: DateTime<Utc>,
) -> Result<(), Stop<CommitError>> {
    use transcriptions::Column;
    let held = under_epoch(tx, lease.job, lease.epoch, "leased").await?;
    let mut live = held.ok_or(Stop::Refused(CommitError::LeaseLost))?;
    let before = live.transcription.clone();
    live.transcription.advance(share, now)?;
    if live.transcription == before {
        return Ok(());
    }
    transcriptions::Entity::update_many()
        .col_expr(Column::Progress, Expr::value(share))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(lease.job.as_uuid()))
        .exec(&tx.db())
        .await?;
    Ok(())
}

/// What the history says of a step; nothing of one that keeps its holder.
fn attempt(step: &Step) -> Option<Attempt> {
    match step {
        Step::Fetched(_) | Step::Uploaded(_) => None,
        Step::Submitted { .. } => Some(Attempt::new("submitted")),
        Step::Retry { failure, .. } => Some(Attempt::failed("retry", failure)),
        Step::Snooze { failure, .. } => Some(Attempt::failed("snooze", failure)),
        Step::Release => Some(Attempt::new("release")),
        Step::Fail(failure) => Some(Attempt::failed("fail", failure)),
        Step::Complete(_) => Some(Attempt::new("complete")),
    }
}

async fn accept(
    tx: &WriteTx,
    job: TranscriptionId,
    id: SubmissionId,
    provider_id: String,
) -> Result<(), StoreError> {
    let accepted = submission(job, id, &[SubmissionState::Intent])
        .col_expr(submissions::Column::State, Expr::value(SubmissionState::Accepted.as_str()))
        .col_expr(submissions::Column::ProviderId, Expr::value(provider_id));
    one(accepted.exec(&tx.db()).await?.rows_affected)
}

async fn refuse(tx: &WriteTx, job: TranscriptionId, id: SubmissionId) -> Result<(), StoreError> {
    // A caller that did not learn of it says it again.
    let refused = submission(job, id, &[SubmissionState::Intent, SubmissionState::Error])
        .col_expr(submissions::Column::State, Expr::value(SubmissionState::Error.as_str()));
    one(refused.exec(&tx.db()).await?.rows_affected)
}

async fn unlist(tx: &WriteTx, job: TranscriptionId, id: SubmissionId) -> Result<(), StoreError> {
    let listings = Expr::col(submissions::Column::CleanListings).add(1);
    let unlisted = submission(job, id, &[SubmissionState::Intent])
        .col_expr(submissions::Column::CleanListings, listings);
    one(unlisted.exec(&tx.db()).await?.rows_affected)
}

async fn abandon(tx: &WriteTx, job: TranscriptionId, id: SubmissionId) -> Result<(), StoreError> {
    // A caller that did not learn of it says it again.
    let abandoned = submission(job, id, &[SubmissionState::Intent, SubmissionState::Abandoned])
        .col_expr(submissions::Column::State, Expr::value(SubmissionState::Abandoned.as_str()));
    one(abandoned.exec(&tx.db()).await?.rows_affected)
}

fn submission(
    job: TranscriptionId,
    id: SubmissionId,
    states: &[SubmissionState],
) -> UpdateMany<submissions::Entity> {
    submissions::Entity::update_many()
        .filter(submissions::Column::Id.eq(id.as_uuid()))
        .filter(submissions::Column::JobId.eq(job.as_uuid()))
        .filter(submissions::Column::State.is_in(states.iter().map(|state| state.as_str())))
}

fn one(touched: u64) -> Result<(), StoreError> {
    if touched == 1 {
        Ok(())
    } else {
        Err(StoreError::Broken("no submission of this job is in that state"))
    }
}
