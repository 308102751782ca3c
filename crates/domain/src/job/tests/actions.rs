//! A job in any state, and everything that can be done to it.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::{InvalidTransition, Job, JobParts, JobState, Outcome, PollStep, Step, Upload};
use crate::{
    CompletedFacts, Epoch, Failure, FailureCode, Metadata, Source, SourceFacts, Stage,
    Transcription, TranscriptionId, TranscriptionOptions, TranscriptionParts, TranscriptionState,
    UserId, WorkerId,
};

pub(super) fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(12)
}

pub(super) fn minutes(count: i64) -> DateTime<Utc> {
    noon() + TimeDelta::minutes(count)
}

pub(super) fn worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(3))
}

pub(super) fn failure() -> Failure {
    Failure::new(FailureCode::ProviderUnavailable, Stage::Uploading)
}

/// A job and its transcription.
pub(super) type Pair = (Job, Transcription);

pub(super) fn enqueued() -> Pair {
    let url = "https://media.example/a.wav";
    let transcription = Transcription::request(
        TranscriptionId::from_uuid(Uuid::from_u128(1)),
        UserId::from_uuid(Uuid::from_u128(2)),
        Some(url.to_owned()),
        Source::parse(url).expect("a source"),
        TranscriptionOptions::default(),
        Metadata::default(),
        String::from("engine"),
        noon(),
    );
    (Job::enqueue(&transcription, 1.0, 1.0), transcription)
}

/// A job in `state` at stage `reached`, with its transcription being processed there.
pub(super) fn at(state: JobState, reached: Stage) -> Pair {
    let (job, transcription) = enqueued();
    let seen =
        TranscriptionState::Processing { started_at: noon(), stage: reached, progress: None };
    let parts = TranscriptionParts { state: seen, ..transcription.parts().clone() };
    let epoch = Epoch::new(7);
    let job = Job::restore(JobParts { state, stage: reached, epoch, ..job.parts().clone() });
    (job, Transcription::restore(parts))
}

/// Leased until one minute past noon.
pub(super) fn leased() -> JobState {
    JobState::Leased { worker: worker(), until: minutes(1) }
}

pub(super) fn every_state() -> [JobState; 4] {
    [JobState::Scheduled, JobState::Ready, leased(), JobState::Waiting]
}

pub(super) fn every_step() -> [Step; 8] {
    let run_at = minutes(5);
    let facts = CompletedFacts { language_detected: None, confidence: None, duration_ms: None };
    let upload = Upload { url: String::from("https://engine.example/upload/1"), at: noon() };
    [
        Step::Fetched(SourceFacts { title: Some(String::from("A talk")), duration_ms: Some(1) }),
        Step::Uploaded(Some(upload)),
        Step::Submitted { check_at: run_at },
        Step::Retry { failure: failure(), run_at },
        Step::Snooze { failure: failure(), run_at },
        Step::Release,
        Step::Fail(failure()),
        Step::Complete(facts),
    ]
}

pub(super) fn every_answer() -> [PollStep; 4] {
    [
        PollStep::Pending { check_at: minutes(5) },
        PollStep::Finished,
        PollStep::Resubmit { failure: failure(), run_at: minutes(5) },
        PollStep::Fail(failure()),
    ]
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    Promote,
    Lease,
    Apply(Step),
    Settle(PollStep),
    Adopt,
    Reap,
    Expire,
}

impl Action {
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::Promote, Self::Lease, Self::Adopt, Self::Reap, Self::Expire];
        all.extend(every_step().map(Self::Apply));
        all.extend(every_answer().map(Self::Settle));
        all
    }

    pub(super) fn on(
        &self,
        (job, transcription): &mut Pair,
        now: DateTime<Utc>,
    ) -> Result<Outcome, InvalidTransition> {
        match self.clone() {
            Self::Promote => job.promote(2.0).map(|()| Outcome::Free),
            Self::Lease => {
                job.lease(worker(), now + TimeDelta::minutes(1))?;
                transcription.start(now).map(|()| Outcome::Held)
            }
            Self::Apply(step) => job.apply(step, transcription, now),
            Self::Settle(step) => job.settle(step, transcription, now),
            Self::Adopt => job.adopt(transcription, now),
            Self::Reap => job.reap(transcription, false, now),
            Self::Expire => job.expire(transcription, false, now),
        }
    }

    /// Whether the state alone allows it: the right stage and the right time are given.
    pub(super) fn is_for(&self, state: JobState) -> bool {
        match (self, state) {
            (Self::Promote, JobState::Scheduled)
            | (Self::Lease, JobState::Ready)
            | (Self::Apply(_) | Self::Reap, JobState::Leased { .. })
            | (Self::Settle(_), JobState::Waiting)
            | (Self::Adopt, JobState::Scheduled | JobState::Ready)
            | (Self::Expire, JobState::Scheduled | JobState::Ready | JobState::Waiting) => true,
            (
                Self::Promote | Self::Lease | Self::Apply(_) | Self::Settle(_) | Self::Reap,
                JobState::Scheduled | JobState::Ready | JobState::Leased { .. } | JobState::Waiting,
            )
            | (Self::Adopt, JobState::Leased { .. } | JobState::Waiting)
            | (Self::Expire, JobState::Leased { .. }) => false,
        }
    }

    /// A stage at which it is allowed.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Apply(Step::Fetched(_)) => Stage::Fetching,
            Self::Apply(Step::Uploaded(_)) => Stage::Uploading,
            Self::Apply(Step::Complete(_)) => Stage::Storing,
            Self::Settle(_) => Stage::Transcribing,
            Self::Promote
            | Self::Lease
            | Self::Apply(_)
            | Self::Adopt
            | Self::Reap
            | Self::Expire => Stage::Submitting,
        }
    }
}
