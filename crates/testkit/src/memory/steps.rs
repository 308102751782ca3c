//! Steps of holders, submissions, and answers of the engine.

use application::ports::{
    CommitError, DuePoll, IntentError, Lease, NewSubmission, PortFailure, StepEffects,
};
use chrono::{DateTime, Utc};
use domain::{
    Epoch, Failure, FailureCode, Job, JobParts, JobState, Outcome, PollStep, Step, Submission,
    SubmissionId, SubmissionState, TranscriptionId,
};

use super::{
    state::{Pair, State, at_most, refused},
    submissions::Row,
};

impl State {
    pub(super) fn commit(
        &mut self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
        now: DateTime<Utc>,
    ) -> Result<Outcome, CommitError> {
        if !effects.fit(&step) {
            return Err(misuse("the effects do not go with the step").into());
        }
        let mut pair = self.held(lease).ok_or(CommitError::LeaseLost)?;
        let submissions = self.after(&pair, &effects)?;
        let outcome =
            pair.job.apply(step, &mut pair.transcription, now).map_err(refused("jobs.commit"))?;
        // Nothing fails from here on.
        self.put(pair, outcome);
        self.submissions.insert(lease.job, submissions);
        if let Some(transcript) = effects.transcript {
            self.transcripts.insert(lease.job, transcript);
            self.close_accepted(lease.job, SubmissionState::Finished, effects.erase, now);
        } else if outcome == Outcome::Ended {
            self.end_submissions(lease.job, now);
        }
        Ok(outcome)
    }

    pub(super) fn progress(
        &mut self,
        lease: &Lease,
        share: f64,
        now: DateTime<Utc>,
    ) -> Result<(), CommitError> {
        let mut pair = self.held(lease).ok_or(CommitError::LeaseLost)?;
        pair.transcription.advance(share, now).map_err(refused("jobs.progress"))?;
        self.put(pair, Outcome::Held);
        Ok(())
    }

    /// The submissions of a job after a step with these effects.
    fn after(&self, pair: &Pair, effects: &StepEffects) -> Result<Vec<Row>, PortFailure> {
        let mut all = self.submissions.get(&pair.job.parts().id).cloned().unwrap_or_default();
        if let Some((id, provider_id)) = &effects.accepted {
            if self.is_recorded(&pair.transcription.parts().engine, provider_id) {
                return Err(misuse("another submission has this name at the engine"));
            }
            let submission = in_state(&mut all, *id, &[SubmissionState::Intent])?;
            submission.state = SubmissionState::Accepted;
            submission.provider_id = Some(provider_id.clone());
        }
        if let Some(id) = effects.refused {
            // A caller that did not learn of it says it again.
            let states = [SubmissionState::Intent, SubmissionState::Error];
            in_state(&mut all, id, &states)?.state = SubmissionState::Error;
        }
        if let Some(id) = effects.unlisted {
            let submission = in_state(&mut all, id, &[SubmissionState::Intent])?;
            submission.clean_listings = submission.clean_listings.saturating_add(1);
        }
        if let Some(id) = effects.abandoned {
            let states = [SubmissionState::Intent, SubmissionState::Abandoned];
            in_state(&mut all, id, &states)?.state = SubmissionState::Abandoned;
        }
        Ok(all)
    }

