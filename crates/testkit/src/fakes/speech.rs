//! A speech engine that answers as a test tells it.

mod calls;

use std::{collections::VecDeque, path::Path, sync::Mutex};

use application::ports::{
    Capabilities, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{FailureCode, Language, Transcript, Word};

use super::{Gate, lock};

pub use calls::{AcceptedJob, SpeechCall, SpeechMethod};

enum SubmitScript {
    Answer(Result<SubmitAnswer, SpeechError>),
    Lost,
}

#[derive(Default)]
struct Script {
    uploads: VecDeque<Result<String, SpeechError>>,
    submits: VecDeque<SubmitScript>,
    finds: VecDeque<SpeechError>,
    lagging: bool,
    polls: VecDeque<Result<PollAnswer, SpeechError>>,
    results: VecDeque<Result<Transcript, SpeechError>>,
    erasures: VecDeque<Result<(), SpeechError>>,
    calls: Vec<SpeechCall>,
    ledger: Vec<AcceptedJob>,
}

/// Accepts every job, has finished it when it is asked for the first time, returns
/// [`small_transcript`], and misses every job that it did not accept, except where the script says otherwise. Each answer of the script is
/// given once, in order.
pub struct ScriptedSpeech {
    name: &'static str,
    capabilities: Capabilities,
    check_after: TimeDelta,
    script: Mutex<Script>,
    gates: [Gate; 6],
}

impl Default for ScriptedSpeech {
    /// An engine named `scripted` that needs audio, must not be asked twice, and is limited: the
    /// most demanding kind. It wants to be asked at once.
    fn default() -> Self {
        Self {
            name: "scripted",
            capabilities: Capabilities {
                needs_audio: true,
                resubmission_is_harmless: false,
                limited_concurrency: true,
            },
            check_after: TimeDelta::zero(),
            script: Mutex::default(),
            gates: Default::default(),
        }
    }
}

impl ScriptedSpeech {
    /// Gives it another name.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Gives it other capabilities.
    #[must_use]
    pub fn with_capabilities(self, capabilities: Capabilities) -> Self {
        Self { capabilities, ..self }
    }

    /// Sets how long after an unscripted submission it wants to be asked.
    #[must_use]
    pub fn with_check_after(self, check_after: TimeDelta) -> Self {
        Self { check_after, ..self }
    }

    /// Scripts an answer to an upload.
    pub fn next_upload(&self, answer: Result<String, SpeechError>) {
        lock(&self.script).uploads.push_back(answer);
    }

    /// Scripts an answer to a submission; `Ok` enters the ledger.
    pub fn next_submit(&self, answer: Result<SubmitAnswer, SpeechError>) {
        lock(&self.script).submits.push_back(SubmitScript::Answer(answer));
    }

    /// Scripts a submission that the engine accepts, and whose answer is lost on the way.
    pub fn next_submit_lost(&self) {
        lock(&self.script).submits.push_back(SubmitScript::Lost);
    }

    /// Scripts a listing that fails.
    pub fn next_find_fails(&self, error: SpeechError) {
        lock(&self.script).finds.push_back(error);
    }

    /// From now on the list lacks what is accepted.
    pub fn list_lags(&self) {
        lock(&self.script).lagging = true;
    }

    /// The list has caught up.
    pub fn list_catches_up(&self) {
        let mut script = lock(&self.script);
        script.lagging = false;
        script.ledger.iter_mut().for_each(|job| job.listed = true);
    }

    /// Scripts an answer to a poll.
    pub fn next_poll(&self, answer: Result<PollAnswer, SpeechError>) {
        lock(&self.script).polls.push_back(answer);
    }

    /// Scripts a result.
    pub fn next_result(&self, answer: Result<Transcript, SpeechError>) {
        lock(&self.script).results.push_back(answer);
    }

    /// Scripts an answer to an erasure.
    pub fn next_erase(&self, answer: Result<(), SpeechError>) {
        lock(&self.script).erasures.push_back(answer);
    }

    /// Where calls of `method` stop after they arrived and before they have any effect.
    pub fn gate(&self, method: SpeechMethod) -> &Gate {
        &self.gates[method as usize]
    }

    /// Every call so far, in the order of arrival.
    pub fn calls(&self) -> Vec<SpeechCall> {
        lock(&self.script).calls.clone()
    }

    /// How often `method` was called.
    pub fn count(&self, method: SpeechMethod) -> usize {
        lock(&self.script).calls.iter().filter(|call| call.method() == method).count()
    }

    /// The ledger: every job that was accepted, whether or not its answer arrived.
    pub fn accepted(&self) -> Vec<AcceptedJob> {
        lock(&self.script).ledger.clone()
    }

    async fn arrive(&self, call: SpeechCall) {
        let gate = self.gate(call.method());
        lock(&self.script).calls.push(call);
        gate.pass().await;
    }
}

impl Script {
    fn accept(&mut self, request: &SubmitRequest<'_>, check_after: TimeDelta) -> SubmitAnswer {
        let provider_id = format!("provider-{}", self.ledger.len() + 1);
        self.enter(&provider_id, request);
        SubmitAnswer { provider_id, check_after }
    }

    /// What a walk through the list finds. A job that can be named is found though the list lags,
    /// and only if it is the one that is wanted.
    fn find(&self, wanted: &Wanted<'_>) -> Option<String> {
        let is_it = |job: &&AcceptedJob| {
            !job.erased
                && wanted.callback.is_none_or(|callback| callback == job.callback)
                && wanted.upload_url == job.upload_url.as_deref()
        };
        let named = |job: &&AcceptedJob| wanted.hinted_id == Some(job.provider_id.as_str());
        let hinted = self.ledger.iter().filter(named).find(is_it);
        let found = hinted.or_else(|| self.ledger.iter().filter(|job| job.listed).find(is_it));
        found.map(|job| job.provider_id.clone())
    }

    /// Fails for a job that was never accepted.
    fn known(&self, provider_id: &str) -> Result<(), SpeechError> {
        let mut accepted = self.ledger.iter();
        let job = accepted.find(|job| job.provider_id == provider_id);
        job.map(|_| ()).ok_or_else(|| speech_error(FailureCode::ProviderJobMissing))
    }

    fn enter(&mut self, provider_id: &str, request: &SubmitRequest<'_>) {
        self.ledger.push(AcceptedJob {
            provider_id: provider_id.to_owned(),
            upload_url: request.upload_url.map(str::to_owned),
            callback: request.callback.digest(),
            listed: !self.lagging,
            erased: false,
        });
    }
}

#[async_trait]
impl SpeechToText for ScriptedSpeech {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        self.arrive(SpeechCall::Upload { audio: audio.to_owned() }).await;
        let number = self.count(SpeechMethod::Upload);
        let scripted = lock(&self.script).uploads.pop_front();
        scripted.unwrap_or_else(|| Ok(format!("https://engine.example/upload/{number}")))
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        self.arrive(SpeechCall::Submit {
            upload_url: request.upload_url.map(str::to_owned),
            options: request.options.clone(),
            timeout: request.timeout,
        })
        .await;
        let mut script = lock(&self.script);
        match script.submits.pop_front() {
            Some(SubmitScript::Answer(answer)) => {
                if let Ok(answer) = &answer {
                    script.enter(&answer.provider_id, &request);
                }
                answer
            }
            Some(SubmitScript::Lost) => {
                script.accept(&request, self.check_after);
                Err(speech_error(FailureCode::SubmissionUnknown))
            }
            None => Ok(script.accept(&request, self.check_after)),
        }
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.arrive(SpeechCall::Find { wanted: wanted.len() }).await;
        let mut script = lock(&self.script);
        match script.finds.pop_front() {
            Some(error) => Err(error),
            None => Ok(wanted.iter().map(|wanted| script.find(wanted)).collect()),
        }
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        _jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        let name = provider_id.to_owned();
        self.arrive(SpeechCall::Poll { provider_id: name, polls, since }).await;
        let mut script = lock(&self.script);
        script.polls.pop_front().unwrap_or_else(|| {
            Ok(match script.known(provider_id) {
                Ok(()) => PollAnswer::Finished,
                Err(missing) => PollAnswer::Failed(missing),
            })
        })
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        let (name, video_url) = (provider_id.to_owned(), video_url.to_owned());
        self.arrive(SpeechCall::Result { provider_id: name, video_url }).await;
        let mut script = lock(&self.script);
        script.results.pop_front().unwrap_or_else(|| {
            script.known(provider_id)?;
            Ok(small_transcript())
        })
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.arrive(SpeechCall::Erase { provider_id: provider_id.to_owned() }).await;
        let mut script = lock(&self.script);
        script.erasures.pop_front().unwrap_or(Ok(()))?;
        for job in script.ledger.iter_mut().filter(|job| job.provider_id == provider_id) {
            job.erased = true;
        }
        Ok(())
    }
}

/// An error of an engine with nothing but its code.
pub fn speech_error(code: FailureCode) -> SpeechError {
    SpeechError { code, retry_after: None, detail: None }
}

/// Two English words in one second.
pub fn small_transcript() -> Transcript {
    let word = |text: &str, start_ms: u64, end_ms: u64| Word {
        text: text.to_owned(),
        start_ms,
        end_ms,
        confidence: Some(0.9),
        speaker: None,
    };
    Transcript {
        text: String::from("Hello world."),
        language: Some(Language::Tag(String::from("en"))),
        confidence: Some(0.9),
        duration_ms: Some(1_000),
        words: vec![word("Hello", 0, 400), word("world.", 500, 1_000)],
        utterances: Vec::new(),
    }
}
