//! A transcription as its owner sees it, and the life it may lead.
//!
//! ```text
//! Pending ──start──▶ Processing ──complete──▶ Completed
//!    │                   ├────────fail──────▶ Failed
//!    ├───────fail────────┘
//!    └──────cancel───────┴───────cancel─────▶ Canceled
//! ```
//! A terminal state never changes, and nothing that is being processed is ever pending again.

use chrono::{DateTime, Utc};

use crate::{
    Failure, Language, Metadata, Source, SourceFacts, TranscriptionId, TranscriptionOptions,
    UserId, job::InvalidTransition,
};

/// The outer word for where a transcription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Accepted, not begun.
    Pending,
    /// Being worked on, or waited for at the engine.
    Processing,
    /// The transcript is there.
    Completed,
    /// It ended without a transcript.
    Failed,
    /// Its owner called it off.
    Canceled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Processing, Self::Completed, Self::Failed, Self::Canceled];

    /// The word on the wire and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads a word; an unknown one is `None`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether it can still change.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

/// What is being done while a transcription is processed; never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The audio is brought here.
    Fetching,
    /// The audio is brought to the engine.
    Uploading,
    /// The engine is asked, once.
    Submitting,
    /// The engine works.
    Transcribing,
    /// The transcript is read and stored.
    Storing,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 5] =
        [Self::Fetching, Self::Uploading, Self::Submitting, Self::Transcribing, Self::Storing];

    /// The word on the wire and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::Uploading => "uploading",
            Self::Submitting => "submitting",
            Self::Transcribing => "transcribing",
            Self::Storing => "storing",
        }
    }

    /// Reads a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }
}

/// What a completed transcription says about its transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletedFacts {
    /// The language recognised or used.
    pub language_detected: Option<Language>,
    /// How sure the engine is of the whole, 0 to 1.
    pub confidence: Option<f64>,
    /// The length of the recording in milliseconds, as the engine measured it.
    pub duration_ms: Option<u64>,
}

/// Where a transcription stands, with exactly the facts that exist there.
#[derive(Debug, Clone, PartialEq)]
pub enum TranscriptionState {
    /// Not begun.
    Pending,
    /// Being worked on.
    Processing {
        /// When work began.
        started_at: DateTime<Utc>,
        /// What is being done.
        stage: Stage,
        /// How far that is, 0 to 1, where it is known.
        progress: Option<f64>,
    },
    /// Done.
    Completed {
        /// When work began.
        started_at: DateTime<Utc>,
        /// When the transcript was stored.
        completed_at: DateTime<Utc>,
        /// What it says about its transcript.
        facts: CompletedFacts,
    },
    /// Ended without a transcript.
    Failed {
        /// When work began, if it did.
        started_at: Option<DateTime<Utc>>,
        /// Why.
        failure: Failure,
    },
    /// Called off.
    Canceled {
        /// When work began, if it did.
        started_at: Option<DateTime<Utc>>,
    },
}

impl TranscriptionState {
    /// The outer word.
    pub const fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Processing { .. } => Status::Processing,
            Self::Completed { .. } => Status::Completed,
            Self::Failed { .. } => Status::Failed,
            Self::Canceled { .. } => Status::Canceled,
        }
    }

    /// When work began, if it did.
    pub const fn started_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending => None,
            Self::Processing { started_at, .. } | Self::Completed { started_at, .. } => {
                Some(*started_at)
            }
            Self::Failed { started_at, .. } | Self::Canceled { started_at } => *started_at,
        }
    }
}

/// The facts of a transcription.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptionParts {
    /// Which one.
    pub id: TranscriptionId,
    /// Whose.
    pub owner: UserId,
    /// The user's own words for the source, as sent; `None` for an upload.
    pub video_url: Option<String>,
    /// The source as it was understood.
    pub source: Source,
    /// What is known of the source.
    pub facts: SourceFacts,
    /// What was asked for.
    pub options: TranscriptionOptions,
    /// What the client attached.
    pub metadata: Metadata,
    /// The name of the engine that does it.
    pub engine: String,
    /// Where it stands.
    pub state: TranscriptionState,
    /// How often it was begun again after a failure or a crash.
    pub retry_count: u32,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A transcription.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcription(TranscriptionParts);

impl Transcription {
    /// Accepts a transcription.
    #[expect(clippy::too_many_arguments, reason = "each is a fact that only the caller knows")]
    pub fn request(
        id: TranscriptionId,
        owner: UserId,
        video_url: Option<String>,
        source: Source,
        options: TranscriptionOptions,
        metadata: Metadata,
        engine: String,
        now: DateTime<Utc>,
    ) -> Self {
        Self(TranscriptionParts {
            id,
            owner,
            video_url,
            source,
            facts: SourceFacts::default(),
            options,
            metadata,
            engine,
            state: TranscriptionState::Pending,
            retry_count: 0,
            created_at: now,
            updated_at: now,
        })
    }

    /// Rebuilds a transcription from storage.
    pub fn restore(parts: TranscriptionParts) -> Self {
        Self(parts)
    }

