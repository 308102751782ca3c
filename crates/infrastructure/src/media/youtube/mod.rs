//! `YouTube`, through yt-dlp in processes that are held on a short lead.
//!
//! Invariant: of what a user wrote, only the eleven characters of an id reach the command line, as
//! part of a URL that is made here. What yt-dlp says is data, what it writes stays in a folder of the
//! attempt, and only a file that is complete and within the limits leaves that. What it writes
//! elsewhere all the same is not taken for such a file.

mod attempt;
mod breaker;
mod command;
mod report;
mod tool;
mod wordings;

use std::{io, path::Path, time::Duration};

use application::ports::{FetchError, Progress};
use domain::{FailureCode, SourceFacts, YouTubeId};
use serde::{Deserialize, Serialize};
use tokio::{fs, time::Instant};

pub use tool::{Version, YouTubeState};

use super::{
    disk::Floor,
    error::{failed, local},
    folder::{JobFolder, Mark},
};
use crate::confinement::{Confinement, Ending, Limits, Running};
use attempt::{Attempt, Ended, Watch};
use breaker::Breaker;
use command::{Bounds, HOME, SOUND};
use report::{Facts, Report};
use tool::{Programs, Tool};

/// For all but the size of files, which is a setting. A JavaScript runtime reserves some 60 GiB of
/// addresses and uses little of them.
const LIMITS: Limits = Limits {
    cpu_seconds: 15 * 60,
    memory_bytes: 1 << 30,
    address_bytes: 128 << 30,
    file_bytes: 1 << 30,
    open_files: 256,
    processes: 32,
    resident_bytes: 3 << 29,
};

/// The smallest header of a WAV file: one that is no longer holds no sound.
const EMPTY_WAV: u64 = 44;

/// Fetches the sound of videos.
#[derive(Debug)]
pub(super) struct YouTube {
    tool: Tool,
    confinement: Confinement,
    breaker: Breaker,
    bounds: Bounds,
    total: Duration,
}

/// What a [`YouTube`] is made of.
pub(super) struct YouTubeParts {
    pub(super) ytdlp: Option<std::path::PathBuf>,
    pub(super) ffmpeg: Option<std::path::PathBuf>,
    pub(super) confinement: Confinement,
    pub(super) max_bytes: u64,
    pub(super) max_seconds: u64,
    pub(super) total: Duration,
}

impl YouTube {
    pub(super) fn new(parts: YouTubeParts) -> Self {
        let YouTubeParts { ytdlp, ffmpeg, confinement, max_bytes, max_seconds, total } = parts;
        Self {
            tool: Tool::new(ytdlp, ffmpeg, confinement.clone()),
            confinement,
            breaker: Breaker::default(),
            bounds: Bounds { max_bytes, max_seconds },
            total,
        }
    }

    /// Whether videos can be fetched.
    pub(super) async fn state(&self) -> YouTubeState {
        self.tool.state().await
    }

    /// Makes the sound of a video the complete file of `folder`.
    pub(super) async fn fetch(
        &self,
        folder: &JobFolder,
        id: &YouTubeId,
        floor: &Floor,
        progress: &dyn Progress,
    ) -> Result<Kept, FetchError> {
        let programs = self.tool.programs().await?;
        self.breaker.check(Instant::now())?;
        let part = folder.begin_folder().await?;
        let mut attempt = Attempt::new(part.clone());
        let watch = Watch { bounds: self.bounds, floor };
        let fetched = async {
            fs::create_dir(part.join(HOME)).await.map_err(|error| local("make a home", &error))?;
            let running = self.start(programs, id, &part);
            let running = running.map_err(|error| local("start yt-dlp", &error))?;
            let ended = attempt.run(running, watch, self.total, progress).await?;
            // What it has made is measured again: it may have grown since the last look.
            Watch { bounds: self.bounds, floor }.judge_at_end(part.clone()).await?;
            let bytes = judge(&ended, id, &part.join(SOUND), self.bounds).await?;
            let facts = ended.report.facts;
            let said = facts.source();
            let note = |mark| serde_json::to_vec(&Note { mark, facts }).unwrap_or_default();
            folder.adopt(&part.join(SOUND), note).await?;
            progress.at(1.0);
            Ok(Kept { bytes, said })
        };
        let fetched = fetched.await;
        super::tidied(attempt.clear().await);
        self.breaker.learn(Instant::now(), fetched)
    }

