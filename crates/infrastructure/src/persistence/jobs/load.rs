//! A job with its transcription: loaded together, written back together.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    Epoch, FailureCode, Job, Outcome, Submission, SubmissionState, Transcription, TranscriptionId,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, EntityTrait, IntoActiveModel, Iterable,
    QueryFilter, QueryOrder, sea_query::OnConflict,
};
use uuid::Uuid;

use crate::persistence::{
    entities::{attempts, jobs, submissions, transcriptions},
    fault::{CorruptRow, StoreError},
    rows,
    sqlite::WriteTx,
};

/// A live job and what its owner sees.
pub(super) struct Live {
    pub(super) job: Job,
    pub(super) transcription: Transcription,
    /// The columns by which a write is guarded.
    seen: (i64, String),
}

/// What goes into the history.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    pub(super) outcome: &'static str,
    pub(super) code: Option<FailureCode>,
}

impl Attempt {
    pub(super) const fn new(outcome: &'static str) -> Self {
        Self { outcome, code: None }
    }

    pub(super) fn failed(outcome: &'static str, failure: &domain::Failure) -> Self {
        Self { outcome, code: Some(failure.code()) }
    }
}

/// The job that is in `state` under `epoch`, if it still is.
pub(super) async fn under_epoch(
    tx: &WriteTx,
    id: TranscriptionId,
    epoch: Epoch,
    state: &'static str,
) -> Result<Option<Live>, StoreError> {
    let row = jobs::Entity::find_by_id(id.as_uuid())
        .filter(jobs::Column::Epoch.eq(i64::try_from(epoch.get()).unwrap_or(-1)))
        .filter(jobs::Column::State.eq(state))
        .one(tx.db())
        .await?;
    Ok(with_transcriptions(tx, row.into_iter().collect()).await?.pop())
}

/// Adds the transcriptions to jobs, keeping their order.
pub(super) async fn with_transcriptions(
    tx: &WriteTx,
    rows: Vec<jobs::Model>,
) -> Result<Vec<Live>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.id);
    let mut seen: HashMap<Uuid, transcriptions::Model> = transcriptions::Entity::find()
        .filter(transcriptions::Column::Id.is_in(ids))
        .all(tx.db())
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    rows.into_iter()
        .map(|row| {
            let why = "it has no transcription";
            let missing = CorruptRow { table: "jobs", id: row.id, why };
            let transcription = seen.remove(&row.id).ok_or(missing)?;
            Ok(Live {
                seen: (row.epoch, row.state.clone()),
                job: rows::jobs::restore(row)?,
                transcription: rows::transcriptions::restore(transcription)?,
            })
        })
        .collect()
}

/// The latest submission of each job.
pub(super) async fn latest_submissions(
    tx: &WriteTx,
    ids: impl IntoIterator<Item = TranscriptionId>,
) -> Result<HashMap<TranscriptionId, Submission>, StoreError> {
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.as_uuid()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = submissions::Entity::find()
        .filter(submissions::Column::JobId.is_in(ids))
        .order_by_asc(submissions::Column::Seq)
        .all(tx.db())
        .await?;
    // Later ones replace earlier ones.
    rows.into_iter()
        .map(|row| Ok((TranscriptionId::from_uuid(row.job_id), rows::submissions::restore(row)?)))
        .collect()
}

impl Live {
    /// Writes back what a step made of it, with its line of history.
    pub(super) async fn save(
        &self,
        tx: &WriteTx,
        outcome: Outcome,
        attempt: Option<Attempt>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let id = self.job.parts().id.as_uuid();
        let touched = match outcome {
            Outcome::Ended => {
                let gone = jobs::Entity::delete_by_id(id).filter(self.unchanged());
                gone.exec(tx.db()).await?.rows_affected
            }
            Outcome::Held | Outcome::Free => {
                let row = rows::jobs::row(&self.job).into_active_model().reset_all();
                let kept = jobs::Entity::update_many().set(row);
                let kept = kept.filter(jobs::Column::Id.eq(id)).filter(self.unchanged());
                kept.exec(tx.db()).await?.rows_affected
            }
        };
        if touched != 1 {
            return Err(StoreError::Broken("a job changed inside a transaction"));
        }
        save_transcription(tx, &self.transcription).await?;
        match attempt {
            Some(attempt) => record(tx, &self.job, attempt, now).await,
            None => Ok(()),
        }
    }

    fn unchanged(&self) -> sea_orm::Condition {
        sea_orm::Condition::all()
            .add(jobs::Column::Epoch.eq(self.seen.0))
            .add(jobs::Column::State.eq(self.seen.1.as_str()))
    }
}

/// Writes a transcription back.
pub(super) async fn save_transcription(
    tx: &WriteTx,
    transcription: &Transcription,
) -> Result<(), StoreError> {
    let row = rows::transcriptions::row(transcription);
    let id = row.id;
    transcriptions::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(transcriptions::Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Writes many jobs back in one statement.
pub(super) async fn save_jobs(tx: &WriteTx, jobs: &[&Job]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let rows = jobs.iter().map(|job| rows::jobs::row(job).into_active_model().reset_all());
    let columns = jobs::Column::iter().filter(|column| !matches!(column, jobs::Column::Id));
    let replace = OnConflict::column(jobs::Column::Id).update_columns(columns).to_owned();
    jobs::Entity::insert_many(rows).on_conflict(replace).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// Adds a line to the history.
pub(super) async fn record(
    tx: &WriteTx,
    job: &Job,
    attempt: Attempt,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let parts = job.parts();
    let line = attempts::ActiveModel {
        id: ActiveValue::NotSet,
        job_id: ActiveValue::Set(parts.id.as_uuid()),
        epoch: ActiveValue::Set(i64::try_from(parts.epoch.get()).unwrap_or(i64::MAX)),
        stage: ActiveValue::Set(parts.stage.as_str().to_owned()),
        outcome: ActiveValue::Set(attempt.outcome.to_owned()),
        code: ActiveValue::Set(attempt.code.map(|code| code.as_str().to_owned())),
        at: ActiveValue::Set(now),
    };
    attempts::Entity::insert(line).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// Moves the accepted submission of a job to `state`.
pub(super) async fn close_accepted(
    tx: &WriteTx,
    job: &Job,
    state: SubmissionState,
) -> Result<(), StoreError> {
    submissions::Entity::update_many()
        .col_expr(submissions::Column::State, sea_orm::sea_query::Expr::value(state.as_str()))
        .filter(submissions::Column::JobId.eq(job.parts().id.as_uuid()))
        .filter(submissions::Column::State.eq(SubmissionState::Accepted.as_str()))
        .exec(tx.db())
        .await?;
    Ok(())
}
