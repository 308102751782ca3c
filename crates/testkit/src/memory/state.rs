//! What is kept, and how a job and its transcription are read and written together.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use application::ports::{Erasure, Lease, Pause, PortFailure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Epoch, InvalidTransition, Job, JobState, Outcome, Transcript, Transcription, TranscriptionId,
    User, UserId,
};

use super::submissions::Row;

/// Everything that is kept.
#[derive(Default)]
pub(super) struct State {
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) transcriptions: BTreeMap<TranscriptionId, Transcription>,
    pub(super) transcripts: HashMap<TranscriptionId, Transcript>,
    pub(super) jobs: BTreeMap<TranscriptionId, Job>,
    /// In the order of their `seq`; they may outlive their transcription.
    pub(super) submissions: BTreeMap<TranscriptionId, Vec<Row>>,
    /// With the instant at which each is due.
    pub(super) erasures: Vec<(DateTime<Utc>, Erasure)>,
    pub(super) erasures_made: u64,
    /// By the name of the engine.
    pub(super) pauses: HashMap<String, Pause>,
    /// The `vtime` of each owner's last ready job.
    pub(super) last_place: HashMap<UserId, f64>,
    /// The largest `vtime` ever claimed.
    pub(super) queue_clock: f64,
}

/// Copies of a live job and of what its owner sees, to be changed together.
pub(super) struct Pair {
    pub(super) job: Job,
    pub(super) transcription: Transcription,
}

impl State {
    /// Copies of a live job and its transcription.
    pub(super) fn pair(&self, id: TranscriptionId) -> Option<Pair> {
        let job = self.jobs.get(&id)?.clone();
        let transcription = self.transcriptions.get(&id)?.clone();
        Some(Pair { job, transcription })
    }

    /// The pair that `lease` gives the right to move, while it does.
    pub(super) fn held(&self, lease: &Lease) -> Option<Pair> {
        let leased = |job: &Job| matches!(job.parts().state, JobState::Leased { .. });
        self.fenced(lease.job, lease.epoch, leased)
    }

    /// The pair that waits for the engine under `epoch`.
    pub(super) fn waiting(&self, id: TranscriptionId, epoch: Epoch) -> Option<Pair> {
        self.fenced(id, epoch, |job| job.parts().state == JobState::Waiting)
    }

    fn fenced(
        &self,
        id: TranscriptionId,
        epoch: Epoch,
        state: impl Fn(&Job) -> bool,
    ) -> Option<Pair> {
        self.pair(id).filter(|pair| pair.job.parts().epoch == epoch && state(&pair.job))
    }

    /// Writes a pair back; an ended job goes.
    pub(super) fn put(&mut self, pair: Pair, outcome: Outcome) {
        let Pair { job, transcription } = pair;
        let id = job.parts().id;
        self.transcriptions.insert(id, transcription);
        match outcome {
            Outcome::Held | Outcome::Free => self.jobs.insert(id, job),
            Outcome::Ended => self.jobs.remove(&id),
        };
    }

    /// Whether a submission records this copy.
    pub(super) fn is_recorded(&self, engine: &str, provider_id: &str) -> bool {
        self.submissions.values().flatten().any(|row| {
            row.engine == engine && row.submission.provider_id.as_deref() == Some(provider_id)
        })
    }

    /// The place in the queue of a job of `owner` that becomes ready now.
    pub(super) fn next_place(&mut self, owner: UserId, cost: f64) -> f64 {
        let last = self.last_place.get(&owner).copied();
        let place = Job::fair_place(last, self.queue_clock, cost, 1.0);
        self.last_place.insert(owner, place);
        place
    }
}

/// A transition that the domain refused although the guards of the port held.
pub(super) fn refused(operation: &'static str) -> impl FnOnce(InvalidTransition) -> PortFailure {
    move |transition| PortFailure::permanent(operation, transition)
}

/// The instant `by` after `now`, or the end of time.
pub(super) fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| now.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A number of rows to take, as a length.
pub(super) fn at_most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
