//! What is heard of submissions later: from the engine's callbacks, and from its list of jobs.

use application::ports::{PortFailure, Resolution};
use chrono::{DateTime, Utc};
use domain::{
    CallbackDigest, JobState, Outcome, Submission, SubmissionId, SubmissionState, TranscriptionId,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    enqueue::Queue,
    erase,
    load::{Attempt, readable, save_jobs, with_transcriptions},
    locks,
    submissions::{abandon_open, of_job},
};
use crate::persistence::{
    entities::{
        jobs,
        submissions::{Column, Entity, Model},
    },
    fault::{Stop, StoreError},
    rows,
    store::WriteTx,
};

/// The longest name that a callback may give to a job, in characters.
const MAX_NAME: usize = 200;

/// The submission that a callback is about.
pub(super) fn under(callback: &CallbackDigest) -> Select<Entity> {
    Entity::find().filter(Column::Callback.eq(callback.as_bytes().to_vec()))
}

pub(super) async fn hear(
    tx: &WriteTx,
    callback: &CallbackDigest,
    provider_id: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<TranscriptionId>, Stop<PortFailure>> {
    let Some(seen) = under(callback).one(&tx.db()).await? else { return Ok(None) };
    locks::job(tx, TranscriptionId::from_uuid(seen.job_id)).await?;
    // What it was may have changed while its job was waited for.
    let Some(row) = under(callback).one(&tx.db()).await? else { return Ok(None) };
    if let Some(name) = provider_id.filter(|name| is_name(name)) {
        Entity::update_many()
            .col_expr(Column::HintedId, Expr::value(name))
            .filter(Column::Id.eq(row.id))
            .filter(Column::ProviderId.is_null())
            .exec(&tx.db())
            .await?;
    }
    match SubmissionState::from_word(&row.state) {
        Some(SubmissionState::Accepted) => hurry(tx, row.job_id, now).await?,
        // An open submission is always the latest.
        Some(SubmissionState::Intent) => wake(tx, row.job_id).await?,
        Some(SubmissionState::Finished | SubmissionState::Error | SubmissionState::Abandoned)
        | None => {}
    }
    Ok(Some(TranscriptionId::from_uuid(row.job_id)))
}

/// Makes a waiting job due.
async fn hurry(tx: &WriteTx, job: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::RunAt, Expr::value(now))
        .filter(jobs::Column::Id.eq(job))
        .filter(jobs::Column::State.eq(JobState::Waiting.as_str()))
        .filter(jobs::Column::RunAt.gt(now))
        .exec(&tx.db())
        .await?;
    Ok(())
}

/// Makes a scheduled job ready.
async fn wake(tx: &WriteTx, job: Uuid) -> Result<(), StoreError> {
    let scheduled = jobs::Entity::find_by_id(job)
        .filter(jobs::Column::State.eq(JobState::Scheduled.as_str()))
        .one(&tx.db())
        .await?;
    let Some(row) = scheduled else { return Ok(()) };
    let mut job = rows::jobs::restore(row)?;
    let (owner, cost) = (job.parts().owner, job.parts().cost);
    let mut queue = Queue::load(tx, [owner]).await?;
    job.promote(queue.place(owner, cost))?;
    save_jobs(tx, &[&job]).await?;
    queue.save(tx).await
}

/// What an engine may have accepted unknown to us, the oldest first.
pub(super) fn lost(engine: &str, since: DateTime<Utc>, limit: u32) -> Select<Entity> {
    Entity::find()
        // As constants, so that SQLite sees that the partial index holds these rows.
        .filter(Expr::cust("state = 'abandoned' AND provider_id IS NULL"))
        .filter(Column::Engine.eq(engine))
        .filter(Column::IntentAt.gt(since))
        .order_by_asc(Column::IntentAt)
        .order_by_asc(Column::Id)
        .limit(u64::from(limit))
}

pub(super) async fn unresolved(
    tx: &WriteTx,
    lost: Select<Entity>,
) -> Result<Vec<Submission>, Stop<PortFailure>> {
    let ids = lost.select_only().column(Column::Id).into_tuple::<Uuid>().all(&tx.db()).await?;
    let (rows, unread) =
        readable(tx, &ids, |ids| Entity::find().filter(Column::Id.is_in(ids))).await?;
    let (mut found, mut corrupt) = (Vec::with_capacity(rows.len()), unread.len());
    for row in rows {
        match rows::submissions::restore(row) {
            // Somebody else may have found it since it was looked for.
            Ok(submission) if submission.state != SubmissionState::Abandoned => {}
            Ok(submission) => found.push(submission),
            Err(_) => corrupt += 1,
        }
    }
    if corrupt > 0 {
        tracing::error!(
            event = "submission_row_corrupt",
            rows = corrupt,
            "submissions are not looked for because their rows cannot be read"
        );
    }
    found.sort_by_key(|submission| (submission.intent_at, submission.id));
    Ok(found)
}

