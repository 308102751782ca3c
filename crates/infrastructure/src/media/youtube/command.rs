//! How yt-dlp is called: one array of arguments, in which nothing is a user's own text.

use std::{ffi::OsString, path::Path};

use domain::YouTubeId;

/// Begins a line of standard output that tells how far the download is.
pub(super) const PROGRESS: &str = "SAAS-IA-PROGRESS ";

/// Begins a line of standard output that tells what the page says about the video.
pub(super) const FACTS: &str = "SAAS-IA-FACTS ";

/// The name of the sound in the folder of an attempt, once it is converted.
pub(super) const SOUND: &str = "audio.wav";

/// The folder in that of an attempt which takes what a program writes beside its work.
pub(super) const HOME: &str = "home";

/// What 16 bits, 16,000 times a second, come to.
pub(super) const BYTES_PER_SECOND: u64 = 32_000;

/// How much may be fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Largest download, in bytes.
    pub(super) max_bytes: u64,
    /// Longest recording, in seconds.
    pub(super) max_seconds: u64,
}

impl Bounds {
    /// Largest file of converted sound, in bytes: of the longest recording, and its header.
    pub(super) fn max_sound_bytes(self) -> u64 {
        self.max_seconds.saturating_add(1).saturating_mul(BYTES_PER_SECOND)
    }
}

/// The arguments. Names of options are those of yt-dlp 2026.10.26; all are older than the oldest
/// version that is used.
pub(super) fn arguments(id: &YouTubeId, ffmpeg: &Path, bounds: Bounds) -> Vec<OsString> {
    let filters = format!("!is_live & duration<={}", bounds.max_seconds);
    let max_bytes = bounds.max_bytes.to_string();
    let progress = format!(
        "download:{PROGRESS}%(progress.{{status,downloaded_bytes,total_bytes,total_bytes_estimate}})j"
    );
    let facts = format!("pre_process:{FACTS}%(.{{title,duration,live_status,is_live}})j");
    let mut arguments: Vec<OsString> = [
        // Nothing but these arguments decides what happens: no file, no plugin, no download of code.
        "--ignore-config",
        "--no-plugin-dirs",
        "--no-remote-components",
        "--no-update",
        "--no-cache-dir",
        // One video, by one extractor, or an error.
        "--use-extractors",
        "youtube",
        "--no-playlist",
        "--abort-on-error",
        "--match-filters",
        &filters,
        // yt-dlp's own limits; they do not hold in every case.
        "--max-filesize",
        &max_bytes,
        "--socket-timeout",
        "15",
        "--retries",
        "2",
        "--fragment-retries",
        "2",
        "--extractor-retries",
        "2",
        // What it says.
        "--color",
        "never",
        "--no-quiet",
        "--newline",
        "--progress",
        "--progress-delta",
        "0.5",
        "--progress-template",
        &progress,
        "--print",
        &facts,
        "--no-simulate",
        // What it makes, under a name that is known before.
        "--format",
        "bestaudio/best",
        "--extract-audio",
        "--audio-format",
        "wav",
        // What was downloaded stays, to be measured when all is done.
        "--keep-video",
        "--postprocessor-args",
        "ExtractAudio+ffmpeg_i:-protocol_whitelist file,pipe",
        "--postprocessor-args",
        "ExtractAudio+ffmpeg_o:-ac 1 -ar 16000",
        "--no-part",
        "--no-continue",
        "--no-mtime",
        "--restrict-filenames",
        "--output",
        "audio.%(ext)s",
        "--ffmpeg-location",
    ]
    .map(OsString::from)
    .into();
    arguments.extend([ffmpeg.into(), "--".into(), id.canonical_url().into()]);
    arguments
}

/// The whole environment of yt-dlp and of what it starts, in the folder of an attempt: where its
/// interpreter and a JavaScript runtime are found, and a home of its own for what it writes.
pub(super) fn environment(program: &Path, folder: &Path) -> [(&'static str, OsString); 4] {
    // An installation by pip has its runtime beside it.
    let mut path = program.parent().map(|beside| beside.as_os_str().to_owned()).unwrap_or_default();
    path.push(":/usr/local/bin:/usr/bin:/bin");
    let home = folder.join(HOME).into_os_string();
    [("PATH", path), ("HOME", home.clone()), ("TMPDIR", home), ("LC_ALL", "C.UTF-8".into())]
}

#[cfg(test)]
mod tests {
    use super::{Bounds, arguments, environment};
    use domain::YouTubeId;
    use std::path::Path;

    const GOLDEN: &str = "--ignore-config --no-plugin-dirs --no-remote-components --no-update \
        --no-cache-dir --use-extractors youtube --no-playlist --abort-on-error --match-filters \
        '!is_live & duration<=36000' --max-filesize 2147483648 --socket-timeout 15 --retries 2 \
        --fragment-retries 2 --extractor-retries 2 --color never --no-quiet --newline --progress \
        --progress-delta 0.5 --progress-template 'download:SAAS-IA-PROGRESS \
        %(progress.{status,downloaded_bytes,total_bytes,total_bytes_estimate})j' --print \
        'pre_process:SAAS-IA-FACTS %(.{title,duration,live_status,is_live})j' --no-simulate \
        --format bestaudio/best --extract-audio --audio-format wav --keep-video --postprocessor-args \
        'ExtractAudio+ffmpeg_i:-protocol_whitelist file,pipe' --postprocessor-args \
        'ExtractAudio+ffmpeg_o:-ac 1 -ar 16000' --no-part --no-continue --no-mtime \
        --restrict-filenames --output audio.%(ext)s --ffmpeg-location /usr/bin/ffmpeg -- \
        https://www.youtube.com/watch?v=-dQw4w9WgX-";

    fn words() -> Vec<String> {
        let id = YouTubeId::parse("-dQw4w9WgX-").expect("an id");
        let bounds = Bounds { max_bytes: 2 << 30, max_seconds: 36_000 };
        let arguments = arguments(&id, Path::new("/usr/bin/ffmpeg"), bounds);
        arguments.into_iter().map(|word| word.into_string().expect("UTF-8")).collect()
    }

    #[test]
    fn the_command_line_is_exactly_this_one() {
        let quoted = words()
            .into_iter()
            .map(|word| if word.contains(' ') { format!("'{word}'") } else { word });
        assert_eq!(quoted.collect::<Vec<_>>().join(" "), GOLDEN);
    }

    #[test]
    fn nothing_that_runs_writes_or_reads_more_is_asked_for() {
        let words = words();
        for word in &words {
            for dangerous in ["exec", "netrc", "--write-", "downloader", "cookies", "file-urls"] {
                assert!(!word.contains(dangerous), "{word}");
            }
        }
        assert_eq!(words.iter().filter(|word| *word == "--").count(), 1);
        assert_eq!(words[words.len() - 2], "--");
    }

    #[test]
    fn the_environment_is_these_four_variables() {
        let set = environment(Path::new("/opt/yt/bin/yt-dlp"), Path::new("/data/job/part"));
        let lines: Vec<_> =
            set.iter().map(|(name, value)| format!("{name}={}", value.to_string_lossy())).collect();
        let expected = [
            "PATH=/opt/yt/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME=/data/job/part/home",
            "TMPDIR=/data/job/part/home",
            "LC_ALL=C.UTF-8",
        ];
        assert_eq!(lines, expected);
    }
}
