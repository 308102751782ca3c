//! A submission to a paid engine, written down *before* the engine is asked.
//!
//! The row says that a request may have left. It is used once: whoever finds an open intent that
//! it did not just write must not send again.

use chrono::{DateTime, Utc};

use crate::{Epoch, SubmissionId, TranscriptionId};

/// What is known of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionState {
    /// Written down; a request may be on its way.
    Intent,
    /// The engine named its job.
    Accepted,
    /// The result was stored.
    Finished,
    /// The engine refused it, or failed at it.
    Error,
    /// Given up; if the engine accepted it after all, it is an orphan there.
    Abandoned,
}

impl SubmissionState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Intent, Self::Accepted, Self::Finished, Self::Error, Self::Abandoned];

    /// The word in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Accepted => "accepted",
            Self::Finished => "finished",
            Self::Error => "error",
            Self::Abandoned => "abandoned",
        }
    }

    /// Reads a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One submission of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Which one.
    pub id: SubmissionId,
    /// Of which job.
    pub job: TranscriptionId,
    /// The first, or a later one after the engine failed.
    pub seq: u32,
    /// The audio at the engine; `None` for an engine that needs none.
    pub upload_url: Option<String>,
    /// The claim under which it was written down.
    pub epoch: Epoch,
    /// What is known of it.
    pub state: SubmissionState,
    /// The engine's own name for the job.
    pub provider_id: Option<String>,
    /// When it was written down.
    pub intent_at: DateTime<Utc>,
}

impl Submission {
    /// How often one job may be submitted after the engine failed at it. Submissions that the
    /// engine refused count too: a job is rather given up than paid for once more.
    pub const MAX_SEQ: u32 = 2;
}