pub(super) async fn resolve(
    tx: &WriteTx,
    id: SubmissionId,
    engine: &str,
    provider_id: &str,
    now: DateTime<Utc>,
) -> Result<Resolution, Stop<PortFailure>> {
    let of_engine = Entity::find_by_id(id.as_uuid()).filter(Column::Engine.eq(engine));
    if let Some(seen) = of_engine.clone().one(&tx.db()).await? {
        locks::job(tx, TranscriptionId::from_uuid(seen.job_id)).await?;
        // Where its job has ended, its submissions keep others from deciding of one what this
        // decides of another.
        let all = of_job(seen.job_id).select_only().column(Column::Id).order_by_asc(Column::Id);
        all.lock_exclusive().into_tuple::<Uuid>().all(&tx.db()).await?;
    }
    let row = of_engine.one(&tx.db()).await?;
    if let Some(recorded) = named(engine, provider_id).one(&tx.db()).await? {
        return Ok(as_recorded(&recorded));
    }
    let resolution = match &row {
        // It left twice.
        Some(row) if row.provider_id.is_some() => Resolution::Duplicate,
        Some(row) if adopt(tx, row, now).await? => Resolution::Adopted,
        Some(row) if is_rivaled(tx, row).await? => Resolution::Duplicate,
        None | Some(_) => Resolution::Unneeded,
    };
    if resolution != Resolution::Adopted {
        erase::put_down(tx, &[(engine.to_owned(), provider_id.to_owned())], now).await?;
    }
    if let Some(row) = row {
        name(tx, row, provider_id, resolution).await?;
    }
    Ok(resolution)
}

/// The submission that an engine has under a name.
pub(super) fn named(engine: &str, provider_id: &str) -> Select<Entity> {
    Entity::find().filter(Column::Engine.eq(engine)).filter(Column::ProviderId.eq(provider_id))
}

/// What was said, or is plain, of a submission whose name at the engine is known.
fn as_recorded(row: &Model) -> Resolution {
    match SubmissionState::from_word(&row.state) {
        Some(SubmissionState::Accepted | SubmissionState::Finished) => Resolution::Recorded,
        Some(SubmissionState::Intent | SubmissionState::Error | SubmissionState::Abandoned)
        | None => {
            if row.is_duplicate {
                Resolution::Duplicate
            } else {
                Resolution::Unneeded
            }
        }
    }
}

/// Makes a job wait for a submission that turned out to be accepted; `false` where there is no
/// such job any more, or it has an accepted one.
async fn adopt(tx: &WriteTx, row: &Model, now: DateTime<Utc>) -> Result<bool, Stop<PortFailure>> {
    let accepted = Column::State.eq(SubmissionState::Accepted.as_str());
    if of_job(row.job_id).filter(accepted).count(&tx.db()).await? > 0 {
        return Ok(false);
    }
    let job = jobs::Entity::find_by_id(row.job_id).one(&tx.db()).await?;
    let found = with_transcriptions(tx, job.into_iter().collect()).await?.pop();
    let Some(mut live) = found.transpose()? else { return Ok(false) };
    if matches!(live.job.parts().state, JobState::Leased { .. }) {
        let held = PortFailure::transient("jobs.resolve", "somebody holds the job");
        return Err(Stop::Refused(held));
    }
    let outcome: Outcome = live.job.adopt(&mut live.transcription, now)?;
    abandon_open(tx, row.job_id).await?;
    live.save(tx, outcome, Some(Attempt::new("adopted")), now).await?;
    Ok(true)
}

/// Whether another submission of the same job was accepted. One that the engine had failed at
/// before this one left is no rival.
async fn is_rivaled(tx: &WriteTx, row: &Model) -> Result<bool, StoreError> {
    let needed = Condition::any()
        .add(Column::State.ne(SubmissionState::Error.as_str()))
        .add(Column::Seq.gt(row.seq));
    let rivals = of_job(row.job_id)
        .filter(Column::Id.ne(row.id))
        .filter(Column::ProviderId.is_not_null())
        .filter(needed);
    Ok(rivals.count(&tx.db()).await? > 0)
}

/// Writes down under which name the engine has a submission, unless it has another already.
async fn name(
    tx: &WriteTx,
    row: Model,
    provider_id: &str,
    resolution: Resolution,
) -> Result<(), StoreError> {
    let state = match resolution {
        Resolution::Adopted => SubmissionState::Accepted,
        Resolution::Recorded | Resolution::Unneeded | Resolution::Duplicate => {
            SubmissionState::Abandoned
        }
    };
    let mut named = Entity::update_many().filter(Column::Id.eq(row.id));
    if row.provider_id.is_none() {
        named = named
            .col_expr(Column::ProviderId, Expr::value(provider_id))
            .col_expr(Column::State, Expr::value(state.as_str()));
    }
    if resolution == Resolution::Duplicate {
        // What is counted is kept.
        named = named
            .col_expr(Column::IsDuplicate, Expr::value(true))
            .col_expr(Column::IsForgotten, Expr::value(false));
    }
    named.exec(&tx.db()).await?;
    Ok(())
}

/// Submissions that were accepted beside another of the same job.
pub(super) fn duplicates() -> Select<Entity> {
    Entity::find().filter(Expr::cust("is_duplicate"))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && domain::text::check(text, MAX_NAME).is_ok()
}
