//! The smallest adapters with which the routes can be tested.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use application::{
    Adapters,
    ports::{
        AudioFile, Budget, ByteStream, CancelOutcome, Capabilities, Check, ClaimRequest, Claimed,
        Clock, CommitError, DuePoll, EnqueueError, Entropy, Erasure, EventBus, FetchError, Found,
        HashError, HealthProbe, Hint, Hints, Ids, InsertUserError, IntentError, IssuedToken,
        JobStore, Lease, MediaSource, NewSubmission, ObjectStore, PasswordHasher, Pause,
        PollAnswer, PortFailure, Progress, PutError, RateLimiter, Resolution, SpeechError,
        SpeechToText, StepEffects, StoredObject, SubmitAnswer, SubmitRequest, Taken, TickReport,
        TitledTranscript, TokenError, TokenIssuer, TranscriptionRepository, UserRepository,
        Verified, Wanted,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    CallbackDigest, Cursor, Email, Epoch, FailureCode, ListFilter, Outcome, Page, PageRequest,
    PasswordDigest, Source, SourceFacts, Step, Submission, SubmissionId, Transcript, Transcription,
    TranscriptionId, UploadId, User, UserId, WorkerId, job::PollStep,
};
use futures_util::StreamExt;
use uuid::Uuid;

/// Everything in one place.
#[derive(Default)]
pub(crate) struct Stub {
    pub(crate) users: Mutex<Vec<User>>,
    pub(crate) rows: Mutex<Vec<Found>>,
    pub(crate) transcript: Mutex<Option<Transcript>>,
    pub(crate) checks: Mutex<Vec<Check>>,
    /// What every lookup of a transcription does instead of looking.
    pub(crate) fault: Mutex<Option<Fault>>,
    pub(crate) limiter_down: Mutex<bool>,
    /// The files that are kept, with their sizes.
    pub(crate) files: Mutex<HashMap<UploadId, u64>>,
    /// Whether there is no room for files.
    pub(crate) full: Mutex<bool>,
    /// What is wrong with every file.
    pub(crate) unusable: Mutex<Option<FailureCode>>,
    counted: Mutex<HashMap<(String, String), u32>>,
    next: AtomicU64,
}

/// A way to fail.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    Panic,
    Transient,
    Permanent,
}

impl Stub {
    pub(crate) fn adapters(self: &Arc<Self>) -> Adapters {
        Adapters {
            users: self.clone(),
            transcriptions: self.clone(),
            jobs: self.clone(),
            speech: self.clone(),
            media: self.clone(),
            objects: self.clone(),
            limiter: self.clone(),
            events: self.clone(),
            hasher: self.clone(),
            tokens: self.clone(),
            health: self.clone(),
            clock: self.clone(),
            ids: self.clone(),
            entropy: self.clone(),
        }
    }

    pub(crate) fn keys(&self) -> Vec<(String, String)> {
        let mut keys: Vec<_> = self.counted.lock().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    fn failing(&self) -> Result<(), PortFailure> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            None => Ok(()),
            Some(Fault::Panic) => panic!("on purpose"),
            Some(Fault::Transient) => Err(PortFailure::transient("stub", "secret cause")),
            Some(Fault::Permanent) => Err(PortFailure::permanent("stub", "secret cause")),
        }
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_268_800_123_456).unwrap()
}

#[async_trait]
impl UserRepository for Stub {
    async fn insert(&self, user: &User) -> Result<(), InsertUserError> {
        self.users.lock().unwrap().push(user.clone());
        Ok(())
    }
    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure> {
        Ok(self.users.lock().unwrap().iter().find(|user| user.parts().id == id).cloned())
    }
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortFailure> {
        Ok(self.users.lock().unwrap().iter().find(|user| user.parts().email == *email).cloned())
    }
    async fn replace_password(
        &self,
        _: UserId,
        _: &PasswordDigest,
        _: &PasswordDigest,
    ) -> Result<(), PortFailure> {
        Ok(())
    }
}

#[async_trait]
impl TranscriptionRepository for Stub {
    async fn find(&self, owner: UserId, id: TranscriptionId) -> Result<Option<Found>, PortFailure> {
        self.failing()?;
        let rows = self.rows.lock().unwrap();
        let wanted = |row: &&Found| {
            row.transcription.parts().id == id && row.transcription.parts().owner == owner
        };
        Ok(rows.iter().find(wanted).cloned())
    }
    async fn transcript(
        &self,
        _: UserId,
        _: TranscriptionId,
    ) -> Result<Option<TitledTranscript>, PortFailure> {
        let transcript = self.transcript.lock().unwrap().clone();
        Ok(transcript.map(|transcript| TitledTranscript { title: None, transcript }))
    }
    async fn list(
        &self,
        owner: UserId,
        _: &ListFilter,
        page: &PageRequest,
    ) -> Result<Page<Transcription>, PortFailure> {
        let rows = self.rows.lock().unwrap();
        let mine = rows.iter().rev().map(|row| &row.transcription);
        let mine = mine.filter(|row| row.parts().owner == owner);
        let behind: Vec<_> =
            mine.filter(|row| page.after.is_none_or(|after| row.parts().id < after.id)).collect();
        let size = usize::from(page.size.get());
        let items: Vec<Transcription> =
            behind.iter().take(size).map(|row| (*row).clone()).collect();
        let last = items.last().filter(|_| behind.len() > size).map(Transcription::parts);
        let next = last.map(|row| Cursor { created_at: row.created_at, id: row.id });
        Ok(Page { items, next })
    }
    async fn count(&self, _: UserId, _: &ListFilter) -> Result<u64, PortFailure> {
        Ok(self.rows.lock().unwrap().len() as u64)
    }
}

