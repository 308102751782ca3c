//! A job with its transcription: loaded together, written back together.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    Epoch, FailureCode, Job, Outcome, Submission, SubmissionState, Transcription, TranscriptionId,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    Iterable, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationDef, Select,
    UpdateMany,
    sea_query::{InsertStatement, OnConflict},
};
use uuid::Uuid;

use super::{
    joint::{self, Beside},
    submissions::{end, finished},
};
use crate::persistence::{
    entities::{attempts, jobs, submissions, transcriptions},
    fault::{CorruptRow, StoreError, unreadable},
    rows,
    store::WriteTx,
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
    let select = jobs::Entity::find_by_id(id.as_uuid())
        .filter(jobs::Column::Epoch.eq(i64::try_from(epoch.get()).unwrap_or(-1)))
        .filter(jobs::Column::State.eq(state))
        .join(JoinType::InnerJoin, to_transcription())
        .select_also(transcriptions::Entity)
        // Both rows: of one that is not locked, who waited would see what it was before.
        .lock_exclusive();
    let Some((job, transcription)) = select.one(&tx.db()).await? else { return Ok(None) };
    Ok(Some(live(transcription, job)?))
}

fn to_transcription() -> RelationDef {
    jobs::Entity::belongs_to(transcriptions::Entity)
        .from(jobs::Column::Id)
        .to(transcriptions::Column::Id)
        .into()
}

/// Adds the transcriptions to jobs, keeping their order.
pub(super) async fn with_transcriptions(
    tx: &WriteTx,
    rows: Vec<jobs::Model>,
) -> Result<Vec<Result<Live, CorruptRow>>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let (seen, _) = readable(tx, &ids, |ids| {
        transcriptions::Entity::find().filter(transcriptions::Column::Id.is_in(ids))
    })
    .await?;
    let mut seen: HashMap<Uuid, _> = seen.into_iter().map(|row| (row.id, row)).collect();
    Ok(rows.into_iter().map(|row| live(seen.remove(&row.id), row)).collect())
}

fn live(
    transcription: Option<transcriptions::Model>,
    row: jobs::Model,
) -> Result<Live, CorruptRow> {
    let why = "it is missing, or a column cannot be read";
    let missing = CorruptRow { table: "transcriptions", id: row.id, why };
    let transcription = rows::transcriptions::restore(transcription.ok_or(missing)?)?;
    if transcription.status().is_terminal() {
        let why = "it has ended before its job";
        return Err(CorruptRow { table: "transcriptions", id: row.id, why });
    }
    Ok(Live { transcription, seen: (row.epoch, row.state.clone()), job: rows::jobs::restore(row)? })
}

/// The submission of each job that counts: the accepted one, or else the latest. What was accepted
/// need not be the latest once it was given up and found again.
pub(super) async fn submissions_in_force(
    tx: &WriteTx,
    ids: impl IntoIterator<Item = TranscriptionId>,
) -> Result<HashMap<TranscriptionId, Result<Submission, CorruptRow>>, StoreError> {
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.as_uuid()).collect();
    let (rows, unread) = readable(tx, &ids, |ids| {
        submissions::Entity::find()
            .filter(submissions::Column::JobId.is_in(ids))
            .order_by_asc(submissions::Column::State.eq(SubmissionState::Accepted.as_str()))
            .order_by_asc(submissions::Column::Seq)
    })
    .await?;
    // Later ones replace earlier ones.
    let read = rows.into_iter().map(|row| (row.job_id, rows::submissions::restore(row)));
    let why = "a column of a submission of this job cannot be read";
    let unread = unread
        .into_iter()
        .map(|id| (id, Err(CorruptRow { table: "provider_submissions", id, why })));
    Ok(read.chain(unread).map(|(id, row)| (TranscriptionId::from_uuid(id), row)).collect())
}

