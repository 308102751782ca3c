//! Whether there is a yt-dlp that may be let at `YouTube`.

use std::{
    fmt, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use application::ports::FetchError;
use domain::{FailureCode, text};
use tokio::{
    fs,
    io::AsyncReadExt,
    time::{self, Instant},
};

use super::{super::error::failed, LIMITS, command};
use crate::confinement::{Confinement, Ending};

/// The oldest version that is used: every older one lets a hostile page do harm.
const OLDEST: Version = Version(2026, 7, 4);

/// How long yt-dlp may take to tell its version. A bundled one unpacks itself first.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an answer is believed of a file that does not change: an installation can be updated
/// without a change of the file by which it is started, and a failure may have passed.
const BELIEVED: Duration = Duration::from_hours(1);
const FAILURE_BELIEVED: Duration = Duration::from_secs(30);

/// A version of yt-dlp, which is a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// Reads `2026.07.04`, also with the more that builds between releases add.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}.{:02}", self.0, self.1, self.2)
    }
}

/// Whether `YouTube` can be fetched from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum YouTubeState {
    /// With this version of yt-dlp.
    Ready(Version),
    /// yt-dlp is too old.
    Outdated(Version),
    /// A program is not installed.
    Missing(&'static str),
    /// yt-dlp does not tell its version.
    Broken(String),
}

impl fmt::Display for YouTubeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(version) => write!(f, "yt-dlp {version}"),
            Self::Outdated(version) => {
                write!(f, "yt-dlp {version} is too old, {OLDEST} is wanted at least")
            }
            Self::Missing(program) => write!(f, "{program} is not installed"),
            Self::Broken(why) => write!(f, "yt-dlp does not tell its version: {why}"),
        }
    }
}

/// yt-dlp and what it needs.
#[derive(Debug)]
pub(super) struct Tool {
    confinement: Confinement,
    ytdlp: Option<PathBuf>,
    ffmpeg: Option<PathBuf>,
    seen: Mutex<Option<Seen>>,
}

/// What was learnt of one state of the file.
#[derive(Debug, Clone)]
struct Seen {
    stamp: Stamp,
    until: Instant,
    state: YouTubeState,
}

/// Changes with the file.
type Stamp = (u64, u64, i64, i64);

/// The programs, by absolute paths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Programs<'a> {
    pub(super) ytdlp: &'a Path,
    pub(super) ffmpeg: &'a Path,
}

impl Tool {
    pub(super) fn new(
        ytdlp: Option<PathBuf>,
        ffmpeg: Option<PathBuf>,
        confinement: Confinement,
    ) -> Self {
        // They run in another folder, where a relative path would mean something else.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let (ytdlp, ffmpeg) = (ytdlp.map(absolute), ffmpeg.map(absolute));
        Self { confinement, ytdlp, ffmpeg, seen: Mutex::default() }
    }

    /// The programs, if they can be used.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn programs(&self) -> Result<Programs<'_>, FetchError> {
        let state = self.state().await;
        let code = match (&state, &self.ytdlp, &self.ffmpeg) {
            (YouTubeState::Ready(_), Some(ytdlp), Some(ffmpeg)) => {
                return Ok(Programs { ytdlp, ffmpeg });
            }
            (YouTubeState::Outdated(_), _, _) => FailureCode::YouTubeToolOutdated,
            // A busy machine is slow to answer; whatever it is, the operator mends it.
            (YouTubeState::Broken(_), _, _) => FailureCode::LocalResource,
            _ => FailureCode::YouTubeUnavailable,
        };
        Err(failed(code, state.to_string()))
    }

    /// Whether they can be used.
    pub(super) async fn state(&self) -> YouTubeState {
        let Some(ytdlp) = &self.ytdlp else { return YouTubeState::Missing("yt-dlp") };
        let Ok(found) = fs::metadata(ytdlp).await else { return YouTubeState::Missing("yt-dlp") };
        let Some(ffmpeg) = &self.ffmpeg else { return YouTubeState::Missing("ffmpeg") };
        if fs::metadata(ffmpeg).await.is_err() {
            return YouTubeState::Missing("ffmpeg");
        }
        let stamp = (found.ino(), found.size(), found.mtime(), found.mtime_nsec());
        let now = Instant::now();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(seen) = seen.filter(|seen| seen.stamp == stamp && now < seen.until) {
            return seen.state;
        }
        let state = self.ask(ytdlp).await;
        let failure = matches!(state, YouTubeState::Broken(_));
        let until = now + if failure { FAILURE_BELIEVED } else { BELIEVED };
        let seen = Seen { stamp, until, state: state.clone() };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        state
    }

    async fn ask(&self, ytdlp: &Path) -> YouTubeState {
        let said = match time::timeout(PATIENCE, self.version(ytdlp)).await {
            Ok(Ok((Ending::Code(0), said))) => said,
            Ok(Ok((ending, _))) => return YouTubeState::Broken(format!("{ending:?}")),
            Ok(Err(error)) => return YouTubeState::Broken(error.to_string()),
            Err(_) => return YouTubeState::Broken(format!("not within {PATIENCE:?}")),
        };
        match Version::parse(&said) {
            Some(version) if version >= OLDEST => YouTubeState::Ready(version),
            Some(version) => YouTubeState::Outdated(version),
            None => YouTubeState::Broken(text::tame(&said, 40)),
        }
    }

    async fn version(&self, ytdlp: &Path) -> io::Result<(Ending, String)> {
        // Only to unpack itself into, for a bundled one.
        let home = std::env::temp_dir();
        let mut command = self.confinement.command(ytdlp, &LIMITS);
        command.args(["--ignore-config", "--no-plugin-dirs", "--version"]).current_dir(&home);
        command.envs(command::environment(ytdlp, &home)).env("HOME", &home).env("TMPDIR", &home);
        let mut running = self.confinement.start(command)?;
        // Nobody listens to the other one, but a warning must find it open.
        let (stdout, _stderr) = running.outputs();
        let mut said = String::new();
        if let Some(stdout) = stdout {
            stdout.take(1_024).read_to_string(&mut said).await?;
        }
        Ok((running.ended().await?, said))
    }
}

#[cfg(test)]
mod tests {
    use super::{OLDEST, Version};

    #[test]
    fn versions_are_dates_and_compare_as_such() {
        for (text, used) in [
            ("2026.10.26\n", true),
            ("2026.07.04", true),
            ("2026.7.4", true),
            ("2026.07.04.233001", true),
            ("2027.01.01", true),
            ("2026.07.03", false),
            ("2025.12.31", false),
            ("2023.03.04", false),
        ] {
            let version = Version::parse(text);
            assert_eq!(version.map(|version| version >= OLDEST), Some(used), "{text}");
        }
        for text in ["", "yt-dlp", "2026.07", "2026-07-04", "v2026.07.04"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        assert_eq!(OLDEST.to_string(), "2026.07.04");
    }
}
