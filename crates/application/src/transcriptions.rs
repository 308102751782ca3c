//! Transcriptions: what a user can do with them.

use std::sync::Arc;

use domain::{
    AddressPolicy, Invalid, ListFilter, Metadata, NoTimes, Page, PageRequest, Source, Status,
    Transcript, Transcription, TranscriptionId, TranscriptionOptions, UserId, export::Format,
};

use crate::{
    Adapters, ErrorKind, UseCaseError,
    ports::{
        CancelOutcome, Clock, EnqueueError, EventBus, Found, Hint, Ids, JobStore, ObjectStore,
        PortFailure, SpeechToText, TitledTranscript, TranscriptionRepository,
    },
    uploads,
};

/// A new transcription.
#[derive(Debug, Clone)]
pub struct CreateTranscription {
    /// For whom.
    pub owner: UserId,
    /// The source in the user's own words.
    pub video_url: String,
    /// The source as it was understood.
    pub source: Source,
    /// What is asked for.
    pub options: TranscriptionOptions,
    /// What the client attaches.
    pub metadata: Metadata,
}

/// Why a transcription was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The source is not one that this installation fetches.
    #[error(transparent)]
    Unsupported(Invalid),
    /// The account is gone.
    #[error("the access token is not valid")]
    NoSuchOwner,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

