//! AssemblyAI, by version 2 of its API.
//!
//! A call is made once and has a deadline; trying again is the job engine's decision. Nothing of
//! a key, a transcript or an address is logged.

mod classify;
mod config;
mod http;
mod language;
mod listed;
mod listing;
mod schedule;
mod upload;
mod wire;

use std::{fmt, path::Path, sync::Arc};

use application::ports::{
    Capabilities, Clock, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{FailureCode, Transcript};
use reqwest::Method;

pub use config::{AssemblyAiConfig, ConfigError, Deadlines};

use classify::{Call, failure};
use config::Callbacks;
use http::{Caller, Fault, Reply};
use wire::{Created, Job, JobRequest, Progress, Standing};

/// The engine.
pub struct AssemblyAi {
    caller: Caller,
    models: Vec<String>,
    deadlines: Deadlines,
    callbacks: Option<Callbacks>,
    clock: Arc<dyn Clock>,
}

impl AssemblyAi {
    /// An engine that works for the account behind the key of `config`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn new(config: AssemblyAiConfig, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let caller = config.caller()?;
        let callbacks = config.callbacks()?;
        Ok(Self { caller, models: config.models, deadlines: config.deadlines, callbacks, clock })
    }

    /// Asks for a job, whether for its state or for its result.
    async fn get(&self, call: Call, provider_id: &str) -> Result<Reply, SpeechError> {
        let (deadline, cap) = match call {
            Call::Result => (self.deadlines.result, http::MAX_RESULT),
            // The state comes with the whole transcript once there is one.
            _ => (self.deadlines.poll, http::MAX_RESULT),
        };
        let request = self.caller.request(Method::GET, &["v2", "transcript", job(provider_id)?]);
        let reply = self.caller.send(call, request, deadline, cap).await;
        self.answered(call, reply.map_err(|_| failure(FailureCode::ProviderUnavailable))?)
    }

    /// Lets a 2xx pass and turns anything else into what it means.
    fn answered(&self, call: Call, reply: Reply) -> Result<Reply, SpeechError> {
        if reply.status.is_success() {
            Ok(reply)
        } else {
            Err(self.caller.discreet(classify::refusal(call, &reply)))
        }
    }
}

#[async_trait]
impl SpeechToText for AssemblyAi {
    fn name(&self) -> &'static str {
        "assemblyai"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            needs_audio: true,
            resubmission_is_harmless: false,
            limited_concurrency: true,
        }
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        let reply = upload::send(&self.caller, &self.deadlines, audio).await?;
        self.answered(Call::Upload, reply)?.read::<wire::Uploaded>().and_then(wire::Uploaded::url)
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        // Without audio there is nothing to send: the caller's mistake, and surely not accepted.
        let audio_url = request.upload_url.ok_or_else(|| failure(FailureCode::Internal))?;
        let webhook_url = self.callbacks.as_ref().map(|at| at.address(request.callback));
        let body = JobRequest::new(audio_url, &self.models, request.options, webhook_url);
        let post = self.caller.request(Method::POST, &["v2", "transcript"]).json(&body);
        let unknown = || failure(FailureCode::SubmissionUnknown);
        let reply =
            match self.caller.send(Call::Submit, post, request.timeout, http::MAX_ANSWER).await {
                Ok(reply) => reply,
                Err(Fault::NotSent) => return Err(failure(FailureCode::ProviderUnavailable)),
                Err(Fault::Lost) => return Err(unknown()),
            };
        if reply.status.is_success() {
            let created: Created = reply.read().map_err(|_| unknown())?;
            job(&created.id).map_err(|_| unknown())?;
            return Ok(SubmitAnswer { provider_id: created.id, check_after: schedule::first() });
        }
        Err(self.caller.discreet(classify::refused_submission(&reply)))
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.look_for(wanted).await
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        let answer = match self.get(Call::Poll, provider_id).await {
            Ok(reply) => reply.read::<Progress>()?.of(provider_id)?,
            // An answer about the job, not a fault of the question.
            Err(gone) if gone.code == FailureCode::ProviderJobMissing => {
                return Ok(PollAnswer::Failed(gone));
            }
            Err(error) => return Err(error),
        };
        Ok(match answer {
            Standing::Working => {
                let age = self.clock.now() - since;
                PollAnswer::Pending { check_after: schedule::next(polls, age, jitter) }
            }
            Standing::Completed => PollAnswer::Finished,
            Standing::Deleted => PollAnswer::Failed(failure(FailureCode::ProviderJobMissing)),
            Standing::Failed(words) => {
                PollAnswer::Failed(self.caller.discreet(classify::job_error(words.as_deref())))
            }
        })
    }

    async fn result(&self, provider_id: &str, _video_url: &str) -> Result<Transcript, SpeechError> {
        let reply = self.get(Call::Result, provider_id).await?;
        match reply.read::<Progress>()?.of(provider_id)? {
            Standing::Completed => reply.read::<Job>()?.transcript(),
            Standing::Deleted => Err(failure(FailureCode::ProviderJobMissing)),
            Standing::Failed(words) => {
                Err(self.caller.discreet(classify::job_error(words.as_deref())))
            }
            Standing::Working => Err(failure(FailureCode::ProviderProtocol)),
        }
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        let Ok(id) = job(provider_id) else { return Ok(()) };
        let request = self.caller.request(Method::DELETE, &["v2", "transcript", id]);
        let deadline = self.deadlines.erase;
        let reply = self.caller.send(Call::Erase, request, deadline, http::MAX_RESULT).await;
        let reply = reply.map_err(|_| failure(FailureCode::ProviderUnavailable))?;
        match self.answered(Call::Erase, reply) {
            // The answer is the job without its data; a page of a proxy erased nothing.
            Ok(reply) if reply.read::<Created>()?.id == id => Ok(()),
            Ok(_) => Err(failure(FailureCode::ProviderProtocol)),
            Err(error) if error.code == FailureCode::ProviderJobMissing => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for AssemblyAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssemblyAi")
            .field("models", &self.models)
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}

/// The name of a job, if it can be part of a path.
///
/// # Errors
/// `provider_job_missing`: the engine gives no such names.
fn job(provider_id: &str) -> Result<&str, SpeechError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=128).contains(&provider_id.len()) && provider_id.bytes().all(plain) {
        Ok(provider_id)
    } else {
        Err(failure(FailureCode::ProviderJobMissing))
    }
}
