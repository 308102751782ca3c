//! Writing down that a submission is about to leave.

use application::ports::{IntentError, Lease, NewSubmission};
use chrono::{DateTime, Utc};
use domain::{Submission, SubmissionState};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

use super::load::{submissions_in_force, under_epoch};
use crate::persistence::{entities::submissions, fault::Stop, rows, store::WriteTx};

pub(super) async fn intend(
    tx: &WriteTx,
    lease: &Lease,
    new: NewSubmission,
    now: DateTime<Utc>,
) -> Result<Submission, Stop<IntentError>> {
    let held = under_epoch(tx, lease.job, lease.epoch, "leased").await?;
    let live = held.ok_or(Stop::Refused(IntentError::LeaseLost))?;
    let last = submissions_in_force(tx, [lease.job]).await?.remove(&lease.job).transpose()?;
    // Whoever asks again did not learn that it was written down.
    let this = |last: &Submission| {
        (last.id, last.epoch, last.state) == (new.id, lease.epoch, SubmissionState::Intent)
    };
    if let Some(written) = last.as_ref().filter(|last| this(last)) {
        return Ok(written.clone());
    }
    // An open one is in force: another is never written down while it is.
    let open = last.as_ref().is_some_and(|last| {
        matches!(last.state, SubmissionState::Intent | SubmissionState::Accepted)
    });
    if open {
        return Err(Stop::Refused(IntentError::AlreadyOpen));
    }
    let submission = Submission {
        id: new.id,
        job: lease.job,
        seq: last.map_or(1, |last| last.seq + 1),
        upload_url: new.upload_url,
        epoch: lease.epoch,
        state: SubmissionState::Intent,
        provider_id: None,
        intent_at: now,
        callback: new.callback,
        clean_listings: 0,
        hinted_id: None,
    };
    let row = rows::submissions::row(&submission, &live.transcription.parts().engine);
    submissions::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(&tx.db())
        .await?;
    Ok(submission)
}
