//! What the engine must be told, and what it accepts of it.

use std::time::Duration;

use domain::CallbackToken;
use reqwest::{header::HeaderValue, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::http::Caller;

/// How to reach AssemblyAI, and as whom.
#[derive(Debug, Clone)]
pub struct AssemblyAiConfig {
    /// `https://api.assemblyai.com`, `https://api.eu.assemblyai.com`, or what speaks like them; a
    /// path in it is kept.
    pub base_url: Url,
    /// The key, as the account shows it.
    pub api_key: SecretString,
    /// The models to use, the preferred one first.
    pub models: Vec<String>,
    /// Where the service is reached from outside: AssemblyAI calls back there, and whoever can
    /// read along on the way has the tokens, so it should be https. `None` where it cannot be
    /// reached; then nobody is called back.
    pub public_url: Option<Url>,
    /// How long each call may take.
    pub deadlines: Deadlines,
}

/// How long each call may take, answer included. A submission brings its own deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Reaching the server, TLS included.
    pub connect: Duration,
    /// The whole of an upload.
    pub upload: Duration,
    /// The longest an upload may stand still, and the longest its answer may take after the last
    /// byte.
    pub stall: Duration,
    /// Asking how far a job is.
    pub poll: Duration,
    /// Reading a result.
    pub result: Duration,
    /// Erasing a job.
    pub erase: Duration,
    /// Reading one page of the list of jobs.
    pub list: Duration,
    /// Looking for lost submissions, all pages together. The caller may be less patient.
    pub find: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            upload: Duration::from_mins(20),
            stall: Duration::from_mins(1),
            poll: Duration::from_secs(30),
            result: Duration::from_secs(50),
            erase: Duration::from_secs(30),
            list: Duration::from_secs(20),
            find: Duration::from_mins(4),
        }
    }
}

/// Why a configuration cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither http nor https, or with a name and password in it.
    #[error("the base URL must be http or https, without a user")]
    BaseUrl,
    /// Empty, or not fit for a header.
    #[error("the key must be visible ASCII characters")]
    ApiKey,
    /// None, or an empty name.
    #[error("at least one model must be named, and none may be empty")]
    Models,
    /// Neither http nor https, or with a user, a query or a fragment in it.
    #[error("the public URL must be http or https, without user, query and fragment")]
    PublicUrl,
    /// No HTTP client can be had, for instance for want of root certificates.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

impl AssemblyAiConfig {
    /// A configuration with the usual deadlines.
    pub fn new(base_url: Url, api_key: SecretString, models: Vec<String>) -> Self {
        Self { base_url, api_key, models, public_url: None, deadlines: Deadlines::default() }
    }

    /// Where submissions are called back.
    pub(super) fn callbacks(&self) -> Result<Option<Callbacks>, ConfigError> {
        self.public_url.as_ref().map(Callbacks::below).transpose()
    }

    /// Checks everything else and builds what makes the calls.
    ///
    /// No call is retried, redirected, or sent through a proxy named by the environment: each of
    /// these could hand the key or a paid request to someone else, or make it twice. No connection
    /// is kept: one that the server closes just as it is used again would make a submission's
    /// outcome unknown, and between two questions it would rarely live anyway.
    pub(super) fn caller(&self) -> Result<Caller, ConfigError> {
        let web = matches!(self.base_url.scheme(), "http" | "https");
        let user = !self.base_url.username().is_empty() || self.base_url.password().is_some();
        if !web || user || self.base_url.cannot_be_a_base() {
            return Err(ConfigError::BaseUrl);
        }
        let key = self.api_key.expose_secret();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::ApiKey);
        }
        if self.models.is_empty() || self.models.iter().any(|model| model.trim().is_empty()) {
            return Err(ConfigError::Models);
        }
        let mut key = HeaderValue::from_str(key).map_err(|_| ConfigError::ApiKey)?;
        key.set_sensitive(true);
        let client = reqwest::Client::builder()
            .connect_timeout(self.deadlines.connect)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("saas-ia/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ConfigError::Client)?;
        Ok(Caller::new(client, self.base_url.clone(), key))
    }
}

/// Where submissions are called back.
pub(super) struct Callbacks(Url);

impl Callbacks {
    /// The address below that of the service.
    fn below(public_url: &Url) -> Result<Self, ConfigError> {
        let bare = public_url.username().is_empty()
            && public_url.password().is_none()
            && public_url.query().is_none()
            && public_url.fragment().is_none();
        let web = matches!(public_url.scheme(), "http" | "https");
        let mut url = public_url.clone();
        match url.path_segments_mut() {
            Ok(mut path) if bare && web => {
                path.pop_if_empty().extend(["api", "callbacks", "assemblyai"]);
            }
            _ => return Err(ConfigError::PublicUrl),
        }
        Ok(Self(url))
    }

    /// The address for one submission.
    pub(super) fn address(&self, token: &CallbackToken) -> String {
        format!("{}/{}", self.0, token.text())
    }
}
