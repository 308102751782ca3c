//! Bringing audio here: a guarded fetch into a folder of the job's own, then a look at what came.
//!
//! Invariant: `http` holds the only client of the program that follows an address which a user has
//! named. It connects to nothing that [`AddressPolicy`] has not admitted, and what it fetched goes
//! nowhere but into the folder. `youtube` follows no address of a user: it makes one of an id.

mod address;
mod body;
mod claim;
pub(crate) mod disk;
mod error;
mod folder;
mod http;
mod probe;
mod upload;
mod youtube;

use std::{path::PathBuf, sync::Arc, time::Duration};

use application::ports::{AudioFile, FetchError, MediaSource, PortFailure, Progress};
use async_trait::async_trait;
use domain::{
    AddressPolicy, FailureCode, MediaUrl, Source, SourceFacts, TranscriptionId, UploadedFile,
    YouTubeId,
};
use tokio::time;

pub use address::{Resolver, SystemResolver};
pub use claim::ClaimedFolder;
pub use disk::{FreeSpace, SystemFreeSpace};
pub use youtube::{Version, YouTubeState};

use crate::confinement::Confinement;
use body::BodyLimits;
use disk::Floor;
use error::failed;
use folder::{JobFolder, WorkDir};
use http::GuardedHttp;
use probe::Ffprobe;
use youtube::{Kept, YouTube, YouTubeParts};

use crate::objects::Objects;

/// What a [`MediaLibrary`] needs to know.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Where the folders of the jobs lie; made when it is needed. Belongs to the library alone: see
    /// [`MediaLibrary::holding`] for where others may want it, too.
    pub work_dir: PathBuf,
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// What a fetch leaves free on the disk of `work_dir`, in bytes; one that would leave less fails
    /// as [`FailureCode::LocalResource`]. A few hundred KiB that are still on their way to the disk
    /// are not counted.
    pub min_free_bytes: u64,
    /// Longest recording, in seconds; judged only where there is an ffprobe.
    pub max_seconds: u64,
    /// Which addresses may be fetched from.
    pub policy: AddressPolicy,
    /// The program, as a path (not searched on `PATH`); without it recordings are not looked at.
    pub ffprobe: Option<PathBuf>,
    /// yt-dlp, as a path; without it, or without `ffmpeg`, no video of `YouTube` is fetched.
    pub ytdlp: Option<PathBuf>,
    /// The program by which yt-dlp converts sound, as a path.
    pub ffmpeg: Option<PathBuf>,
    /// By what these programs are held.
    pub confinement: Confinement,
    /// How slow the other side may be.
    pub limits: FetchLimits,
}

/// How slow things may be.
#[derive(Debug, Clone)]
pub struct FetchLimits {
    /// A fetch as a whole, the look at the file included.
    pub total: Duration,
    /// One request: from the look-up of the name to the end of the answer's head.
    pub answer: Duration,
    /// The span over which the pace of a body is judged.
    pub pace_window: Duration,
    /// The fewest bytes of a body that must come in such a span.
    pub pace_bytes: u64,
    /// One run of ffprobe.
    pub probe: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            total: Duration::from_mins(30),
            answer: Duration::from_secs(30),
            pace_window: Duration::from_secs(30),
            // 10 KiB a second: half of what the poorest recording of speech takes to play.
            pace_bytes: 30 * 10 * 1_024,
            probe: Duration::from_secs(30),
        }
    }
}

/// Audio of media files on the web and of videos on `YouTube`, kept in a folder for each job until
/// the job gives it up.
pub struct MediaLibrary {
    work: WorkDir,
    http: GuardedHttp,
    youtube: YouTube,
    probe: Option<Ffprobe>,
    body: BodyLimits,
    floor: Floor,
    max_seconds: u64,
    total: Duration,
    uploads: Option<Arc<Objects>>,
    claimed: Option<ClaimedFolder>,
}

impl MediaLibrary {
    /// A library that looks names up with the resolver of the machine.
    pub fn new(config: MediaConfig) -> Self {
        Self::with_resolver(config, Arc::new(SystemResolver))
    }

    /// A library that looks names up with `resolver`.
    pub fn with_resolver(config: MediaConfig, resolver: Arc<dyn Resolver>) -> Self {
        let MediaConfig {
            work_dir,
            max_bytes,
            min_free_bytes,
            max_seconds,
            policy,
            ffprobe,
            ytdlp,
            ffmpeg,
            confinement,
            limits,
        } = config;
        let probe = |program| Ffprobe::new(program, limits.probe, confinement.clone());
        Self {
            work: WorkDir::new(work_dir),
            http: GuardedHttp::new(policy, resolver, limits.answer),
            probe: ffprobe.map(probe),
            youtube: YouTube::new(YouTubeParts {
                ytdlp,
                ffmpeg,
                confinement,
                max_bytes,
                max_seconds,
                total: limits.total,
            }),
            body: BodyLimits {
                max_bytes,
                window: limits.pace_window,
                window_bytes: limits.pace_bytes,
            },
            floor: Floor { disk: Arc::new(SystemFreeSpace), min_free_bytes },
            max_seconds,
            total: limits.total,
            uploads: None,
            claimed: None,
        }
    }

    /// The same library, which finds the files that users handed in with `uploads`.
    #[must_use]
    pub fn with_uploads(mut self, uploads: Arc<Objects>) -> Self {
        self.uploads = Some(uploads);
        self
    }

