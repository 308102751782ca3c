//! A source that a killed process leaves as it was: all that it knows lies in a folder.

use std::{fs, io, path::PathBuf, time::Duration};

use application::ports::{AudioFile, FetchError, MediaSource, PortFailure, Progress};
use async_trait::async_trait;
use domain::{FailureCode, Source, SourceFacts, TranscriptionId};
use testkit::{fakes::fetch_error, fixtures};
use tokio::time::sleep;

/// How long a fetch takes.
const FETCH: Duration = Duration::from_millis(200);

/// Has the recording that the last part of a URL names.
pub(super) struct FolderMedia {
    dir: PathBuf,
}

impl FolderMedia {
    pub(super) fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn folder(&self, job: TranscriptionId) -> PathBuf {
        self.dir.join("work").join(job.to_string())
    }

    fn stumble(&self, job: TranscriptionId) -> PathBuf {
        self.dir.join("stumble").join(job.to_string())
    }

    /// Lets the next fetch for `job` fail.
    pub(super) fn stumbles(&self, job: TranscriptionId) -> io::Result<()> {
        fs::create_dir_all(self.stumble(job))
    }

    fn write(&self, job: TranscriptionId, wav: &[u8]) -> io::Result<PathBuf> {
        fs::create_dir_all(self.folder(job))?;
        let path = self.folder(job).join("audio.wav");
        fs::write(&path, wav)?;
        Ok(path)
    }
}

#[async_trait]
impl MediaSource for FolderMedia {
    async fn fetch(
        &self,
        job: TranscriptionId,
        source: &Source,
        progress: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        progress.at(0.5);
        sleep(FETCH).await;
        if fs::remove_dir(self.stumble(job)).is_ok() {
            return Err(fetch_error(FailureCode::SourceUnreachable));
        }
        let Source::Media(url) = source else {
            return Err(fetch_error(FailureCode::Internal));
        };
        let name = url.as_url().path().trim_start_matches('/');
        let wav = fixtures::by_name(name).expect("a fixture").wav;
        let path = self.write(job, wav).map_err(|error| FetchError {
            detail: error.to_string(),
            ..fetch_error(FailureCode::LocalResource)
        })?;
        Ok(AudioFile { path, bytes: wav.len() as u64, facts: SourceFacts::default() })
    }

    async fn discard(&self, job: TranscriptionId) -> Result<(), PortFailure> {
        match fs::remove_dir_all(self.folder(job)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PortFailure::transient("media.discard", error))
            }
            _ => Ok(()),
        }
    }

    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        let Ok(entries) = fs::read_dir(self.dir.join("work")) else { return Ok(Vec::new()) };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).map(TranscriptionId::from_uuid).collect())
    }
}
