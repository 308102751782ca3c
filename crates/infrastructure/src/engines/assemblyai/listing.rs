//! Looking for submissions whose answer was lost among the jobs that the engine has accepted.
//!
//! A job is known again by its audio, of which no other submission has the address, or by the
//! token in its callback address. To say that the engine lacks one allows it to be paid for once
//! more, so everything that leaves a doubt about the list is an error.

use application::ports::{SpeechError, Wanted};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use domain::{CallbackDigest, CallbackToken, FailureCode};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::{
    AssemblyAi,
    classify::{Call, failure},
    http, job,
    wire::DELETED,
};

/// How many jobs a page holds: the most that the engine gives.
const PAGE: &str = "200";
/// How many pages are read at most.
const MAX_PAGES: u32 = 250;
/// How many jobs, whose audio the list does not tell, are asked for at most.
const MAX_LOOKS: usize = 50;
/// How many of these are asked for at once.
const LOOKS_AT_ONCE: usize = 4;

/// How far before a submission was written down the list is read: what the clocks here and there
/// may differ by.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// A page of the list, from the newest job to the oldest.
#[derive(Debug, Deserialize)]
struct Page {
    page_details: PageDetails,
    transcripts: Vec<Item>,
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
struct Item {
    id: String,
    created: String,
    audio_url: Option<String>,
}

/// A job as it tells itself when asked for by name.
#[derive(Debug, Deserialize)]
struct Told {
    id: String,
    audio_url: Option<String>,
    webhook_url: Option<String>,
}

/// A listed job about whose audio the list is silent.
#[derive(Debug)]
struct Silent {
    id: String,
    deleted: bool,
}

/// What the pages showed.
#[derive(Debug, Default)]
struct Shown {
    /// For each submission the jobs with its audio, the newest first.
    fitting: Vec<Vec<String>>,
    silent: Vec<Silent>,
}

impl AssemblyAi {
    /// The engine's names for submissions, `None` for those that a complete list lacks.
    pub(super) async fn look_for(
        &self,
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<Option<String>>, SpeechError> {
        let late = Err(failure(FailureCode::ProviderUnavailable));
        timeout(self.deadlines.find, self.search(wanted)).await.unwrap_or(late)
    }

    async fn search(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        let mut found = Vec::with_capacity(wanted.len());
        for one in wanted {
            found.push(self.hinted(one).await);
        }
        let missing = |found: &[Option<String>]| -> Vec<usize> {
            (0..wanted.len()).filter(|at| found[*at].is_none()).collect()
        };
        let open = missing(&found);
        let Some(since) = open.iter().map(|at| wanted[*at].since).min() else { return Ok(found) };
        let urls: Vec<_> = open.iter().map(|at| wanted[*at].upload_url).collect();
        let shown = self.pages(&urls, since - SLACK).await?;
        for (at, fitting) in open.into_iter().zip(&shown.fitting) {
            found[at] = self.choose(&wanted[at], fitting).await?;
        }
        let open = missing(&found);
        if !open.is_empty() {
            for told in self.ask_silent(shown.silent).await? {
                let fits = |at: &&usize| told.fits(&wanted[**at]);
                if let Some(at) = open.iter().find(fits) {
                    found[*at] = Some(told.id);
                }
            }
        }
        Ok(found)
    }

    /// The job of which a callback spoke, if it is the one that is wanted. Whatever goes wrong
    /// here: the list tells, too.
    async fn hinted(&self, wanted: &Wanted<'_>) -> Option<String> {
        let told = self.told(job(wanted.hinted_id?).ok()?).await.ok()?;
        told.fits(wanted).then_some(told.id)
    }

    /// Reads the list back to `horizon`, or until every audio was seen.
    async fn pages(
        &self,
        urls: &[Option<&str>],
        horizon: DateTime<Utc>,
    ) -> Result<Shown, SpeechError> {
        let mut shown = Shown { fitting: vec![Vec::new(); urls.len()], silent: Vec::new() };
        let mut oldest = DateTime::<Utc>::MAX_UTC;
        let mut before: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(before.as_deref()).await?;
            for item in &page.transcripts {
                let created = instant(&item.created).ok_or_else(broken)?;
                // Out of order, an old job would no longer be a sign that the rest is older.
                let newer =
                    created.checked_sub_signed(SLACK).is_some_and(|created| created > oldest);
                if before.as_ref() == Some(&item.id) || newer {
                    return Err(broken());
                }
                oldest = oldest.min(created);
                shown.take(item, urls, created >= horizon);
            }
            let all_seen = shown.fitting.iter().all(|fitting| !fitting.is_empty());
            if all_seen || oldest < horizon || page.is_last() {
                return Ok(shown);
            }
            let last = page.transcripts.last().ok_or_else(broken)?;
            before = Some(job(&last.id).map_err(|_| broken())?.to_owned());
        }
        Err(broken())
    }

