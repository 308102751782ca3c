//! What can be done to a job, and what that makes of it.

use chrono::{DateTime, Utc};

use super::Upload;
use crate::{CompletedFacts, Failure, SourceFacts};

/// What the holder of a lease has done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The audio is here.
    Fetched(SourceFacts),
    /// The audio is at the engine; `None` for an engine that needs none.
    Uploaded(Option<Upload>),
    /// The engine accepted the job: it waits, without a holder, until `check_at`.
    Submitted {
        /// When to ask for the first time.
        check_at: DateTime<Utc>,
    },
    /// It failed and is tried again at `run_at`; counted.
    Retry {
        /// Why.
        failure: Failure,
        /// When to try again.
        run_at: DateTime<Utc>,
    },
    /// It cannot go on now through no fault of its own; not counted.
    Snooze {
        /// Why.
        failure: Failure,
        /// When to try again.
        run_at: DateTime<Utc>,
    },
    /// It is handed back untouched; not counted.
    Release,
    /// It ends without a transcript.
    Fail(Failure),
    /// It ends with one.
    Complete(CompletedFacts),
}

/// What the engine answered about a waiting job.
#[derive(Debug, Clone, PartialEq)]
pub enum PollStep {
    /// It still works; ask again at `check_at`.
    Pending {
        /// When to ask again.
        check_at: DateTime<Utc>,
    },
    /// The result can be read.
    Finished,
    /// It failed, and a new submission is allowed at `run_at`; counted.
    Resubmit {
        /// Why it failed.
        failure: Failure,
        /// When to submit again.
        run_at: DateTime<Utc>,
    },
    /// It failed for good.
    Fail(Failure),
}

/// What a step made of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The holder goes on.
    Held,
    /// The job lives on without a holder.
    Free,
    /// The job has ended; its row goes, the transcription stays.
    Ended,
}