    fn start(&self, programs: Programs<'_>, id: &YouTubeId, part: &Path) -> io::Result<Running> {
        let largest = self.bounds.max_bytes.max(self.bounds.max_sound_bytes());
        // A little more, so that it is our own look that finds a file too large.
        let limits = Limits { file_bytes: largest.saturating_add(64 << 20), ..LIMITS };
        let mut command = self.confinement.command(programs.ytdlp, &limits);
        command
            .args(command::arguments(id, programs.ffmpeg, self.bounds))
            .envs(command::environment(programs.ytdlp, part))
            .current_dir(part);
        self.confinement.start(command)
    }
}

/// The complete file of a folder.
pub(super) struct Kept {
    /// Its size.
    pub(super) bytes: u64,
    /// What the source said about it.
    pub(super) said: SourceFacts,
}

/// What is remembered of a complete file.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    mark: Mark,
    facts: Facts,
}

/// The complete file of `folder`, if it is the one that a former attempt took for that.
pub(super) async fn kept(folder: &JobFolder) -> Result<Option<Kept>, FetchError> {
    let Some(bytes) = folder.complete().await? else { return Ok(None) };
    let Some((note, mark)) = folder.noted().await else { return Ok(None) };
    let note = serde_json::from_slice::<Note>(&note).ok().filter(|note| note.mark == mark);
    Ok(note.map(|note| Kept { bytes, said: note.facts.source() }))
}

/// The size of the sound that a run has made, or why it has made none.
async fn judge(
    ended: &Ended,
    id: &YouTubeId,
    sound: &Path,
    bounds: Bounds,
) -> Result<u64, FetchError> {
    let Ended { ending, report } = ended;
    match ending {
        Ending::Code(0) => {}
        Ending::Code(code) => return Err(complaint(*code, report, id)),
        Ending::NotStarted => {
            return Err(failed(FailureCode::YouTubeUnavailable, "yt-dlp cannot be started"));
        }
        ending if ending.is_from_outside() => {
            return Err(failed(FailureCode::LocalResource, format!("yt-dlp: {ending:?}")));
        }
        ending => return Err(failed(FailureCode::YouTubeFailed, format!("yt-dlp: {ending:?}"))),
    }
    // Not the target of a link: the file is ours only if it is here.
    match fs::symlink_metadata(sound).await {
        Ok(found) if found.is_file() && found.len() > EMPTY_WAV => Ok(found.len()),
        Ok(_) => Err(failed(FailureCode::NoAudio, "yt-dlp made an empty file")),
        Err(_) => Err(without_file(report, bounds)),
    }
}

/// yt-dlp ended with an error.
fn complaint(code: i32, report: &Report, id: &YouTubeId) -> FetchError {
    let said = if report.errors.is_empty() { &report.remarks } else { &report.errors };
    // 2 is a complaint about the command line, which is always the same.
    let unknown =
        if code == 2 { FailureCode::YouTubeUnavailable } else { FailureCode::YouTubeFailed };
    let meaning = wordings::meaning(&report.errors).unwrap_or(unknown);
    failed(meaning, format!("yt-dlp ended with {code}: {}", discreet(said, id)))
}

/// What was said, for the log: without addresses, which can hold secrets, and without the name of
/// the video, which is its user's own business.
fn discreet(said: &str, id: &YouTubeId) -> String {
    let word = |word| if str::contains(word, "://") { "(url)" } else { word };
    let words: Vec<_> = said.split_whitespace().map(word).collect();
    words.join(" ").replace(id.as_str(), "(id)")
}

/// yt-dlp was content, and made nothing.
fn without_file(report: &Report, bounds: Bounds) -> FetchError {
    let facts = &report.facts;
    #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^52")]
    let too_long = facts.duration.is_some_and(|seconds| seconds > bounds.max_seconds as f64);
    let code = match report {
        _ if report.filtered && facts.is_live() => FailureCode::YouTubeLive,
        _ if report.filtered && too_long => FailureCode::SourceTooLong,
        // A recording of unknown length is one that has not ended, or no recording.
        _ if report.filtered => FailureCode::YouTubeLive,
        _ if report.too_large => FailureCode::SourceTooLarge,
        _ => FailureCode::YouTubeFailed,
    };
    failed(code, "yt-dlp made no file")
}
