//! Looking for submissions whose answer was lost among the jobs that the engine has accepted.
//!
//! A job is known again by its audio, of which no other submission has the address, or by the
//! token in its callback address. To say that the engine lacks one allows it to be paid for once
//! more, so everything that leaves a doubt about the list is an error.

use application::ports::{SpeechError, Wanted};
use chrono::{DateTime, TimeDelta, Utc};
use domain::FailureCode;
use futures_util::{StreamExt as _, TryStreamExt as _, future::ready, stream};
use tokio::time::timeout;

use super::{
    AssemblyAi,
    classify::{Call, failure},
    http, job,
    listed::{Item, Page, Told},
};

/// How many jobs a page holds: the most that the engine gives.
const PAGE: &str = "200";
/// How many pages are read at most.
const MAX_PAGES: u32 = 250;
/// How many jobs, whose audio the list does not tell, are asked for at most.
const MAX_LOOKS: usize = 50;
/// How many deleted ones are asked for at most. There may be any number: this service deletes all
/// that it has stored, under names that it knew, and whoever deletes a lost one does so by hand.
const MAX_DELETED_LOOKS: usize = 10;
/// How many of these are asked for at once.
const LOOKS_AT_ONCE: usize = 4;

/// How far before a submission was written down the list is read: what the clocks here and there
/// may differ by.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// A listed job about whose audio the list is silent.
#[derive(Debug)]
struct Silent {
    id: String,
    created: DateTime<Utc>,
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
            let sinces: Vec<_> = open.iter().map(|at| wanted[*at].since).collect();
            for told in self.ask_silent(shown.silent, &sinces).await? {
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
                let created = item.created().ok_or_else(broken)?;
                // Out of order, an old job would no longer be a sign that the rest is older.
                let newer =
                    created.checked_sub_signed(SLACK).is_some_and(|created| created > oldest);
                if before.as_ref() == Some(&item.id) || newer {
                    return Err(broken());
                }
                oldest = oldest.min(created);
                shown.take(item, created, urls, horizon);
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
        if page.is_whole() { Ok(page) } else { Err(broken()) }
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

    /// Asks for the jobs about which the list is silent.
    async fn ask_silent(
        &self,
        silent: Vec<Silent>,
        open: &[DateTime<Utc>],
    ) -> Result<Vec<Told>, SpeechError> {
        let (mut deleted, mut asked): (Vec<_>, Vec<_>) =
            silent.into_iter().partition(|item| item.deleted);
        if asked.len() > MAX_LOOKS {
            return Err(broken());
        }
        // A job whose answer was lost was made shortly after it was written down.
        let away = |item: &Silent| open.iter().map(|since| (item.created - *since).abs()).min();
        deleted.sort_by_key(away);
        asked.extend(deleted.into_iter().take(MAX_DELETED_LOOKS));
        let questions: Vec<_> = asked.iter().map(|item| self.tell(item)).collect();
        let answers = stream::iter(questions).buffered(LOOKS_AT_ONCE);
        answers.try_filter_map(|told| ready(Ok(told))).try_collect().await
    }

    /// What such a job says of itself, if it is still there.
    async fn tell(&self, item: &Silent) -> Result<Option<Told>, SpeechError> {
        match self.told(&item.id).await {
            Ok(told) if item.deleted || told.is_telling() => Ok(Some(told)),
            Ok(_) => Err(broken()),
            Err(gone) if gone.code == FailureCode::ProviderJobMissing => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn told(&self, id: &str) -> Result<Told, SpeechError> {
        let told: Told = self.get(Call::Poll, id).await?.read()?;
        if told.id == id { Ok(told) } else { Err(broken()) }
    }
}

impl Shown {
    /// Takes in a job.
    fn take(
        &mut self,
        item: &Item,
        created: DateTime<Utc>,
        urls: &[Option<&str>],
        horizon: DateTime<Utc>,
    ) {
        match item.audio() {
            Some(audio) => {
                for (fitting, _) in
                    self.fitting.iter_mut().zip(urls).filter(|(_, url)| **url == Some(audio))
                {
                    fitting.push(item.id.clone());
                }
            }
            None if created >= horizon => {
                let deleted = item.is_deleted();
                self.silent.push(Silent { id: item.id.clone(), created, deleted });
            }
            None => {}
        }
    }
}

/// The list, or a part of it, cannot be relied upon.
fn broken() -> SpeechError {
    failure(FailureCode::ProviderProtocol)
}
