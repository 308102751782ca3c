//! The fair queue: who gets a turn, and who is put back into it.

use std::collections::HashMap;

use application::ports::{ClaimRequest, Claimed, EnqueueError, Lease, PortFailure, TickReport};
use chrono::{DateTime, Utc};
use domain::{
    Epoch, FailureCode, Job, JobParts, JobState, Outcome, Stage, SubmissionState, Transcription,
    TranscriptionId, TranscriptionState, UserId, WorkerId,
};

use super::state::{Pair, State, at_most, later, refused};

/// How much room the limits of a claim leave.
struct Room {
    leased: HashMap<UserId, u32>,
    per_owner: u32,
    at_provider: u32,
    provider_cap: Option<u32>,
}

impl Room {
    fn of<'a>(jobs: impl Iterator<Item = &'a Job>, request: &ClaimRequest) -> Self {
        let mut room = Self {
            leased: HashMap::new(),
            per_owner: request.per_owner,
            at_provider: 0,
            provider_cap: request.provider_cap,
        };
        for job in jobs {
            match job.parts().state {
                JobState::Leased { .. } => room.take(job),
                JobState::Waiting => room.at_provider += 1,
                JobState::Scheduled | JobState::Ready => {}
            }
        }
        room
    }

    fn admits(&self, job: &Job) -> bool {
        let leased = self.leased.get(&job.parts().owner).copied().unwrap_or_default();
        let provider = self.provider_cap.is_none_or(|cap| self.at_provider < cap);
        leased < self.per_owner && (provider || !heads_for_provider(job))
    }

    fn take(&mut self, job: &Job) {
        *self.leased.entry(job.parts().owner).or_default() += 1;
        self.at_provider += u32::from(heads_for_provider(job));
    }
}

/// Whether a leased job is on its way to the engine, for the first time or again.
fn heads_for_provider(job: &Job) -> bool {
    match job.parts().stage {
        Stage::Fetching | Stage::Uploading | Stage::Submitting | Stage::Transcribing => true,
        Stage::Storing => false,
    }
}

impl State {
    pub(super) fn enqueue(&mut self, transcription: &Transcription) -> Result<(), EnqueueError> {
        let parts = transcription.parts();
        if !self.users.contains_key(&parts.owner) {
            return Err(EnqueueError::NoSuchOwner);
        }
        if self.transcriptions.contains_key(&parts.id) {
            return Err(PortFailure::permanent("jobs.enqueue", "the identifier is taken").into());
        }
        let cost = 1.0;
        let place = self.next_place(parts.owner, cost);
        self.jobs.insert(parts.id, Job::enqueue(transcription, cost, place));
        self.transcriptions.insert(parts.id, transcription.clone());
        Ok(())
    }

    pub(super) fn claim(
        &mut self,
        request: &ClaimRequest,
        now: DateTime<Utc>,
    ) -> Result<Vec<Claimed>, PortFailure> {
        let until = later(now, request.lease);
        let mut room = Room::of(self.jobs.values(), request);
        let mut picked = Vec::new();
        for id in self.in_fair_order() {
            if picked.len() >= at_most(request.slots) {
                break;
            }
            let Some(mut pair) = self.pair(id).filter(|pair| room.admits(&pair.job)) else {
                continue;
            };
            pair.job.lease(request.worker, until).map_err(refused("jobs.claim"))?;
            pair.transcription.start(now).map_err(refused("jobs.claim"))?;
            room.take(&pair.job);
            picked.push(pair);
        }
        Ok(picked.into_iter().map(|pair| self.hand_out(pair)).collect())
    }

    /// Every ready job, the one whose turn it is first.
    fn in_fair_order(&self) -> Vec<TranscriptionId> {
        let mut ready: Vec<&JobParts> =
            self.jobs.values().map(Job::parts).filter(|p| p.state == JobState::Ready).collect();
        ready.sort_by(|a, b| a.vtime.total_cmp(&b.vtime).then(a.id.cmp(&b.id)));
        ready.into_iter().map(|parts| parts.id).collect()
    }

    fn hand_out(&mut self, pair: Pair) -> Claimed {
        let Pair { job, transcription } = pair;
        let id = job.parts().id;
        self.queue_clock = self.queue_clock.max(job.parts().vtime);
        self.jobs.insert(id, job.clone());
        self.transcriptions.insert(id, transcription.clone());
        Claimed {
            lease: Lease { job: id, epoch: job.parts().epoch },
            submission: self.in_force(id).cloned(),
            job,
            transcription,
        }
    }

    pub(super) fn heartbeat(
        &mut self,
        worker: WorkerId,
        held: &[(TranscriptionId, Epoch)],
        until: DateTime<Utc>,
    ) -> Vec<TranscriptionId> {
        let mut kept = Vec::new();
        for (id, epoch) in held {
            let Some(job) = self.jobs.get_mut(id) else { continue };
            let parts = job.parts();
            let ours = matches!(parts.state, JobState::Leased { worker: w, .. } if w == worker);
            if ours && parts.epoch == *epoch {
                let state = JobState::Leased { worker, until };
                *job = Job::restore(JobParts { state, ..parts.clone() });
                kept.push(*id);
            }
        }
        kept
    }

