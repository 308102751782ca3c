//! Submissions.

use domain::{CallbackDigest, Epoch, Submission, SubmissionId, SubmissionState, TranscriptionId};

use super::stored;
use crate::persistence::{entities::submissions::Model, fault::CorruptRow};

pub(in crate::persistence) fn restore(row: Model) -> Result<Submission, CorruptRow> {
    let corrupt = |why| CorruptRow { table: "provider_submissions", id: row.id, why };
    let state = match (SubmissionState::from_word(&row.state), &row.provider_id) {
        (Some(SubmissionState::Intent), None) => SubmissionState::Intent,
        (Some(state @ (SubmissionState::Accepted | SubmissionState::Finished)), Some(_))
        | (Some(state @ (SubmissionState::Error | SubmissionState::Abandoned)), _) => state,
        _ => return Err(corrupt("state does not match provider_id")),
    };
    let callback = row.callback.map(<[u8; 32]>::try_from).transpose();
    let callback = callback.map_err(|_| corrupt("callback is no digest"))?;
    let listings = u32::try_from(row.clean_listings);
    Ok(Submission {
        id: SubmissionId::from_uuid(row.id),
        job: TranscriptionId::from_uuid(row.job_id),
        seq: u32::try_from(row.seq).map_err(|_| corrupt("seq is out of range"))?,
        upload_url: row.upload_url,
        epoch: Epoch::new(u64::try_from(row.epoch).map_err(|_| corrupt("epoch is negative"))?),
        state,
        provider_id: row.provider_id,
        intent_at: row.intent_at,
        callback: callback.map(CallbackDigest::from_bytes),
        clean_listings: listings.map_err(|_| corrupt("clean_listings is out of range"))?,
        hinted_id: row.hinted_id,
    })
}

/// The row of a submission that is new.
pub(in crate::persistence) fn row(submission: &Submission, engine: &str) -> Model {
    Model {
        id: submission.id.as_uuid(),
        job_id: submission.job.as_uuid(),
        seq: i64::from(submission.seq),
        upload_url: submission.upload_url.clone(),
        epoch: stored(submission.epoch.get()),
        state: submission.state.as_str().to_owned(),
        engine: engine.to_owned(),
        provider_id: submission.provider_id.clone(),
        intent_at: submission.intent_at,
        callback: submission.callback.map(|digest| digest.as_bytes().to_vec()),
        clean_listings: i64::from(submission.clean_listings),
        hinted_id: submission.hinted_id.clone(),
        is_duplicate: false,
        is_forgotten: false,
    }
}
