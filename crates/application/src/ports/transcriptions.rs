//! What a user sees of transcriptions.

use async_trait::async_trait;
use domain::{ListFilter, Page, PageRequest, Transcript, Transcription, TranscriptionId, UserId};

use super::PortFailure;

/// A transcription with its text, where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The transcription.
    pub transcription: Transcription,
    /// The text of a completed one.
    pub text: Option<String>,
}

/// A transcript, and what its recording is called.
#[derive(Debug, Clone, PartialEq)]
pub struct TitledTranscript {
    /// The title of the source, where it has one.
    pub title: Option<String>,
    /// The transcript.
    pub transcript: Transcript,
}

/// Reads transcriptions. Ownership is part of every query: another user's is absent.
///
/// Writing is the business of [`super::JobStore`], because a transcription never changes without
/// its job.
#[async_trait]
pub trait TranscriptionRepository: Send + Sync {
    /// Finds one, with its text, in one query.
    async fn find(&self, owner: UserId, id: TranscriptionId) -> Result<Option<Found>, PortFailure>;

    /// Reads the transcript of a completed one, with its title, in one query; `Ok(None)` where there
    /// is none (yet).
    async fn transcript(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<TitledTranscript>, PortFailure>;

    /// Lists a page, newest first (`created_at`, then `id`, both descending).
    async fn list(
        &self,
        owner: UserId,
        filter: &ListFilter,
        page: &PageRequest,
    ) -> Result<Page<Transcription>, PortFailure>;

    /// Counts what [`Self::list`] would show on all pages.
    async fn count(&self, owner: UserId, filter: &ListFilter) -> Result<u64, PortFailure>;
}
