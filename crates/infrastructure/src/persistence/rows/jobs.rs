//! Live jobs.

use domain::{Epoch, Job, JobParts, JobState, Stage, TranscriptionId, Upload, UserId, WorkerId};

use super::stored;
use crate::persistence::{entities::jobs::Model, fault::CorruptRow};

pub(in crate::persistence) fn restore(row: Model) -> Result<Job, CorruptRow> {
    let corrupt = |why| CorruptRow { table: "jobs", id: row.id, why };
    let state = match (row.state.as_str(), row.lease_owner, row.lease_until) {
        ("scheduled", None, None) => JobState::Scheduled,
        ("ready", None, None) => JobState::Ready,
        ("waiting", None, None) => JobState::Waiting,
        ("leased", Some(worker), Some(until)) => {
            JobState::Leased { worker: WorkerId::from_uuid(worker), until }
        }
        _ => return Err(corrupt("state does not match its columns")),
    };
    let upload = match (row.upload_url, row.uploaded_at) {
        (None, None) => None,
        (Some(url), Some(at)) => Some(Upload { url, at }),
        _ => return Err(corrupt("upload_url does not match uploaded_at")),
    };
    let count = |stored| u32::try_from(stored).map_err(|_| corrupt("a count is out of range"));
    Ok(Job::restore(JobParts {
        id: TranscriptionId::from_uuid(row.id),
        owner: UserId::from_uuid(row.user_id),
        state,
        stage: Stage::from_word(&row.stage).ok_or_else(|| corrupt("stage is unknown"))?,
        vtime: row.vtime,
        cost: row.cost,
        run_at: row.run_at,
        failures: count(row.failures)?,
        crashes: count(row.crashes)?,
        polls: count(row.polls)?,
        epoch: Epoch::new(u64::try_from(row.epoch).map_err(|_| corrupt("epoch is negative"))?),
        deadline_at: row.deadline_at,
        await_until: row.await_until,
        upload,
    }))
}

pub(in crate::persistence) fn row(job: &Job) -> Model {
    let parts = job.parts();
    let (lease_owner, lease_until) = match parts.state {
        JobState::Leased { worker, until } => (Some(worker.as_uuid()), Some(until)),
        JobState::Scheduled | JobState::Ready | JobState::Waiting => (None, None),
    };
    Model {
        id: parts.id.as_uuid(),
        user_id: parts.owner.as_uuid(),
        state: parts.state.as_str().to_owned(),
        stage: parts.stage.as_str().to_owned(),
        vtime: parts.vtime,
        cost: parts.cost,
        run_at: parts.run_at,
        failures: i64::from(parts.failures),
        crashes: i64::from(parts.crashes),
        polls: i64::from(parts.polls),
        epoch: stored(parts.epoch.get()),
        lease_owner,
        lease_until,
        deadline_at: parts.deadline_at,
        await_until: parts.await_until,
        upload_url: parts.upload.as_ref().map(|upload| upload.url.clone()),
        uploaded_at: parts.upload.as_ref().map(|upload| upload.at),
    }
}