/// The rows that `of` finds for `ids`, and those of `ids` whose rows cannot be read.
pub(super) async fn readable<E: EntityTrait>(
    tx: &WriteTx,
    ids: &[Uuid],
    of: fn(Vec<Uuid>) -> Select<E>,
) -> Result<(Vec<E::Model>, Vec<Uuid>), StoreError> {
    if ids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    match of(ids.to_vec()).all(&tx.db()).await {
        Ok(rows) => return Ok((rows, Vec::new())),
        Err(error) if unreadable(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let (mut rows, mut unread) = (Vec::new(), Vec::new());
    for id in ids {
        match of(vec![*id]).all(&tx.db()).await {
            Ok(found) => rows.extend(found),
            Err(error) if unreadable(&error) => unread.push(*id),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((rows, unread))
}

impl Live {
    /// Writes back what a step made of it, with its line of history. A job that has ended leaves
    /// no submission behind that anybody waits for.
    pub(super) async fn save(
        &self,
        tx: &WriteTx,
        outcome: Outcome,
        attempt: Option<Attempt>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if outcome == Outcome::Ended {
            end(tx, self.job.parts().id.as_uuid(), now).await?;
        }
        self.write(tx, outcome, attempt, None, now).await
    }

    /// Writes back that it is completed: with its transcript, and its accepted submission finished.
    /// There is no other that is open: the database does not let one be beside it.
    pub(super) async fn complete(
        &self,
        tx: &WriteTx,
        attempt: Option<Attempt>,
        transcript: InsertStatement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(tx, Outcome::Ended, attempt, Some(transcript), now).await
    }

    async fn write(
        &self,
        tx: &WriteTx,
        outcome: Outcome,
        attempt: Option<Attempt>,
        transcript: Option<InsertStatement>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let id = self.job.parts().id.as_uuid();
        let mut beside = Beside {
            updates: vec![changed(&self.transcription).into_query()],
            inserts: attempt.map(|attempt| line(&self.job, attempt, now)).into_iter().collect(),
        };
        if let Some(transcript) = transcript {
            beside.updates.push(finished(id));
            beside.inserts.push(transcript);
        }
        let touched = match outcome {
            Outcome::Ended => {
                let gone = jobs::Entity::delete_by_id(id).filter(self.unchanged());
                joint::write(tx, gone.into_query(), beside).await?
            }
            Outcome::Held | Outcome::Free => {
                let row = rows::jobs::row(&self.job).into_active_model().reset_all();
                let kept = jobs::Entity::update_many().set(row);
                let kept = kept.filter(jobs::Column::Id.eq(id)).filter(self.unchanged());
                joint::write(tx, kept.into_query(), beside).await?
            }
        };
        if touched == 1 {
            Ok(())
        } else {
            Err(StoreError::Broken("a job changed inside a transaction"))
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
    changed(transcription).exec(&tx.db()).await?;
    Ok(())
}

fn changed(transcription: &Transcription) -> UpdateMany<transcriptions::Entity> {
    let row = rows::transcriptions::row(transcription);
    let id = row.id;
    transcriptions::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(transcriptions::Column::Id.eq(id))
}

/// Writes many transcriptions back in one statement.
pub(super) async fn save_transcriptions(
    tx: &WriteTx,
    transcriptions: &[Transcription],
) -> Result<(), StoreError> {
    use transcriptions::{Column, Entity};
    if transcriptions.is_empty() {
        return Ok(());
    }
    let rows = transcriptions.iter().map(rows::transcriptions::row);
    let rows = rows.map(|row| row.into_active_model().reset_all());
    let columns = Column::iter().filter(|column| !matches!(column, Column::Id));
    let replace = OnConflict::column(Column::Id).update_columns(columns).to_owned();
    Entity::insert_many(rows).on_conflict(replace).exec_without_returning(&tx.db()).await?;
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
    jobs::Entity::insert_many(rows).on_conflict(replace).exec_without_returning(&tx.db()).await?;
    Ok(())
}

/// Adds a line to the history.
pub(super) async fn record(
    tx: &WriteTx,
    job: &Job,
    attempt: Attempt,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.db().execute(&line(job, attempt, now)).await?;
    Ok(())
}

fn line(job: &Job, attempt: Attempt, now: DateTime<Utc>) -> InsertStatement {
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
    attempts::Entity::insert(line).into_query()
}