    /// The facts.
    pub fn parts(&self) -> &TranscriptionParts {
        &self.0
    }

    /// The outer word for where it stands.
    pub fn status(&self) -> Status {
        self.0.state.status()
    }

    /// Begins work, or goes on with it: the first claim makes it processing, later ones change
    /// nothing.
    ///
    /// # Errors
    /// [`InvalidTransition`] once it has ended; it is unchanged.
    pub fn start(&mut self, now: DateTime<Utc>) -> Result<(), InvalidTransition> {
        match self.0.state {
            TranscriptionState::Pending => {
                let (started_at, stage) = (now, Stage::Fetching);
                self.change(
                    TranscriptionState::Processing { started_at, stage, progress: None },
                    now,
                );
                Ok(())
            }
            TranscriptionState::Processing { .. } => Ok(()),
            TranscriptionState::Completed { .. }
            | TranscriptionState::Failed { .. }
            | TranscriptionState::Canceled { .. } => Err(self.refuse("processing")),
        }
    }

    /// Moves on to `stage`.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless it is being processed, and for a step back; it is unchanged.
    pub fn enter(&mut self, stage: Stage, now: DateTime<Utc>) -> Result<(), InvalidTransition> {
        match self.0.state {
            TranscriptionState::Processing { started_at, stage: seen, .. } if seen <= stage => {
                self.change(
                    TranscriptionState::Processing { started_at, stage, progress: None },
                    now,
                );
                Ok(())
            }
            TranscriptionState::Pending
            | TranscriptionState::Processing { .. }
            | TranscriptionState::Completed { .. }
            | TranscriptionState::Failed { .. }
            | TranscriptionState::Canceled { .. } => Err(self.refuse(stage.as_str())),
        }
    }

    /// Notes how far the present stage is, 0 to 1; a share that falls, or is none, is ignored.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless it is being processed; it is unchanged.
    pub fn advance(&mut self, share: f64, now: DateTime<Utc>) -> Result<(), InvalidTransition> {
        match self.0.state {
            TranscriptionState::Processing { started_at, stage, progress } => {
                if (progress.unwrap_or_default()..=1.0).contains(&share) {
                    let progress = Some(share);
                    self.change(
                        TranscriptionState::Processing { started_at, stage, progress },
                        now,
                    );
                }
                Ok(())
            }
            TranscriptionState::Pending
            | TranscriptionState::Completed { .. }
            | TranscriptionState::Failed { .. }
            | TranscriptionState::Canceled { .. } => Err(self.refuse("further")),
        }
    }

    /// Remembers what was learnt of the source. Only what is not yet known is taken.
    pub fn learn(&mut self, facts: SourceFacts, now: DateTime<Utc>) {
        let known = &mut self.0.facts;
        known.title = known.title.take().or(facts.title);
        known.duration_ms = known.duration_ms.or(facts.duration_ms);
        self.0.updated_at = self.0.updated_at.max(now);
    }

    /// Counts one more attempt.
    pub fn count_retry(&mut self, now: DateTime<Utc>) {
        self.0.retry_count = self.0.retry_count.saturating_add(1);
        self.0.updated_at = self.0.updated_at.max(now);
    }

    /// Ends it with a transcript.
    ///
    /// # Errors
    /// [`InvalidTransition`] unless it is being processed; it is unchanged.
    pub fn complete(
        &mut self,
        facts: CompletedFacts,
        now: DateTime<Utc>,
    ) -> Result<(), InvalidTransition> {
        match self.0.state {
            TranscriptionState::Processing { started_at, .. } => {
                let completed_at = now;
                self.change(TranscriptionState::Completed { started_at, completed_at, facts }, now);
                Ok(())
            }
            TranscriptionState::Pending
            | TranscriptionState::Completed { .. }
            | TranscriptionState::Failed { .. }
            | TranscriptionState::Canceled { .. } => Err(self.refuse("completed")),
        }
    }

    /// Ends it without a transcript.
    ///
    /// # Errors
    /// [`InvalidTransition`] once it has ended; it is unchanged.
    pub fn fail(&mut self, failure: Failure, now: DateTime<Utc>) -> Result<(), InvalidTransition> {
        if self.status().is_terminal() {
            return Err(self.refuse("failed"));
        }
        let started_at = self.0.state.started_at();
        self.change(TranscriptionState::Failed { started_at, failure }, now);
        Ok(())
    }

    /// Calls it off.
    ///
    /// # Errors
    /// [`InvalidTransition`] once it has ended; it is unchanged.
    pub fn cancel(&mut self, now: DateTime<Utc>) -> Result<(), InvalidTransition> {
        if self.status().is_terminal() {
            return Err(self.refuse("canceled"));
        }
        let started_at = self.0.state.started_at();
        self.change(TranscriptionState::Canceled { started_at }, now);
        Ok(())
    }

    fn change(&mut self, state: TranscriptionState, now: DateTime<Utc>) {
        self.0.state = state;
        self.0.updated_at = self.0.updated_at.max(now);
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition { from: self.status().as_str(), to }
    }
}

#[cfg(test)]
mod tests;
