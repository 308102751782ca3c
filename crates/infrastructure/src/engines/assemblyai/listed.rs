//! How the list and its jobs are told.

use application::ports::Wanted;
use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{CallbackDigest, CallbackToken};
use serde::Deserialize;
use url::Url;

use super::wire::DELETED;

/// A page of the list, from the newest job to the oldest.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    page_details: PageDetails,
    pub(super) transcripts: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct PageDetails {
    limit: usize,
    result_count: usize,
    /// The page with *older* jobs. Only whether there is one: its address could lead the key
    /// anywhere.
    prev_url: Option<String>,
}

/// A job as the list tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    created: String,
    audio_url: Option<String>,
}

/// A job as it tells itself when asked for by name.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub(super) id: String,
    audio_url: Option<String>,
    webhook_url: Option<String>,
}

impl Page {
    /// Whether it holds as many jobs as it says.
    pub(super) fn is_whole(&self) -> bool {
        self.page_details.result_count == self.transcripts.len()
    }

    /// Whether there is none with older jobs. A full page that says so is not believed.
    pub(super) fn is_last(&self) -> bool {
        let full =
            !self.transcripts.is_empty() && self.transcripts.len() >= self.page_details.limit;
        self.page_details.prev_url.is_none() && !full
    }
}

impl Item {
    /// When it was accepted; `None` if that cannot be read.
    pub(super) fn created(&self) -> Option<DateTime<Utc>> {
        instant(&self.created)
    }

    /// Its audio; `None` where the list is silent about it.
    pub(super) fn audio(&self) -> Option<&str> {
        self.audio_url.as_deref().filter(|url| is_told(url))
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.audio_url.as_deref().is_some_and(|url| url.contains(DELETED))
    }
}

impl Told {
    pub(super) fn fits(&self, wanted: &Wanted<'_>) -> bool {
        let audio = wanted.upload_url.is_some() && self.audio_url.as_deref() == wanted.upload_url;
        audio || self.is_called_back(wanted.callback)
    }

    /// Whether it calls back with this token.
    pub(super) fn is_called_back(&self, wanted: Option<CallbackDigest>) -> bool {
        let url = self.webhook_url.as_deref().and_then(|url| Url::parse(url).ok());
        let token = url
            .as_ref()
            .and_then(|url| url.path_segments()?.next_back())
            .and_then(CallbackToken::parse);
        match (token, wanted) {
            (Some(token), Some(wanted)) => is_same(token.digest(), wanted),
            _ => false,
        }
    }

    /// Whether it says enough to be told from those that are wanted.
    pub(super) fn is_telling(&self) -> bool {
        self.audio_url.as_deref().is_some_and(is_told) || self.webhook_url.is_some()
    }
}

/// Whether this is the address of audio, and not what stands in its place.
fn is_told(audio_url: &str) -> bool {
    !audio_url.contains(DELETED)
        && Url::parse(audio_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Compares every byte, whatever the first ones say.
fn is_same(one: CallbackDigest, other: CallbackDigest) -> bool {
    let pairs = one.as_bytes().iter().zip(other.as_bytes());
    pairs.fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

/// Reads an instant; the engine writes them without a zone and means UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f");
    let zoned = || DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    naive.map(|at| at.and_utc()).or_else(|_| zoned()).ok()
}
