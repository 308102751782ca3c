//! A look at what came, by `ffprobe` in a process of its own.
//!
//! The file is hostile until proven otherwise. The process is told to open no protocol but local
//! files and no container but the listed ones; it gets no environment, no input, a time limit and
//! little of the machine; what it says is data, read up to a cap.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use application::ports::FetchError;
use domain::{FailureCode, SourceFacts, text};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{
    fs,
    io::{AsyncRead, AsyncReadExt},
    time,
};

use super::{
    error::{failed, local},
    folder::AUDIO,
};
use crate::confinement::{Confinement, Ending, Limits, Running};

/// The demultiplexers that may see a file, by their names in `FFmpeg`.
///
/// A list of what is allowed, because the dangerous ones (playlists and scripts such as `hls`,
/// `dash`, `concat`, which open other files; images; text) are many and grow with every release.
/// These hold their sound in the one file. `mov` can refer to other files, but follows such
/// references only when told to.
const CONTAINERS: [&str; 30] = [
    "aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dss", "eac3",
    "flac", "flv", "iff", "loas", "matroska", "mov", "mp3", "mpeg", "mpegts", "mxf", "ogg", "qcp",
    "tta", "voc", "w64", "wav", "wv",
];

/// What is asked for; some containers keep their tags with the stream.
const ENTRIES: &str = "format=format_name,duration:format_tags=title:\
                       stream=codec_type,duration:stream_tags=title";

/// It reads one file and writes none.
const LIMITS: Limits = Limits {
    cpu_seconds: 60,
    memory_bytes: 1 << 30,
    address_bytes: 4 << 30,
    file_bytes: 0,
    open_files: 64,
    processes: 4,
    resident_bytes: 1 << 30,
};

const MAX_STDOUT: u64 = 1_024 * 1_024;
const MAX_STDERR: u64 = 64 * 1_024;
const MAX_TITLE_CHARS: usize = 300;

#[derive(Debug)]
pub(super) struct Ffprobe {
    confinement: Confinement,
    program: PathBuf,
    limit: Duration,
    missed: AtomicBool,
}

impl Ffprobe {
    pub(super) fn new(program: PathBuf, limit: Duration, confinement: Confinement) -> Self {
        // The process runs in another folder, where a relative path would mean something else.
        let program = std::path::absolute(&program).unwrap_or(program);
        Self { confinement, program, limit, missed: AtomicBool::new(false) }
    }

    /// What is known of the complete file in `folder`; nothing where the program is gone.
    pub(super) async fn look_at(&self, folder: &Path) -> Result<SourceFacts, FetchError> {
        let running = match self.start(folder) {
            Ok(running) => running,
            // The same error tells of a folder that is gone, which is no reason to send the file.
            Err(error) if is_missing(&error) && is_there(folder).await => {
                return Ok(self.without(&error));
            }
            Err(error) => return Err(local("start ffprobe", &error)),
        };
        // Real recordings take well under a second. Neither the file nor a busy machine can be
        // told guilty, so it is a time-out: tried again a few times, and said as it is.
        let said = time::timeout(self.limit, listen(running)).await.map_err(|_| {
            failed(FailureCode::StageTimeout, format!("ffprobe ran for {:?}", self.limit))
        })?;
        let said = said.map_err(|error| local("run ffprobe", &error))?;
        if said.ending == Ending::NotStarted {
            return Ok(self.without(&io::Error::from(io::ErrorKind::NotFound)));
        }
        understand(&said)
    }

    fn start(&self, folder: &Path) -> io::Result<Running> {
        let mut command = self.confinement.command(&self.program, &LIMITS);
        command
            .args(["-v", "error", "-protocol_whitelist", "file,pipe"])
            .args(["-format_whitelist", &CONTAINERS.join(",")])
            .args(["-print_format", "json", "-show_entries"])
            .arg(ENTRIES)
            .args([OsStr::new("-i"), OsStr::new(AUDIO)])
            .current_dir(folder);
        self.confinement.start(command)
    }

