//! Steps of holders, submissions, and answers of the engine.

use application::ports::{
    CommitError, DuePoll, IntentError, Lease, NewSubmission, PortFailure, StepEffects,
};
use chrono::{DateTime, Utc};
use domain::{
    Epoch, Job, JobParts, JobState, Outcome, PollStep, Step, Submission, SubmissionId,
    SubmissionState, TranscriptionId,
};

use super::state::{State, at_most, refused};

impl State {
    pub(super) fn commit(
        &mut self,
        lease: &Lease,
        step: Step,
        effects: StepEffects,
        now: DateTime<Utc>,
    ) -> Result<Outcome, CommitError> {
        let mut pair = self.held(lease).ok_or(CommitError::LeaseLost)?;
        let submissions = self.after(lease.job, &step, &effects)?;
        let outcome =
            pair.job.apply(step, &mut pair.transcription, now).map_err(refused("jobs.commit"))?;
        // Nothing fails from here on.
        self.put(pair, outcome);
        if let Some(submissions) = submissions {
            self.submissions.insert(lease.job, submissions);
        }
        if let Some(transcript) = effects.transcript {
            self.transcripts.insert(lease.job, transcript);
        }
        Ok(outcome)
    }

    /// The submissions of a job after a step with its effects; `None` where it has none.
    fn after(
        &self,
        job: TranscriptionId,
        step: &Step,
        effects: &StepEffects,
    ) -> Result<Option<Vec<Submission>>, PortFailure> {
        let submitted = matches!(step, Step::Submitted { .. });
        let completed = matches!(step, Step::Complete(_));
        if submitted != effects.accepted.is_some() {
            return Err(misuse("an accepted submission goes with a submission, and only with it"));
        }
        if completed != effects.transcript.is_some() {
            return Err(misuse("a transcript goes with a completion, and only with it"));
        }
        let mut submissions = self.submissions.get(&job).cloned();
        let all = submissions.as_deref_mut().unwrap_or_default();
        if let Some(id) = effects.refused {
            intent(all, id)?.state = SubmissionState::Error;
        }
        if let Some((id, provider_id)) = &effects.accepted {
            let submission = intent(all, *id)?;
            submission.state = SubmissionState::Accepted;
            submission.provider_id = Some(provider_id.clone());
        }
        if completed {
            close(all, SubmissionState::Finished);
        }
        Ok(submissions)
    }

    pub(super) fn intend(
        &mut self,
        lease: &Lease,
        new: NewSubmission,
        now: DateTime<Utc>,
    ) -> Result<Submission, IntentError> {
        let pair = self.held(lease).ok_or(IntentError::LeaseLost)?;
        let all = self.submissions.entry(lease.job).or_default();
        if all.iter().any(|s| is_open(s.state)) {
            return Err(IntentError::AlreadyOpen);
        }
        let submission = Submission {
            id: new.id,
            job: lease.job,
            seq: all.last().map_or(1, |last| last.seq + 1),
            upload_url: new.upload_url,
            epoch: pair.job.parts().epoch,
            state: SubmissionState::Intent,
            provider_id: None,
            intent_at: now,
        };
        all.push(submission.clone());
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
            .filter_map(|(_, id)| self.poll(id, held_until))
            .collect()
    }

    fn poll(&mut self, id: TranscriptionId, held_until: DateTime<Utc>) -> Option<DuePoll> {
        let pair = self.pair(id)?;
        let submission = self.accepted(id)?.clone();
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
        let failed = match step {
            PollStep::Resubmit { .. } | PollStep::Fail(_) => true,
            PollStep::Pending { .. } | PollStep::Finished => false,
        };
        let outcome =
            pair.job.settle(step, &mut pair.transcription, now).map_err(refused("jobs.settle"))?;
        self.put(pair, outcome);
        if failed && let Some(all) = self.submissions.get_mut(&id) {
            close(all, SubmissionState::Error);
        }
        Ok(outcome)
    }
}

/// Gives the accepted submission its last state.
fn close(all: &mut [Submission], state: SubmissionState) {
    for submission in all.iter_mut().filter(|s| s.state == SubmissionState::Accepted) {
        submission.state = state;
    }
}

fn intent(all: &mut [Submission], id: SubmissionId) -> Result<&mut Submission, PortFailure> {
    all.iter_mut()
        .find(|s| s.id == id && s.state == SubmissionState::Intent)
        .ok_or_else(|| misuse("the submission is not an open intent of this job"))
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
