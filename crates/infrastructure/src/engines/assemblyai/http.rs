//! One call: sent once, bounded in time and in size.

use std::{error::Error, time::Duration};

use application::ports::SpeechError;
use chrono::TimeDelta;
use domain::FailureCode;
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue, RETRY_AFTER},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::classify::{Call, failure};

/// Largest answer that carries a transcript, in bytes: ten hours of speech are about a third.
pub(super) const MAX_RESULT: usize = 64 * 1024 * 1024;
/// Largest answer that carries none.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;
/// Largest refusal that is read.
const MAX_REFUSAL: usize = 64 * 1024;

/// Makes the calls.
pub(super) struct Caller {
    client: Client,
    base_url: Url,
    key: HeaderValue,
}

/// A call that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The request was surely never written.
    NotSent,
    /// It may have arrived.
    Lost,
}

/// An answer, with as much of its body as could be read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<TimeDelta>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Whole(Vec<u8>),
    Cut,
    TooLarge,
}

impl Caller {
    pub(super) fn new(client: Client, base_url: Url, key: HeaderValue) -> Self {
        Self { client, base_url, key }
    }

    /// A request to a path below the base URL.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.request_to(method, self.url(path))
    }

    /// A question with a query to a path below the base URL.
    pub(super) fn ask(&self, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        self.request_to(Method::GET, url)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn request_to(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url).header(AUTHORIZATION, self.key.clone())
    }

    /// Sends it, and reads at most `cap` bytes of what comes back.
    pub(super) async fn send(
        &self,
        call: Call,
        request: RequestBuilder,
        deadline: Duration,
        cap: usize,
    ) -> Result<Reply, Fault> {
        let deadline = Instant::now() + deadline;
        let response = match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let not_sent = error.is_connect() || error.is_builder();
                report(call, &error.without_url());
                return Err(if not_sent { Fault::NotSent } else { Fault::Lost });
            }
            Err(elapsed) => {
                report(call, &elapsed);
                return Err(Fault::Lost);
            }
        };
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(seconds);
        let cap = if status.is_success() { cap } else { MAX_REFUSAL };
        let body = timeout_at(deadline, read(call, response, cap)).await.unwrap_or(Body::Cut);
        Ok(Reply { status, retry_after, body })
    }

    /// Takes the key out of what the engine said, should it have repeated it.
    pub(super) fn discreet(&self, mut error: SpeechError) -> SpeechError {
        if let (Some(detail), Ok(key)) = (&mut error.detail, self.key.to_str())
            && detail.contains(key)
        {
            *detail = detail.replace(key, "[key]");
        }
        error
    }
}

impl Reply {
    /// Reads the body of a success.
    ///
    /// # Errors
    /// `provider_unavailable` if it broke off, `provider_protocol` if it cannot be understood.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, SpeechError> {
        match &self.body {
            Body::Whole(bytes) => {
                serde_json::from_slice(bytes).map_err(|_| failure(FailureCode::ProviderProtocol))
            }
            Body::Cut => Err(failure(FailureCode::ProviderUnavailable)),
            Body::TooLarge => Err(failure(FailureCode::ProviderProtocol)),
        }
    }

    /// What the engine says about a refusal: its `error` text, or a body of plain text. `None`
    /// for pages, for JSON of another shape, and for nothing.
    pub(super) fn words(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
        }
        let Body::Whole(bytes) = &self.body else { return None };
        let text = std::str::from_utf8(bytes).ok()?.trim();
        let words = match text.chars().next()? {
            '{' => serde_json::from_str::<Refusal>(text).ok()?.error,
            '<' | '[' => return None,
            _ => text.to_owned(),
        };
        Some(words).filter(|words| !words.trim().is_empty())
    }
}

/// `Retry-After` in whole seconds; the form with a date is not used by the engine.
fn seconds(value: &HeaderValue) -> Option<TimeDelta> {
    let seconds: u32 = value.to_str().ok()?.trim().parse().ok()?;
    Some(TimeDelta::seconds(i64::from(seconds)))
}

async fn read(call: Call, mut response: Response, cap: usize) -> Body {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > cap => return Body::TooLarge,
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Body::Whole(bytes),
            Err(error) => {
                report(call, &error.without_url());
                return Body::Cut;
            }
        }
    }
}

/// The cause of a fault is nobody's business but the operator's, so it is logged here.
fn report(call: Call, error: &(dyn Error + 'static)) {
    tracing::warn!(
        event = "engine_call_failed",
        engine = "assemblyai",
        call = call.as_str(),
        error,
        "a call to the speech engine brought no answer"
    );
}
