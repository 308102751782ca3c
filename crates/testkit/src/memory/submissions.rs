//! Submissions: what becomes of them when their job ends, and what is heard of them later.

use application::ports::{PortFailure, Resolution};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    CallbackDigest, Job, JobParts, JobState, Outcome, Submission, SubmissionId, SubmissionState,
    TranscriptionId,
};

use super::state::{State, at_most, refused};

/// How long a submission is remembered whose transcription is deleted.
const FORGET_AFTER: TimeDelta = TimeDelta::hours(72);

/// The longest name that an engine may give to a job, in characters.
const MAX_NAME: usize = 200;

/// A submission, and what only a store knows of it.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) submission: Submission,
    /// Where it went.
    pub(super) engine: String,
    /// Whether it was accepted beside another one of its job.
    pub(super) is_duplicate: bool,
}

impl Row {
    /// Whether the engine may have accepted it unknown to us.
    fn is_unresolved(&self) -> bool {
        self.submission.state == SubmissionState::Abandoned && self.submission.provider_id.is_none()
    }

    fn is_open_under(&self, callback: &CallbackDigest) -> bool {
        self.submission.state == SubmissionState::Intent && self.has(callback)
    }

    fn has(&self, callback: &CallbackDigest) -> bool {
        self.submission.callback.as_ref() == Some(callback)
    }
}

impl State {
    /// The submission that the engine accepted and has not yet answered for good.
    pub(super) fn accepted(&self, id: TranscriptionId) -> Option<&Submission> {
        let all = self.submissions.get(&id)?;
        all.iter().map(|row| &row.submission).find(|s| s.state == SubmissionState::Accepted)
    }

    /// The submission of a job that counts: the accepted one, or else the latest.
    pub(super) fn in_force(&self, id: TranscriptionId) -> Option<&Submission> {
        let latest = || Some(&self.submissions.get(&id)?.last()?.submission);
        self.accepted(id).or_else(latest)
    }

    /// Gives the accepted submission of a job its last state, and puts its copy down if nobody
    /// needs it any more.
    pub(super) fn close_accepted(
        &mut self,
        id: TranscriptionId,
        last: SubmissionState,
        erase: bool,
        now: DateTime<Utc>,
    ) {
        let mut copies = Vec::new();
        for row in self.submissions.entry(id).or_default() {
            if row.submission.state == SubmissionState::Accepted {
                row.submission.state = last;
                copies.extend(row.submission.provider_id.clone().map(|n| (row.engine.clone(), n)));
            }
        }
        for (engine, provider_id) in copies.into_iter().filter(|_| erase) {
            self.put_down(&engine, &provider_id, now);
        }
    }

    /// What becomes of the submissions of a job that ended without a transcript: nobody waits for
    /// the accepted one, and an open one may have been accepted unknown to us.
    pub(super) fn end_submissions(&mut self, id: TranscriptionId, now: DateTime<Utc>) {
        self.close_accepted(id, SubmissionState::Error, true, now);
        self.abandon_open(id);
    }

    fn abandon_open(&mut self, id: TranscriptionId) {
        for row in self.submissions.entry(id).or_default() {
            if row.submission.state == SubmissionState::Intent {
                row.submission.state = SubmissionState::Abandoned;
            }
        }
    }

    /// Takes leave of the submissions of a deleted transcription. All are remembered for a while
    /// if the engine may have accepted one of them unknown to us; otherwise only what is counted.
    pub(super) fn forget_submissions(&mut self, id: TranscriptionId, now: DateTime<Utc>) {
        self.end_submissions(id, now);
        let mut all = self.submissions.remove(&id).unwrap_or_default();
        for row in &all {
            if let Some(provider_id) = &row.submission.provider_id {
                self.put_down(&row.engine, provider_id, now);
            }
        }
        if !all.iter().any(Row::is_unresolved) {
            all.retain(|row| row.is_duplicate);
        }
        if !all.is_empty() {
            self.submissions.insert(id, all);
        }
    }

    /// Forgets what was remembered of deleted transcriptions and is too old to be found.
    pub(super) fn prune_submissions(&mut self, limit: u32, now: DateTime<Utc>) {
        let mut left = at_most(limit);
        for (id, all) in &mut self.submissions {
            if self.transcriptions.contains_key(id) {
                continue;
            }
            all.retain(|row| {
                let old = !row.is_duplicate && row.submission.intent_at < now - FORGET_AFTER;
                let goes = old && left > 0;
                left -= usize::from(goes);
                !goes
            });
        }
        self.submissions.retain(|_, all| !all.is_empty());
    }

    pub(super) fn hear(
        &mut self,
        callback: &CallbackDigest,
        provider_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        let row = self.submissions.values_mut().flatten().find(|row| row.has(callback));
        let Some(row) = row else { return Ok(None) };
        let (id, state) = (row.submission.job, row.submission.state);
        if row.submission.provider_id.is_none()
            && let Some(name) = provider_id.filter(|name| is_name(name))
        {
            row.submission.hinted_id = Some(name.to_owned());
        }
        self.look_at(id, callback, state, now)?;
        Ok(Some(id))
    }