    /// The newest jobs, or those that are older than the job `before`.
    async fn page(&self, before: Option<&str>) -> Result<Page, SpeechError> {
        let query: Vec<_> =
            [("limit", PAGE)].into_iter().chain(before.map(|id| ("before_id", id))).collect();
        let request = self.caller.ask(&["v2", "transcript"], &query);
        let deadline = self.deadlines.list;
        let reply = self.caller.send(Call::List, request, deadline, http::MAX_ANSWER).await;
        let reply = reply.map_err(|_| failure(FailureCode::ProviderUnavailable))?;
        let page: Page = self.answered(Call::List, reply)?.read()?;
        if page.page_details.result_count == page.transcripts.len() {
            Ok(page)
        } else {
            Err(broken())
        }
    }

    /// One of the jobs with the audio that is wanted: where there are several, that which calls
    /// back with the right token.
    async fn choose(
        &self,
        wanted: &Wanted<'_>,
        fitting: &[String],
    ) -> Result<Option<String>, SpeechError> {
        if fitting.len() > 1 {
            for id in fitting.iter().take(MAX_LOOKS) {
                if self.told(id).await?.is_called_back(wanted.callback) {
                    return Ok(Some(id.clone()));
                }
            }
        }
        Ok(fitting.first().cloned())
    }

    /// Asks for the jobs about which the list is silent. Of the deleted ones there may be any
    /// number, this service makes them itself, under names that it knew: of these as many are
    /// asked for as the others leave room for.
    async fn ask_silent(&self, mut silent: Vec<Silent>) -> Result<Vec<Told>, SpeechError> {
        if silent.iter().filter(|item| !item.deleted).count() > MAX_LOOKS {
            return Err(broken());
        }
        silent.sort_by_key(|item| item.deleted);
        silent.truncate(MAX_LOOKS);
        let asked = silent.iter().map(|item| async {
            match self.told(&item.id).await {
                Ok(told) if item.deleted || told.is_telling() => Ok(Some(told)),
                Ok(_) => Err(broken()),
                Err(gone) if gone.code == FailureCode::ProviderJobMissing => Ok(None),
                Err(error) => Err(error),
            }
        });
        let asked: Vec<_> = asked.collect();
        stream::iter(asked)
            .buffered(LOOKS_AT_ONCE)
            .try_filter_map(|told| async { Ok(told) })
            .try_collect()
            .await
    }

    async fn told(&self, id: &str) -> Result<Told, SpeechError> {
        let told: Told = self.get(Call::Poll, id).await?.read()?;
        if told.id == id { Ok(told) } else { Err(broken()) }
    }
}

impl Page {
    /// Whether there is none with older jobs. A full page that says so is not believed.
    fn is_last(&self) -> bool {
        let full =
            !self.transcripts.is_empty() && self.transcripts.len() >= self.page_details.limit;
        self.page_details.prev_url.is_none() && !full
    }
}

impl Shown {
    /// Takes in a job; `in_time` if it may be one of those that are wanted.
    fn take(&mut self, item: &Item, urls: &[Option<&str>], in_time: bool) {
        match item.audio_url.as_deref().filter(|url| is_told(url)) {
            Some(audio) => {
                for (fitting, _) in
                    self.fitting.iter_mut().zip(urls).filter(|(_, url)| **url == Some(audio))
                {
                    fitting.push(item.id.clone());
                }
            }
            None if in_time => {
                let deleted = item.audio_url.as_deref().is_some_and(|url| url.contains(DELETED));
                self.silent.push(Silent { id: item.id.clone(), deleted });
            }
            None => {}
        }
    }
}

impl Told {
    fn fits(&self, wanted: &Wanted<'_>) -> bool {
        let audio = wanted.upload_url.is_some() && self.audio_url.as_deref() == wanted.upload_url;
        audio || self.is_called_back(wanted.callback)
    }

    /// Whether it calls back with this token.
    fn is_called_back(&self, wanted: Option<CallbackDigest>) -> bool {
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
    fn is_telling(&self) -> bool {
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

/// The list, or a part of it, cannot be relied upon.
fn broken() -> SpeechError {
    failure(FailureCode::ProviderProtocol)
}
