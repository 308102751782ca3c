//! A source of audio that does as a test tells it.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::PathBuf,
    sync::Mutex,
};

use application::ports::{AudioFile, FetchError, MediaSource, PortFailure, Progress};
use async_trait::async_trait;
use domain::{FailureCode, Source, SourceFacts, TranscriptionId};
use tokio::sync::watch;

use super::{Gate, lock};

/// What stands in every file; nothing that could be played.
const BYTES: &[u8] = b"audio";

/// A call that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCall {
    /// [`MediaSource::fetch`] of a source for a job.
    Fetch(TranscriptionId, Source),
    /// [`MediaSource::discard`] for a job.
    Discard(TranscriptionId),
}

#[derive(Default)]
struct Script {
    fetches: VecDeque<Result<SourceFacts, FetchError>>,
    calls: Vec<MediaCall>,
    kept: BTreeMap<TranscriptionId, PathBuf>,
    refused: Vec<(Source, FailureCode)>,
}

impl Script {
    fn unscripted(&self, source: &Source) -> Result<SourceFacts, FetchError> {
        match self.refused.iter().find(|(refused, _)| refused == source) {
            Some((_, code)) => Err(fetch_error(*code)),
            None => Ok(SourceFacts { title: None, duration_ms: Some(1_000) }),
        }
    }
}

/// Has the audio of every source, one second long and without a title, except where the script
/// says otherwise. Each answer of the script is given once, in order.
#[derive(Default)]
pub struct ScriptedMedia {
    directory: Option<PathBuf>,
    script: Mutex<Script>,
    gate: Gate,
    share: watch::Sender<f64>,
}

impl ScriptedMedia {
    /// Writes a small file for each job into `directory`, which must exist. The default writes
    /// nothing and names paths that do not exist, which is enough for a scripted engine.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), ..Self::default() }
    }

    /// Scripts what the next fetch finds.
    pub fn next_fetch(&self, answer: Result<SourceFacts, FetchError>) {
        lock(&self.script).fetches.push_back(answer);
    }

    /// Refuses `source`, whenever the script has no answer.
    pub fn refuse(&self, source: Source, code: FailureCode) {
        lock(&self.script).refused.push((source, code));
    }

    /// Where fetches stop after they arrived and before they have any effect.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Fetches that stand before the gate tell that they have got so far.
    pub fn reach(&self, share: f64) {
        self.share.send_replace(share);
    }

    /// Every call so far, in the order of arrival.
    pub fn calls(&self) -> Vec<MediaCall> {
        lock(&self.script).calls.clone()
    }

    /// How often something was fetched.
    pub fn fetches(&self) -> usize {
        let fetch = |call: &&MediaCall| matches!(call, MediaCall::Fetch(..));
        lock(&self.script).calls.iter().filter(fetch).count()
    }

    fn write(&self, job: TranscriptionId) -> io::Result<PathBuf> {
        let name = format!("{job}.wav");
        match &self.directory {
            None => Ok(PathBuf::from("in-memory").join(name)),
            Some(directory) => {
                let path = directory.join(name);
                fs::write(&path, BYTES)?;
                Ok(path)
            }
        }
    }
}

#[async_trait]
impl MediaSource for ScriptedMedia {
    async fn fetch(
        &self,
        job: TranscriptionId,
        source: &Source,
        progress: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        lock(&self.script).calls.push(MediaCall::Fetch(job, source.clone()));
        let mut reached = self.share.subscribe();
        let telling = async {
            while reached.changed().await.is_ok() {
                progress.at(*reached.borrow_and_update());
            }
        };
        tokio::select! {
            () = self.gate.pass() => {}
            () = telling => {}
        }
        let mut script = lock(&self.script);
        let facts = script.fetches.pop_front().unwrap_or_else(|| script.unscripted(source))?;
        let path = self.write(job).map_err(|error| FetchError {
            detail: error.to_string(),
            ..fetch_error(FailureCode::LocalResource)
        })?;
        script.kept.insert(job, path.clone());
        Ok(AudioFile { path, bytes: BYTES.len() as u64, facts })
    }

    async fn discard(&self, job: TranscriptionId) -> Result<(), PortFailure> {
        let mut script = lock(&self.script);
        script.calls.push(MediaCall::Discard(job));
        match script.kept.remove(&job).filter(|_| self.directory.is_some()) {
            Some(path) => fs::remove_file(path)
                .map_err(|error| PortFailure::permanent("media.discard", error)),
            None => Ok(()),
        }
    }

    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(lock(&self.script).kept.keys().copied().collect())
    }
}

/// An error of a source with nothing but its code.
pub fn fetch_error(code: FailureCode) -> FetchError {
    FetchError { code, retry_after: None, detail: String::from("scripted") }
}