#[async_trait]
impl JobStore for Stub {
    async fn enqueue(&self, transcription: &Transcription) -> Result<(), EnqueueError> {
        let row = Found { transcription: transcription.clone(), text: None };
        self.rows.lock().unwrap().push(row);
        Ok(())
    }
    async fn enqueue_upload(
        &self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        let kept: u64 = self.files.lock().unwrap().values().sum();
        if quota.is_some_and(|quota| kept > quota) {
            return Err(EnqueueError::QuotaExceeded);
        }
        self.enqueue(transcription).await
    }
    async fn upload_bytes(&self, _: UserId) -> Result<u64, PortFailure> {
        Ok(self.files.lock().unwrap().values().sum())
    }
    async fn uploads_in_use(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, PortFailure> {
        Ok(ids.to_vec())
    }
    async fn cancel(
        &self,
        _: UserId,
        id: TranscriptionId,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        let mut rows = self.rows.lock().unwrap();
        let Some(row) = rows.iter_mut().find(|row| row.transcription.parts().id == id) else {
            return Ok(None);
        };
        Ok(Some(match row.transcription.cancel(noon()) {
            Ok(()) => CancelOutcome::Canceled(Box::new(row.transcription.clone())),
            Err(_) => CancelOutcome::Ended(row.transcription.status()),
        }))
    }
    async fn delete(&self, _: UserId, id: TranscriptionId) -> Result<bool, PortFailure> {
        let mut rows = self.rows.lock().unwrap();
        let before = rows.len();
        rows.retain(|row| row.transcription.parts().id != id);
        Ok(rows.len() < before)
    }
    async fn claim(&self, _: &ClaimRequest) -> Result<Vec<Claimed>, PortFailure> {
        Ok(Vec::new())
    }
    async fn heartbeat(
        &self,
        _: WorkerId,
        _: &[(TranscriptionId, Epoch)],
        _: Duration,
    ) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(Vec::new())
    }
    async fn commit(&self, _: &Lease, _: Step, _: StepEffects) -> Result<Outcome, CommitError> {
        Err(CommitError::LeaseLost)
    }
    async fn intend(&self, _: &Lease, _: NewSubmission) -> Result<Submission, IntentError> {
        Err(IntentError::LeaseLost)
    }
    async fn due_polls(&self, _: u32, _: Duration) -> Result<Vec<DuePoll>, PortFailure> {
        Ok(Vec::new())
    }
    async fn settle(
        &self,
        _: TranscriptionId,
        _: Epoch,
        _: PollStep,
    ) -> Result<Outcome, CommitError> {
        Err(CommitError::LeaseLost)
    }
    async fn tick(&self, _: u32) -> Result<TickReport, PortFailure> {
        Ok(TickReport::default())
    }
    async fn progress(&self, _: &Lease, _: f64) -> Result<(), CommitError> {
        Err(CommitError::LeaseLost)
    }
    async fn hear(
        &self,
        _: &CallbackDigest,
        _: Option<&str>,
    ) -> Result<Option<TranscriptionId>, PortFailure> {
        Ok(None)
    }
    async fn unresolved(
        &self,
        _: &str,
        _: DateTime<Utc>,
        _: u32,
    ) -> Result<Vec<Submission>, PortFailure> {
        Ok(Vec::new())
    }
    async fn resolve(&self, _: SubmissionId, _: &str, _: &str) -> Result<Resolution, PortFailure> {
        Ok(Resolution::Unneeded)
    }
    async fn duplicates(&self) -> Result<u64, PortFailure> {
        Ok(0)
    }
    async fn pause(&self, _: &str, _: FailureCode, _: DateTime<Utc>) -> Result<(), PortFailure> {
        Ok(())
    }
    async fn paused(&self, _: &str) -> Result<Option<Pause>, PortFailure> {
        Ok(None)
    }
    async fn resume(&self, _: &str) -> Result<(), PortFailure> {
        Ok(())
    }
    async fn due_erasures(
        &self,
        _: &str,
        _: u32,
        _: Duration,
    ) -> Result<Vec<Erasure>, PortFailure> {
        Ok(Vec::new())
    }
    async fn erased(&self, _: Uuid) -> Result<(), PortFailure> {
        Ok(())
    }
    async fn living(&self, _: &[TranscriptionId]) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(Vec::new())
    }
}

fn no_engine() -> SpeechError {
    let code = FailureCode::ProviderUnavailable;
    SpeechError { code, retry_after: None, detail: None }
}

