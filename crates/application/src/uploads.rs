//! Files that users hand in: received, looked at, and put in the queue like any other source.
//!
//! A file is kept until its transcription has ended. Until it is in the queue it belongs to
//! [`Received`], which lets go of it when it is dropped; what a killed process leaves is swept.

mod error;
mod received;
mod slots;

use std::sync::Arc;

use domain::{
    Metadata, Source, SourceFacts, Transcription, TranscriptionId, TranscriptionOptions, UploadId,
    UploadedFile, UserId,
};
use tracing::Instrument;

use crate::{
    Adapters, causes,
    ports::{
        ByteStream, Clock, EnqueueError, EventBus, Hint, Ids, JobStore, MediaSource, ObjectStore,
        PortFailure, PutError,
    },
};
pub use error::UploadError;
pub use received::Received;
pub(crate) use received::release;
use slots::{Slot, Slots};

/// How much users may hand in.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Most bytes of the files of one user's live transcriptions; `None` for no limit.
    pub quota_bytes: Option<u64>,
    /// Most uploads of one user at once in this process.
    pub at_once: u32,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self { max_bytes: 2 << 30, quota_bytes: Some(8 << 30), at_once: 4 }
    }
}

/// What a user may hand in now. Counts as one upload for as long as it lives.
pub struct Allowance {
    bytes: u64,
    by_quota: bool,
    _slot: Slot,
}

impl Allowance {
    /// Largest file, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Why a larger one is refused.
    pub fn refusal(&self) -> UploadError {
        if self.by_quota { UploadError::QuotaExceeded } else { UploadError::TooLarge(self.bytes) }
    }
}

/// A new transcription of a file.
#[derive(Debug, Clone)]
pub struct CreateUpload {
    /// For whom.
    pub owner: UserId,
    /// What the user calls it.
    pub title: Option<String>,
    /// What is asked for.
    pub options: TranscriptionOptions,
    /// What the client attaches.
    pub metadata: Metadata,
}

/// The use cases of uploads.
pub struct Uploads {
    jobs: Arc<dyn JobStore>,
    objects: Arc<dyn ObjectStore>,
    media: Arc<dyn MediaSource>,
    events: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    engine: &'static str,
    needs_audio: bool,
    limits: UploadLimits,
    slots: Slots,
}

impl Uploads {
    /// Takes its ports, and how much users may hand in.
    pub fn new(adapters: &Adapters, limits: UploadLimits) -> Self {
        Self {
            jobs: Arc::clone(&adapters.jobs),
            objects: Arc::clone(&adapters.objects),
            media: Arc::clone(&adapters.media),
            events: Arc::clone(&adapters.events),
            clock: Arc::clone(&adapters.clock),
            ids: Arc::clone(&adapters.ids),
            engine: adapters.speech.name(),
            needs_audio: adapters.speech.capabilities().needs_audio,
            limits,
            slots: Slots::new(limits.at_once),
        }
    }

    /// How much `owner` may hand in now; asked before anything is read.
    ///
    /// # Errors
    /// [`UploadError::QuotaExceeded`] when that is nothing; [`UploadError::TooMany`].
    pub async fn allowance(&self, owner: UserId) -> Result<Allowance, UploadError> {
        let slot = self.slots.take(owner).ok_or(UploadError::TooMany)?;
        let left = match self.limits.quota_bytes {
            None => u64::MAX,
            Some(quota) => quota.saturating_sub(self.jobs.upload_bytes(owner).await?),
        };
        if left == 0 {
            return Err(UploadError::QuotaExceeded);
        }
        let max = self.limits.max_bytes;
        Ok(Allowance { bytes: left.min(max), by_quota: left < max, _slot: slot })
    }

    /// Stores what `body` brings, within the allowance.
    ///
    /// # Errors
    /// [`UploadError`]; then nothing is kept.
    #[tracing::instrument(name = "uploads.receive", skip_all)]
    pub async fn receive(
        &self,
        body: ByteStream<'_>,
        allowance: &Allowance,
    ) -> Result<Received, UploadError> {
        let id = UploadId::from_uuid(self.ids.next());
        match self.objects.put(id, body, allowance.bytes).await {
            Ok(bytes) => {
                let objects = Arc::clone(&self.objects);
                Ok(Received { objects, file: UploadedFile { id, bytes }, kept: false })
            }
            Err(PutError::TooLarge(_)) => Err(allowance.refusal()),
            Err(PutError::NoRoom) => Err(UploadError::NoRoom),
            Err(PutError::BrokenOff(broken)) => Err(broken.into()),
            Err(PutError::Failed(failure)) => Err(failure.into()),
        }
    }

    /// Looks at a file, accepts a transcription of it, and puts its job in the queue.
    ///
    /// # Errors
    /// [`UploadError`]; then the file is not kept.
    #[tracing::instrument(name = "uploads.create", skip_all)]
    pub async fn create(
        &self,
        received: Received,
        command: CreateUpload,
    ) -> Result<Transcription, UploadError> {
        let id = TranscriptionId::from_uuid(self.ids.next());
        let source = Source::Upload(received.file);
        let facts = match self.look_at(id, &source).await {
            Ok(facts) => facts,
            Err(error) => {
                received.discard().await;
                return Err(error);
            }
        };
        let now = self.clock.now();
        let CreateUpload { owner, title, options, metadata } = command;
        let engine = self.engine.to_owned();
        let mut transcription =
            Transcription::request(id, owner, None, source, options, metadata, engine, now);
        let title = title.or(facts.title);
        transcription.learn(SourceFacts { title, duration_ms: facts.duration_ms }, now);
        let transcription = self.enqueue(received, transcription).await?;
        self.events.publish(Hint::Ready);
        crate::transcriptions::log_created(&transcription, self.needs_audio);
        Ok(transcription)
    }

    /// What is known of a file that is a recording. No job lives yet, so the copy that was looked
    /// at is nobody's afterwards.
    async fn look_at(
        &self,
        job: TranscriptionId,
        source: &Source,
    ) -> Result<SourceFacts, UploadError> {
        let fetched = self.media.fetch(job, source, &()).await;
        if let Err(error) = &fetched {
            let (code, detail) = (error.code.as_str(), &error.detail);
            tracing::info!(event = "upload_refused", code, %detail, "an upload was not taken");
        }
        if let Err(failure) = self.media.discard(job).await {
            tracing::warn!(
                           event = "discard_failed",
                           error = %failure,
            causes = causes(&failure),
                           "local audio is left for the next sweep"
                       );
        }
        Ok(fetched?.facts)
    }

    /// In a task of its own: a client that goes away meanwhile must not part the file from its job.
    async fn enqueue(
        &self,
        received: Received,
        transcription: Transcription,
    ) -> Result<Transcription, UploadError> {
        let (jobs, quota) = (Arc::clone(&self.jobs), self.limits.quota_bytes);
        let work = async move {
            match jobs.enqueue_upload(&transcription, quota).await {
                Ok(()) => {
                    received.keep();
                    Ok(transcription)
                }
                Err(EnqueueError::Failed(failure)) if failure.is_transient() => {
                    // It may be in the queue all the same: the sweep will know.
                    received.keep();
                    Err(failure.into())
                }
                Err(error) => {
                    received.discard().await;
                    Err(error.into())
                }
            }
        };
        let task = tokio::spawn(work.in_current_span()).await;
        task.unwrap_or_else(|error| Err(PortFailure::permanent("jobs.enqueue", error).into()))
    }
}
