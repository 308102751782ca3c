//! A speech engine where what becomes of a job follows from its mark alone, and not from how often
//! or in which order it is asked.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use application::ports::{
    Capabilities, Clock, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{CallbackDigest, FailureCode, Transcript};
use futures_util::future::BoxFuture;
use testkit::fakes::{ManualClock, small_transcript, speech_error};

/// What becomes of the submissions of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    DoneAfterLong,
    HasNoAudio,
    FailsOnce,
    AnswerIsLost,
    AnswerIsLostAndListLags,
    IsNeverTakenAtFirst,
}

impl Fate {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::DoneAfterLong,
        Self::HasNoAudio,
        Self::FailsOnce,
        Self::AnswerIsLost,
        Self::AnswerIsLostAndListLags,
        Self::IsNeverTakenAtFirst,
    ];

    fn of(mark: usize) -> Self {
        Self::ALL[mark % Self::ALL.len()]
    }
}

/// A job that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) provider_id: String,
    pub(super) erased: bool,
    mark: usize,
    seq: usize,
    upload_url: String,
    callback: CallbackDigest,
    at: DateTime<Utc>,
}

/// What a submission could be called back with.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) token: String,
    pub(super) provider_id: String,
}

#[derive(Default)]
struct Memory {
    uploads: usize,
    submissions: Vec<usize>,
    ledger: Vec<Accepted>,
    secrets: Vec<Secret>,
}

/// What is done while a submission is on its way.
pub(super) type Meanwhile = Box<dyn Fn(Secret) -> BoxFuture<'static, ()> + Send + Sync>;

/// The engine.
pub(super) struct Moody {
    clock: Arc<ManualClock>,
    memory: Mutex<Memory>,
    meanwhile: Mutex<Option<Arc<Meanwhile>>>,
}

impl Moody {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, memory: Mutex::default(), meanwhile: Mutex::default() }
    }

    /// Lets something happen before each answer to a submission.
    pub(super) fn before_answers(&self, meanwhile: Meanwhile) {
        *self.meanwhile.lock().unwrap() = Some(Arc::new(meanwhile));
    }

    pub(super) fn ledger(&self) -> Vec<Accepted> {
        self.memory().ledger.clone()
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.memory().secrets.clone()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    fn job(&self, provider_id: &str) -> Result<Accepted, SpeechError> {
        let found = self.memory().ledger.iter().find(|job| job.provider_id == provider_id).cloned();
        found.ok_or_else(|| speech_error(FailureCode::ProviderJobMissing))
    }

    /// Takes a submission in; its fate, and whether its job was accepted.
    fn take(&self, request: &SubmitRequest<'_>) -> (Fate, bool, Secret) {
        let mark = request.options.keyterms.as_slice()[0].parse().unwrap();
        let mut memory = self.memory();
        memory.submissions.push(mark);
        let seq = memory.submissions.iter().filter(|seen| **seen == mark).count();
        let (fate, provider_id) = (Fate::of(mark), format!("job-{mark}-{seq}"));
        let taken = fate != Fate::IsNeverTakenAtFirst || seq > 1;
        if taken {
            memory.ledger.push(Accepted {
                provider_id: provider_id.clone(),
                erased: false,
                mark,
                seq,
                upload_url: request.upload_url.unwrap().to_owned(),
                callback: request.callback.digest(),
                at: self.clock.now(),
            });
        }
        let secret = Secret { token: request.callback.text(), provider_id };
        memory.secrets.push(secret.clone());
        (fate, taken, secret)
    }

    fn is_listed(&self, job: &Accepted) -> bool {
        let lags = Fate::of(job.mark) == Fate::AnswerIsLostAndListLags;
        !job.erased && (!lags || self.clock.now() - job.at > TimeDelta::minutes(4))
    }
}

#[async_trait]
impl SpeechToText for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            needs_audio: true,
            resubmission_is_harmless: false,
            limited_concurrency: true,
        }
    }

    async fn upload(&self, _: &Path) -> Result<String, SpeechError> {
        let mut memory = self.memory();
        memory.uploads += 1;
        Ok(format!("https://engine.example/upload/{}", memory.uploads))
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        let (fate, taken, secret) = self.take(&request);
        let meanwhile = self.meanwhile.lock().unwrap().clone();
        if let Some(meanwhile) = meanwhile {
            meanwhile(secret.clone()).await;
        }
        let lost = matches!(fate, Fate::AnswerIsLost | Fate::AnswerIsLostAndListLags);
        if lost || !taken {
            return Err(speech_error(FailureCode::SubmissionUnknown));
        }
        let check_after = TimeDelta::seconds(5);
        Ok(SubmitAnswer { provider_id: secret.provider_id, check_after })
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        let ledger = self.ledger();
        let find = |wanted: &Wanted<'_>| {
            let fits = |job: &&Accepted| {
                wanted.upload_url == Some(&job.upload_url) || wanted.callback == Some(job.callback)
            };
            let named = |job: &&Accepted| wanted.hinted_id == Some(&job.provider_id);
            let found = ledger.iter().find(|job| fits(job) && (named(job) || self.is_listed(job)));
            found.map(|job| job.provider_id.clone())
        };
        Ok(wanted.iter().map(find).collect())
    }

    async fn poll(
        &self,
        provider_id: &str,
        _: u32,
        _: DateTime<Utc>,
        _: f64,
    ) -> Result<PollAnswer, SpeechError> {
        let job = match self.job(provider_id) {
            Ok(job) => job,
            Err(missing) => return Ok(PollAnswer::Failed(missing)),
        };
        let fate = Fate::of(job.mark);
        let takes = if fate == Fate::DoneAfterLong { 900 } else { 20 };
        if self.clock.now() - job.at < TimeDelta::seconds(takes) {
            return Ok(PollAnswer::Pending { check_after: TimeDelta::seconds(30) });
        }
        Ok(match fate {
            Fate::HasNoAudio => PollAnswer::Failed(speech_error(FailureCode::NoAudio)),
            Fate::FailsOnce if job.seq == 1 => {
                PollAnswer::Failed(speech_error(FailureCode::ProviderFailed))
            }
            _ => PollAnswer::Finished,
        })
    }

    async fn result(&self, provider_id: &str, _: &str) -> Result<Transcript, SpeechError> {
        let job = self.job(provider_id)?;
        Ok(Transcript { text: format!("the words of {}", job.mark), ..small_transcript() })
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        let mut memory = self.memory();
        for job in memory.ledger.iter_mut().filter(|job| job.provider_id == provider_id) {
            job.erased = true;
        }
        Ok(())
    }
}