#[async_trait]
impl SpeechToText for Stub {
    fn name(&self) -> &'static str {
        "stub"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            needs_audio: false,
            resubmission_is_harmless: true,
            limited_concurrency: false,
        }
    }
    async fn upload(&self, _: &Path) -> Result<String, SpeechError> {
        Err(no_engine())
    }
    async fn submit(&self, _: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        Err(no_engine())
    }
    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        Ok(vec![None; wanted.len()])
    }

    async fn poll(
        &self,
        _: &str,
        _: u32,
        _: DateTime<Utc>,
        _: f64,
    ) -> Result<PollAnswer, SpeechError> {
        Ok(PollAnswer::Pending { check_after: TimeDelta::seconds(1) })
    }
    async fn result(&self, _: &str, _: &str) -> Result<Transcript, SpeechError> {
        Err(no_engine())
    }
    async fn erase(&self, _: &str) -> Result<(), SpeechError> {
        Ok(())
    }
}

#[async_trait]
impl MediaSource for Stub {
    async fn fetch(
        &self,
        _: TranscriptionId,
        _: &Source,
        _: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        match *self.unusable.lock().unwrap() {
            Some(code) => Err(FetchError { code, retry_after: None, detail: String::new() }),
            None => Ok(AudioFile {
                path: "nowhere".into(),
                bytes: 1,
                facts: SourceFacts { title: None, duration_ms: Some(1_500) },
            }),
        }
    }
    async fn discard(&self, _: TranscriptionId) -> Result<(), PortFailure> {
        Ok(())
    }
    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl ObjectStore for Stub {
    async fn put(
        &self,
        id: UploadId,
        mut body: ByteStream<'_>,
        max_bytes: u64,
    ) -> Result<u64, PutError> {
        if *self.full.lock().unwrap() {
            return Err(PutError::NoRoom);
        }
        let mut bytes = 0;
        while let Some(piece) = body.next().await {
            bytes += piece?.len() as u64;
            if bytes > max_bytes {
                return Err(PutError::TooLarge(max_bytes));
            }
        }
        self.files.lock().unwrap().insert(id, bytes);
        Ok(bytes)
    }
    async fn get(&self, _: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure> {
        Ok(None)
    }
    async fn delete(&self, id: UploadId) -> Result<(), PortFailure> {
        self.files.lock().unwrap().remove(&id);
        Ok(())
    }
    async fn list(&self, _: u32) -> Result<Vec<StoredObject>, PortFailure> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl RateLimiter for Stub {
    async fn take(&self, budget: &Budget, key: &str) -> Result<Taken, PortFailure> {
        if *self.limiter_down.lock().unwrap() {
            return Err(PortFailure::transient("limiter.take", "down"));
        }
        let mut counted = self.counted.lock().unwrap();
        let calls = counted.entry((budget.name.to_owned(), key.to_owned())).or_default();
        *calls += 1;
        let reset_after = Duration::from_millis(40_001);
        let remaining = budget.quota.saturating_sub(*calls);
        Ok(Taken { allowed: *calls <= budget.quota, remaining, reset_after })
    }
}

#[async_trait]
impl PasswordHasher for Stub {
    async fn hash(&self, password: &str) -> Result<PasswordDigest, HashError> {
        if password == "overloaded" {
            return Err(HashError::Overloaded { retry_after: Duration::from_millis(1_500) });
        }
        Ok(PasswordDigest::new(format!("digest:{password}")))
    }
    async fn verify(
        &self,
        password: &str,
        digest: Option<&PasswordDigest>,
    ) -> Result<Verified, HashError> {
        let matches = digest.is_some_and(|it| it.expose() == format!("digest:{password}"));
        Ok(Verified { matches, outdated: false })
    }
}

impl TokenIssuer for Stub {
    fn issue(&self, user: UserId, _: DateTime<Utc>) -> Result<IssuedToken, PortFailure> {
        let expires_in = Duration::from_mins(30);
        Ok(IssuedToken { token: format!("token-{user}"), expires_in })
    }
    fn verify(&self, token: &str, _: DateTime<Utc>) -> Result<UserId, TokenError> {
        let id = token.strip_prefix("token-").and_then(|id| Uuid::try_parse(id).ok());
        id.map(UserId::from_uuid).ok_or(TokenError("no token"))
    }
}

#[async_trait]
impl HealthProbe for Stub {
    async fn check(&self) -> Vec<Check> {
        self.checks.lock().unwrap().clone()
    }
}

impl EventBus for Stub {
    fn publish(&self, _: Hint) {}
    fn subscribe(&self) -> Hints {
        tokio::sync::broadcast::channel(1).1
    }
}

impl Clock for Stub {
    fn now(&self) -> DateTime<Utc> {
        noon()
    }
}

impl Ids for Stub {
    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(0x0193_8e5a_7b3c_7000, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Entropy for Stub {
    fn secret(&self) -> [u8; 32] {
        [0; 32]
    }
    fn unit(&self) -> f64 {
        0.0
    }
}