    pub(super) fn tick(
        &mut self,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<TickReport, PortFailure> {
        // Nothing is promoted that ends at once.
        let mut report = self.reap_dead(limit, now);
        self.expire_late(limit, now, &mut report);
        report.promoted = self.promote_due(limit, now)?;
        self.prune_submissions(limit, now);
        report.next_due = self.next_due();
        Ok(report)
    }

    /// Whether the engine may have accepted the job unknown to us.
    fn is_unanswered(&self, id: TranscriptionId) -> bool {
        self.in_force(id).is_some_and(|s| s.state == SubmissionState::Intent)
    }

    fn reap_dead(&mut self, limit: u32, now: DateTime<Utc>) -> TickReport {
        let mut report = TickReport::default();
        let dead = self.oldest(limit, |parts| match parts.state {
            JobState::Leased { until, .. } if until < now => Some(until),
            JobState::Leased { .. } | JobState::Scheduled | JobState::Ready | JobState::Waiting => {
                None
            }
        });
        for id in dead {
            let unanswered = self.is_unanswered(id);
            let reap = |pair: &mut Pair| pair.job.reap(&mut pair.transcription, unanswered, now);
            match self.end_or_free(id, reap) {
                Some(Outcome::Ended) => {
                    self.end_submissions(id, now);
                    report.crashed_out += 1;
                    report.ended.extend(self.failed(id));
                }
                Some(Outcome::Free | Outcome::Held) => report.reaped += 1,
                None => {}
            }
        }
        report
    }

    fn expire_late(&mut self, limit: u32, now: DateTime<Utc>, report: &mut TickReport) {
        for id in self.oldest(limit, |parts| overdue_since(parts, now)) {
            let unanswered = self.is_unanswered(id);
            let ended = self
                .end_or_free(id, |pair| pair.job.expire(&mut pair.transcription, unanswered, now));
            if ended.is_some() {
                self.end_submissions(id, now);
                report.expired += 1;
                report.ended.extend(self.failed(id));
            }
        }
    }

    /// Which job failed, and why.
    fn failed(&self, id: TranscriptionId) -> Option<(TranscriptionId, FailureCode)> {
        match &self.transcriptions.get(&id)?.parts().state {
            TranscriptionState::Failed { failure, .. } => Some((id, failure.code())),
            TranscriptionState::Pending
            | TranscriptionState::Processing { .. }
            | TranscriptionState::Completed { .. }
            | TranscriptionState::Canceled { .. } => None,
        }
    }

    fn promote_due(&mut self, limit: u32, now: DateTime<Utc>) -> Result<u32, PortFailure> {
        let due = self.oldest(limit, |parts| {
            (parts.state == JobState::Scheduled && parts.run_at <= now).then_some(parts.run_at)
        });
        let mut promoted = 0;
        for id in due {
            let Some(mut job) = self.jobs.get(&id).cloned() else { continue };
            let place = self.next_place(job.parts().owner, job.parts().cost);
            job.promote(place).map_err(refused("jobs.tick"))?;
            self.jobs.insert(id, job);
            promoted += 1;
        }
        Ok(promoted)
    }

    /// The jobs that `since` picks, the longest due first.
    fn oldest(
        &self,
        limit: u32,
        since: impl Fn(&JobParts) -> Option<DateTime<Utc>>,
    ) -> Vec<TranscriptionId> {
        let mut due: Vec<_> = self
            .jobs
            .values()
            .filter_map(|job| since(job.parts()).map(|at| (at, job.parts().id)))
            .collect();
        due.sort_unstable();
        due.into_iter().take(at_most(limit)).map(|(_, id)| id).collect()
    }

    fn end_or_free<E>(
        &mut self,
        id: TranscriptionId,
        change: impl FnOnce(&mut Pair) -> Result<Outcome, E>,
    ) -> Option<Outcome> {
        let mut pair = self.pair(id)?;
        let outcome = change(&mut pair).ok()?;
        self.put(pair, outcome);
        Some(outcome)
    }

    fn next_due(&self) -> Option<DateTime<Utc>> {
        let parts = self.jobs.values().map(Job::parts);
        parts
            .filter(|p| matches!(p.state, JobState::Scheduled | JobState::Waiting))
            .map(|p| p.run_at)
            .min()
    }
}

/// Since when a job that nobody holds has taken too long.
fn overdue_since(parts: &JobParts, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if matches!(parts.state, JobState::Leased { .. }) {
        return None;
    }
    let limit = parts.await_until.map_or(parts.deadline_at, |until| until.min(parts.deadline_at));
    (limit < now).then_some(limit)
}