    /// What is known where the program is gone, which the log says once.
    fn without(&self, error: &io::Error) -> SourceFacts {
        if !self.missed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "ffprobe_missing",
                %error,
                "ffprobe cannot be started: recordings are not looked at before they are sent"
            );
        }
        SourceFacts::default()
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

async fn is_there(folder: &Path) -> bool {
    fs::metadata(folder).await.is_ok_and(|found| found.is_dir())
}

struct Said {
    ending: Ending,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Waits for the end of the program. What it says beyond the caps is read, so that it does not
/// block, and dropped.
async fn listen(mut running: Running) -> io::Result<Said> {
    let (stdout, stderr) = running.outputs();
    let (stdout, stderr, ending) = tokio::try_join!(
        read_capped(stdout, MAX_STDOUT),
        read_capped(stderr, MAX_STDERR),
        running.ended()
    )?;
    Ok(Said { ending, stdout, stderr })
}

async fn read_capped(pipe: Option<impl AsyncRead + Unpin>, cap: u64) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(read) };
    (&mut pipe).take(cap).read_to_end(&mut read).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(read)
}

fn understand(said: &Said) -> Result<SourceFacts, FetchError> {
    if said.ending.is_from_outside() {
        return Err(failed(FailureCode::LocalResource, format!("ffprobe: {:?}", said.ending)));
    }
    let no_audio = |why: &str| failed(FailureCode::NoAudio, format!("ffprobe: {why}"));
    if said.ending != Ending::Code(0) {
        return Err(no_audio(&String::from_utf8_lossy(&said.stderr)));
    }
    let report: Report = serde_json::from_slice(&said.stdout)
        .map_err(|_| no_audio("its answer cannot be understood"))?;
    report.facts().map_err(no_audio)
}

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Debug, Deserialize)]
struct Stream {
    codec_type: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Debug, Deserialize)]
struct Format {
    #[serde(rename = "format_name")]
    names: String,
    duration: Option<String>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
struct Tags(Map<String, Value>);

impl Report {
    fn facts(&self) -> Result<SourceFacts, &'static str> {
        let known = |name: &str| CONTAINERS.contains(&name);
        if !self.format.names.split(',').any(known) {
            return Err("not a container of sound");
        }
        let audio: Vec<&Stream> = self.streams.iter().filter(|s| s.is_audio()).collect();
        let Some(first) = audio.first() else { return Err("no stream of sound") };
        let longest = audio.iter().filter_map(|s| milliseconds(s.duration.as_deref())).max();
        Ok(SourceFacts {
            title: self.format.tags.title().or_else(|| first.tags.title()),
            duration_ms: milliseconds(self.format.duration.as_deref()).or(longest),
        })
    }
}

impl Stream {
    fn is_audio(&self) -> bool {
        self.codec_type.as_deref() == Some("audio")
    }
}

impl Tags {
    /// Containers disagree about the case of the names of their tags.
    fn title(&self) -> Option<String> {
        let tag = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("title"));
        let title = text::tame(tag?.1.as_str()?, MAX_TITLE_CHARS);
        Some(title).filter(|title| !title.is_empty())
    }
}

fn milliseconds(seconds: Option<&str>) -> Option<u64> {
    let duration = Duration::try_from_secs_f64(seconds?.parse().ok()?).ok()?;
    u64::try_from(duration.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::Ffprobe;
    use crate::confinement::Confinement;
    use domain::{FailureCode, SourceFacts};
    use std::time::Duration;

    #[tokio::test]
    async fn a_folder_that_is_gone_is_not_taken_for_a_missing_program() {
        let minute = Duration::from_mins(1);
        let probe = |program: &str| Ffprobe::new(program.into(), minute, Confinement::none());
        let folder = tempfile::tempdir().expect("a folder");
        let gone = folder.path().join("gone");
        for program in ["/bin/sh", "/no/such/program"] {
            let error = probe(program).look_at(&gone).await.expect_err("nothing is there");
            assert_eq!(error.code, FailureCode::LocalResource, "{program}: {error:?}");
        }
        let looked = probe("/no/such/program").look_at(folder.path()).await;
        assert_eq!(looked.expect("it is taken as it is"), SourceFacts::default());
    }
}