    /// The same library, which works in `claimed`, holds it for as long as it lives, and clears what
    /// processes that are gone left beside it.
    #[must_use]
    pub fn holding(mut self, claimed: ClaimedFolder) -> Self {
        self.work = WorkDir::new(claimed.path());
        self.claimed = Some(claimed);
        self
    }

    /// The same library, which measures its disk with `disk` instead of asking the machine.
    #[must_use]
    pub fn measuring(mut self, disk: Arc<dyn FreeSpace>) -> Self {
        self.floor.disk = disk;
        self
    }

    /// Whether videos of `YouTube` can be fetched. The first time, and when yt-dlp has changed, this
    /// asks it for its version, which takes a moment.
    pub async fn youtube(&self) -> YouTubeState {
        self.youtube.state().await
    }

    /// Fetches what `bring` brings, unless it is here already, within [`FetchLimits::total`].
    async fn fetch_in_time(
        &self,
        folder: &JobFolder,
        bring: impl Future<Output = Result<u64, FetchError>>,
    ) -> Result<AudioFile, FetchError> {
        if let Ok(fetched) = time::timeout(self.total, self.fetch_here(folder, bring)).await {
            return fetched;
        }
        // It may have been complete, and only not yet looked at.
        tidied(folder.remove_audio().await);
        let detail = format!("not done after {} s", self.total.as_secs());
        Err(failed(FailureCode::SourceUnreachable, detail))
    }

    /// Fetches the sound of a video, which looks after its time itself: what runs must be ended
    /// before the folder can be cleared.
    async fn fetch_youtube(
        &self,
        folder: &JobFolder,
        id: &YouTubeId,
        progress: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        let Kept { bytes, said } = match youtube::kept(folder).await? {
            Some(kept) => kept,
            None => self.youtube.fetch(folder, id, &self.floor, progress).await?,
        };
        let looked = self.look_at(folder).await;
        if looked.is_err() {
            tidied(folder.remove().await);
        }
        let measured = looked?;
        let facts = SourceFacts {
            title: said.title.or(measured.title),
            duration_ms: measured.duration_ms.or(said.duration_ms),
        };
        Ok(AudioFile { path: folder.audio(), bytes, facts })
    }

    async fn fetch_here(
        &self,
        folder: &JobFolder,
        bring: impl Future<Output = Result<u64, FetchError>>,
    ) -> Result<AudioFile, FetchError> {
        let bytes = match folder.complete().await? {
            Some(bytes) => bytes,
            None => bring.await?,
        };
        let looked = self.look_at(folder).await;
        if looked.is_err() {
            tidied(folder.remove().await);
        }
        Ok(AudioFile { path: folder.audio(), bytes, facts: looked? })
    }

    async fn download(&self, folder: &JobFolder, url: &MediaUrl) -> Result<u64, FetchError> {
        let answer = self.http.open(url).await?;
        let mut part = folder.begin().await?;
        let room = self.floor.room(folder.path(), answer.content_length());
        let bytes = body::save(answer, &mut part, self.body, room).await?;
        folder.finish(part).await?;
        Ok(bytes)
    }

    async fn bring(&self, folder: &JobFolder, file: &UploadedFile) -> Result<u64, FetchError> {
        let Some(objects) = &self.uploads else {
            return Err(failed(FailureCode::Internal, "nothing here keeps uploads"));
        };
        upload::bring(objects, file, folder, self.body.max_bytes, &self.floor).await
    }

    async fn look_at(&self, folder: &JobFolder) -> Result<SourceFacts, FetchError> {
        let Some(probe) = &self.probe else { return Ok(SourceFacts::default()) };
        let facts = probe.look_at(folder.path()).await?;
        match facts.duration_ms {
            Some(ms) if ms > self.max_seconds.saturating_mul(1_000) => Err(failed(
                FailureCode::SourceTooLong,
                format!("{} s long, {} s allowed", ms / 1_000, self.max_seconds),
            )),
            Some(_) | None => Ok(facts),
        }
    }
}

#[async_trait]
impl MediaSource for MediaLibrary {
    async fn fetch(
        &self,
        job: TranscriptionId,
        source: &Source,
        progress: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        let folder = self.work.of(job);
        let fetched = match source {
            Source::Media(url) => self.fetch_in_time(&folder, self.download(&folder, url)).await,
            Source::Upload(file) => self.fetch_in_time(&folder, self.bring(&folder, file)).await,
            Source::YouTube(id) => self.fetch_youtube(&folder, id, progress).await,
        };
        if fetched.is_err() {
            tidied(folder.remove_empty().await);
        }
        fetched
    }

    async fn discard(&self, job: TranscriptionId) -> Result<(), PortFailure> {
        let removed = self.work.of(job).remove().await;
        removed.map_err(|error| PortFailure::transient("media.discard", error))
    }

    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        let kept = async {
            if let Some(claimed) = &self.claimed {
                claimed.clear_abandoned().await?;
            }
            self.work.kept().await
        };
        kept.await.map_err(|error| PortFailure::transient("media.kept", error))
    }
}

/// What a failed fetch leaves is swept up later; whoever runs the service should know.
fn tidied(removed: std::io::Result<()>) {
    if let Err(error) = removed {
        tracing::warn!(event = "media_leftover", %error, "a failed fetch left something behind");
    }
}