    /// Brings a job forward that the submission under `callback`, which is in `state`, is
    /// reason to look at.
    fn look_at(
        &mut self,
        id: TranscriptionId,
        callback: &CallbackDigest,
        state: SubmissionState,
        now: DateTime<Utc>,
    ) -> Result<(), PortFailure> {
        let Some(mut pair) = self.pair(id) else { return Ok(()) };
        let latest = self.submissions.get(&id).and_then(|all| all.last());
        match pair.job.parts().state {
            JobState::Waiting if state == SubmissionState::Accepted => {
                let parts = pair.job.parts();
                let run_at = parts.run_at.min(now);
                pair.job = Job::restore(JobParts { run_at, ..parts.clone() });
            }
            JobState::Scheduled if latest.is_some_and(|row| row.is_open_under(callback)) => {
                let place = self.next_place(pair.job.parts().owner, pair.job.parts().cost);
                pair.job.promote(place).map_err(refused("jobs.hear"))?;
            }
            JobState::Scheduled | JobState::Ready | JobState::Leased { .. } | JobState::Waiting => {
                return Ok(());
            }
        }
        self.put(pair, Outcome::Free);
        Ok(())
    }

    pub(super) fn unresolved(
        &self,
        engine: &str,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Vec<Submission> {
        let mut found: Vec<Submission> = self
            .submissions
            .values()
            .flatten()
            .filter(|row| row.engine == engine && row.is_unresolved())
            .map(|row| row.submission.clone())
            .filter(|submission| submission.intent_at > since)
            .collect();
        found.sort_by_key(|submission| (submission.intent_at, submission.id));
        found.truncate(at_most(limit));
        found
    }

    pub(super) fn resolve(
        &mut self,
        id: SubmissionId,
        engine: &str,
        provider_id: &str,
        now: DateTime<Utc>,
    ) -> Result<Resolution, PortFailure> {
        let here = |row: &&Row| row.engine == engine;
        let named = |row: &&Row| row.submission.provider_id.as_deref() == Some(provider_id);
        let all = || self.submissions.values().flatten().filter(here);
        if let Some(recorded) = all().find(named) {
            return Ok(as_recorded(recorded));
        }
        let Some(row) = all().find(|row| row.submission.id == id).cloned() else {
            self.put_down(engine, provider_id, now);
            return Ok(Resolution::Unneeded);
        };
        let job = row.submission.job;
        let resolution = if row.submission.provider_id.is_some() {
            // It left twice.
            Resolution::Duplicate
        } else if self.accepted(job).is_none() && self.adopt(job, now)? {
            Resolution::Adopted
        } else if self.is_rivaled(&row) {
            Resolution::Duplicate
        } else {
            Resolution::Unneeded
        };
        if resolution == Resolution::Adopted {
            self.abandon_open(job);
        } else {
            self.put_down(engine, provider_id, now);
        }
        let rows = self.submissions.entry(job).or_default();
        for row in rows.iter_mut().filter(|row| row.submission.id == id) {
            row.is_duplicate |= resolution == Resolution::Duplicate;
            if row.submission.provider_id.is_none() {
                row.submission.provider_id = Some(provider_id.to_owned());
                row.submission.state = match resolution {
                    Resolution::Adopted => SubmissionState::Accepted,
                    Resolution::Recorded | Resolution::Unneeded | Resolution::Duplicate => {
                        SubmissionState::Abandoned
                    }
                };
            }
        }
        Ok(resolution)
    }

    /// Whether another submission of the same job was accepted. One that the engine had failed at
    /// before this one left is no rival.
    fn is_rivaled(&self, row: &Row) -> bool {
        self.submissions.get(&row.submission.job).is_some_and(|all| {
            all.iter().map(|other| &other.submission).any(|other| {
                other.id != row.submission.id
                    && other.provider_id.is_some()
                    && (other.state != SubmissionState::Error || other.seq > row.submission.seq)
            })
        })
    }

    /// Makes a job wait for a submission that turned out to be accepted; `false` where there is
    /// no such job any more.
    fn adopt(&mut self, id: TranscriptionId, now: DateTime<Utc>) -> Result<bool, PortFailure> {
        let Some(mut pair) = self.pair(id) else { return Ok(false) };
        if matches!(pair.job.parts().state, JobState::Leased { .. }) {
            return Err(PortFailure::transient("jobs.resolve", "somebody holds the job"));
        }
        let adopted = pair.job.adopt(&mut pair.transcription, now);
        let outcome = adopted.map_err(refused("jobs.resolve"))?;
        self.put(pair, outcome);
        Ok(true)
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.submissions.values().flatten().map(|row| u64::from(row.is_duplicate)).sum()
    }
}

/// What was said, or is plain, of a submission whose name at the engine is known.
fn as_recorded(row: &Row) -> Resolution {
    match row.submission.state {
        SubmissionState::Accepted | SubmissionState::Finished => Resolution::Recorded,
        SubmissionState::Intent | SubmissionState::Error | SubmissionState::Abandoned => {
            if row.is_duplicate { Resolution::Duplicate } else { Resolution::Unneeded }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && domain::text::check(text, MAX_NAME).is_ok()
}