impl UseCaseError for CreateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsupported(_) => ErrorKind::Invalid,
            Self::NoSuchOwner => ErrorKind::Unauthenticated,
            Self::Failed(failure) => failure.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unsupported(invalid) => invalid.code(),
            Self::NoSuchOwner => "invalid_token",
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// Why a transcription was not found, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptionError {
    /// There is none, or it is another's.
    #[error("there is no such transcription")]
    NotFound,
    /// The transcript is not there (yet).
    #[error("the transcription is {}, not completed", .0.as_str())]
    NotCompleted(Status),
    /// The transcript cannot be captions.
    #[error(transparent)]
    NoTimes(#[from] NoTimes),
    /// It has ended.
    #[error("the transcription is already {}", .0.as_str())]
    AlreadyEnded(Status),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

impl UseCaseError for TranscriptionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::NotCompleted(_) | Self::NoTimes(_) | Self::AlreadyEnded(_) => ErrorKind::Conflict,
            Self::Failed(failure) => failure.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "transcription_not_found",
            Self::NotCompleted(_) => "transcription_not_completed",
            Self::NoTimes(_) => "transcript_without_times",
            Self::AlreadyEnded(_) => "transcription_already_ended",
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// Tells the log of a new transcription.
pub(crate) fn log_created(transcription: &Transcription, needs_audio: bool) {
    let parts = transcription.parts();
    tracing::info!(
        event = "transcription_job_created",
        job.id = %parts.id,
        user.id = %parts.owner,
        source.kind = parts.source.kind(),
        mock_mode = !needs_audio,
        "transcription accepted"
    );
}

/// The use cases of transcriptions.
pub struct Transcriptions {
    stored: Arc<dyn TranscriptionRepository>,
    jobs: Arc<dyn JobStore>,
    objects: Arc<dyn ObjectStore>,
    events: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    engine: &'static str,
    needs_audio: bool,
    policy: AddressPolicy,
}

impl Transcriptions {
    /// Takes its ports, and which addresses may be fetched from.
    pub fn new(adapters: &Adapters, policy: AddressPolicy) -> Self {
        let speech: &dyn SpeechToText = adapters.speech.as_ref();
        Self {
            stored: Arc::clone(&adapters.transcriptions),
            jobs: Arc::clone(&adapters.jobs),
            objects: Arc::clone(&adapters.objects),
            events: Arc::clone(&adapters.events),
            clock: Arc::clone(&adapters.clock),
            ids: Arc::clone(&adapters.ids),
            engine: speech.name(),
            needs_audio: speech.capabilities().needs_audio,
            policy,
        }
    }

    /// Accepts a transcription and puts its job in the queue.
    ///
    /// # Errors
    /// [`CreateError`].
    #[tracing::instrument(name = "transcriptions.create", skip_all)]
    pub async fn create(&self, command: CreateTranscription) -> Result<Transcription, CreateError> {
        if let Source::Media(url) = &command.source {
            self.policy.screen(url).map_err(CreateError::Unsupported)?;
        }
        let transcription = Transcription::request(
            TranscriptionId::from_uuid(self.ids.next()),
            command.owner,
            Some(command.video_url),
            command.source,
            command.options,
            command.metadata,
            self.engine.to_owned(),
            self.clock.now(),
        );
        self.jobs.enqueue(&transcription).await.map_err(|error| match error {
            EnqueueError::NoSuchOwner => CreateError::NoSuchOwner,
            EnqueueError::QuotaExceeded => {
                PortFailure::permanent("jobs.enqueue", "a quota was not asked for").into()
            }
            EnqueueError::Failed(failure) => failure.into(),
        })?;
        self.events.publish(Hint::Ready);
        log_created(&transcription, self.needs_audio);
        Ok(transcription)
    }

    /// Lists a page, and counts all on request.
    ///
    /// # Errors
    /// [`PortFailure`].
    pub async fn list(
        &self,
        owner: UserId,
        filter: &ListFilter,
        page: &PageRequest,
        with_total: bool,
    ) -> Result<(Page<Transcription>, Option<u64>), PortFailure> {
        let items = self.stored.list(owner, filter, page).await?;
        let total = if with_total { Some(self.stored.count(owner, filter).await?) } else { None };
        Ok((items, total))
    }

    /// Reads one, with its text.
    ///
    /// # Errors
    /// [`TranscriptionError::NotFound`].
    pub async fn get(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Found, TranscriptionError> {
        self.stored.find(owner, id).await?.ok_or(TranscriptionError::NotFound)
    }

    /// Reads the transcript of a completed one.
    ///
    /// # Errors
    /// [`TranscriptionError::NotFound`], [`TranscriptionError::NotCompleted`].
    pub async fn transcript(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Transcript, TranscriptionError> {
        Ok(self.titled(owner, id).await?.transcript)
    }

    /// Reads the transcript of a completed one, and its title, for an export.
    ///
    /// # Errors
    /// [`TranscriptionError::NotFound`], [`TranscriptionError::NotCompleted`].
    #[tracing::instrument(name = "transcriptions.export", skip_all, fields(job.id = %id))]
    pub async fn export(
        &self,
        owner: UserId,
        id: TranscriptionId,
        format: Format,
    ) -> Result<TitledTranscript, TranscriptionError> {
        let found = self.titled(owner, id).await?;
        tracing::info!(
            event = "transcription_exported",
            job.id = %id,
            user.id = %owner,
            export.format = format.as_str(),
            "transcript read for an export"
        );
        Ok(found)
    }

    async fn titled(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<TitledTranscript, TranscriptionError> {
        if let Some(found) = self.stored.transcript(owner, id).await? {
            return Ok(found);
        }
        let found = self.get(owner, id).await?;
        Err(TranscriptionError::NotCompleted(found.transcription.status()))
    }

    /// Calls one off; again is no error.
    ///
    /// # Errors
    /// [`TranscriptionError::NotFound`], [`TranscriptionError::AlreadyEnded`].
    #[tracing::instrument(name = "transcriptions.cancel", skip_all, fields(job.id = %id))]
    pub async fn cancel(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Transcription, TranscriptionError> {
        match self.jobs.cancel(owner, id).await?.ok_or(TranscriptionError::NotFound)? {
            CancelOutcome::Canceled(transcription) => {
                self.events.publish(Hint::Ended(id));
                uploads::release(self.objects.as_ref(), &transcription.parts().source).await;
                tracing::info!(event = "transcription_canceled", job.id = %id, "canceled");
                Ok(*transcription)
            }
            CancelOutcome::Ended(status) => Err(TranscriptionError::AlreadyEnded(status)),
        }
    }

    /// Deletes one, whatever its state.
    ///
    /// # Errors
    /// [`TranscriptionError::NotFound`].
    #[tracing::instrument(name = "transcriptions.delete", skip_all, fields(job.id = %id))]
    pub async fn delete(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<(), TranscriptionError> {
        // What cannot be read is deleted all the same; its file is left to the sweep.
        let found = self.stored.find(owner, id).await.ok().flatten();
        if !self.jobs.delete(owner, id).await? {
            return Err(TranscriptionError::NotFound);
        }
        if let Some(found) = found {
            uploads::release(self.objects.as_ref(), &found.transcription.parts().source).await;
        }
        self.events.publish(Hint::Ended(id));
        tracing::info!(event = "transcription_job_deleted", job.id = %id, "deleted");
        Ok(())
    }
}