    pub(super) fn intend(
        &mut self,
        lease: &Lease,
        new: NewSubmission,
        now: DateTime<Utc>,
    ) -> Result<Submission, IntentError> {
        let pair = self.held(lease).ok_or(IntentError::LeaseLost)?;
        let all = self.submissions.entry(lease.job).or_default();
        // Whoever asks again did not learn that it was written down.
        let this = |s: &&Submission| {
            (s.id, s.epoch, s.state) == (new.id, lease.epoch, SubmissionState::Intent)
        };
        if let Some(written) = all.iter().map(|row| &row.submission).find(this) {
            return Ok(written.clone());
        }
        if all.iter().any(|row| is_open(row.submission.state)) {
            return Err(IntentError::AlreadyOpen);
        }
        if all.iter().any(|row| row.submission.id == new.id) {
            return Err(PortFailure::permanent("jobs.intend", "the identifier is taken").into());
        }
        let submission = Submission {
            id: new.id,
            job: lease.job,
            seq: all.last().map_or(1, |last| last.submission.seq + 1),
            upload_url: new.upload_url,
            epoch: pair.job.parts().epoch,
            state: SubmissionState::Intent,
            provider_id: None,
            intent_at: now,
            callback: new.callback,
            clean_listings: 0,
            hinted_id: None,
        };
        all.push(Row {
            submission: submission.clone(),
            engine: pair.transcription.parts().engine.clone(),
            is_duplicate: false,
        });
        Ok(submission)
    }

    pub(super) fn due_polls(
        &mut self,
        limit: u32,
        held_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Vec<DuePoll> {
        let mut due: Vec<(DateTime<Utc>, TranscriptionId)> = self
            .jobs
            .values()
            .map(Job::parts)
            .filter(|p| p.state == JobState::Waiting && p.run_at <= now)
            .map(|p| (p.run_at, p.id))
            .collect();
        due.sort_unstable();
        due.into_iter()
            .take(at_most(limit))
            .filter_map(|(_, id)| self.poll(id, held_until, now))
            .collect()
    }

    /// Hands a waiting job out, or ends it where its engine has accepted nothing: nobody could be
    /// asked about it.
    fn poll(
        &mut self,
        id: TranscriptionId,
        held_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DuePoll> {
        let mut pair = self.pair(id)?;
        let Some(submission) = self.accepted(id).cloned() else {
            let failure = Failure::new(FailureCode::Internal, pair.job.parts().stage);
            pair.transcription.fail(failure, now).ok()?;
            self.put(pair, Outcome::Ended);
            self.end_submissions(id, now);
            return None;
        };
        let job = Job::restore(JobParts { run_at: held_until, ..pair.job.parts().clone() });
        self.jobs.insert(id, job.clone());
        Some(DuePoll { job, transcription: pair.transcription, submission })
    }

    pub(super) fn settle(
        &mut self,
        id: TranscriptionId,
        epoch: Epoch,
        step: PollStep,
        now: DateTime<Utc>,
    ) -> Result<Outcome, CommitError> {
        let mut pair = self.waiting(id, epoch).ok_or(CommitError::LeaseLost)?;
        // A later submission that was given up may have been accepted: another must not follow.
        let latest = self.submissions.get(&id).and_then(|all| all.last());
        let given_up = latest.is_some_and(|s| s.submission.state == SubmissionState::Abandoned);
        let step = match step {
            PollStep::Resubmit { failure, .. } if given_up => PollStep::Fail(failure),
            step => step,
        };
        let failed = match step {
            PollStep::Resubmit { .. } | PollStep::Fail(_) => true,
            PollStep::Pending { .. } | PollStep::Finished => false,
        };
        let outcome =
            pair.job.settle(step, &mut pair.transcription, now).map_err(refused("jobs.settle"))?;
        self.put(pair, outcome);
        if failed {
            self.close_accepted(id, SubmissionState::Error, true, now);
        }
        Ok(outcome)
    }
}

/// The submission `id`, if it is in one of `states`.
fn in_state<'a>(
    all: &'a mut [Row],
    id: SubmissionId,
    states: &[SubmissionState],
) -> Result<&'a mut Submission, PortFailure> {
    all.iter_mut()
        .map(|row| &mut row.submission)
        .find(|s| s.id == id && states.contains(&s.state))
        .ok_or_else(|| misuse("no submission of this job is in that state"))
}

const fn is_open(state: SubmissionState) -> bool {
    match state {
        SubmissionState::Intent | SubmissionState::Accepted => true,
        SubmissionState::Finished | SubmissionState::Error | SubmissionState::Abandoned => false,
    }
}

fn misuse(why: &'static str) -> PortFailure {
    PortFailure::permanent("jobs.commit", why)
}
