//! What yt-dlp says while it works: data from outside, read line by line up to caps.

use application::ports::Progress;
use domain::{SourceFacts, text};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::command::{FACTS, PROGRESS};

/// The longest line that is looked at; the rest of a longer one is dropped.
const MAX_LINE: usize = 16 * 1_024;

/// The most that is kept of errors, and of warnings.
const MAX_KEPT: usize = 24 * 1_024;

const MAX_TITLE_CHARS: usize = 300;

/// What was said in one way or the other.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What the page said about the video.
    pub(super) facts: Facts,
    /// The video was not wanted: it is live, or too long.
    pub(super) filtered: bool,
    /// The file was announced as larger than allowed.
    pub(super) too_large: bool,
    /// Lines that begin with `ERROR:`, and those that follow them.
    pub(super) errors: String,
    /// Everything else on standard error.
    pub(super) remarks: String,
}

/// What a page says about its video.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    pub(super) duration: Option<f64>,
    #[serde(default)]
    live_status: Option<String>,
    #[serde(default)]
    is_live: Option<bool>,
}

impl Facts {
    /// Whether it is a broadcast that goes on or is yet to come, or has just ended and is not yet
    /// a recording.
    pub(super) fn is_live(&self) -> bool {
        let status = self.live_status.as_deref().unwrap_or_default();
        self.is_live == Some(true) || matches!(status, "is_live" | "is_upcoming" | "post_live")
    }

    pub(super) fn source(&self) -> SourceFacts {
        let title = self.title.as_deref().map(|title| text::tame(title, MAX_TITLE_CHARS));
        let length = std::time::Duration::try_from_secs_f64(self.duration.unwrap_or(-1.0)).ok();
        SourceFacts {
            title: title.filter(|title| !title.is_empty()),
            duration_ms: length.and_then(|length| u64::try_from(length.as_millis()).ok()),
        }
    }
}

/// How far a download is.
#[derive(Debug, Deserialize)]
struct Download {
    status: Option<String>,
    downloaded_bytes: Option<f64>,
    total_bytes: Option<f64>,
    total_bytes_estimate: Option<f64>,
}

impl Download {
    fn share(&self) -> Option<f64> {
        if self.status.as_deref() == Some("finished") {
            return Some(1.0);
        }
        let total = self.total_bytes.or(self.total_bytes_estimate)?;
        let share = self.downloaded_bytes? / total;
        share.is_finite().then(|| share.clamp(0.0, 1.0))
    }
}

impl Report {
    /// Listens to both outputs until they end.
    pub(super) async fn listen(
        stdout: Option<impl AsyncRead + Unpin>,
        stderr: Option<impl AsyncRead + Unpin>,
        progress: &dyn Progress,
    ) -> std::io::Result<Self> {
        let mut report = Self::default();
        let mut complaints = Complaints::default();
        let stdout = each_line(stdout, |line| report.take(line, progress));
        let stderr = each_line(stderr, |line| complaints.take(line));
        tokio::try_join!(stdout, stderr)?;
        report.errors = complaints.errors;
        report.remarks = complaints.remarks;
        Ok(report)
    }

    fn take(&mut self, line: &str, progress: &dyn Progress) {
        if let Some(download) = line.strip_prefix(PROGRESS) {
            let download = serde_json::from_str(download).ok();
            if let Some(share) = download.as_ref().and_then(Download::share) {
                progress.at(share);
            }
        } else if let Some(facts) = line.strip_prefix(FACTS) {
            self.facts = serde_json::from_str(facts).unwrap_or_default();
        } else if line.starts_with("[download] ") {
            self.filtered |= line.contains(" does not pass filter ");
            self.too_large |= line.contains("File is larger than max-filesize");
        }
    }
}

/// Standard error as it comes.
#[derive(Debug, Default)]
struct Complaints {
    errors: String,
    remarks: String,
    in_error: bool,
}

impl Complaints {
    fn take(&mut self, line: &str) {
        // A line that begins with none of these words belongs to the one before.
        if line.starts_with("ERROR:") || line.starts_with("yt-dlp: error:") {
            self.in_error = true;
        } else if line.starts_with("WARNING:") || line.starts_with('[') {
            self.in_error = false;
        }
        let kept = if self.in_error { &mut self.errors } else { &mut self.remarks };
        if kept.len() + line.len() < MAX_KEPT {
            kept.push_str(&text::tame(line, MAX_LINE));
            kept.push('\n');
        }
    }
}

/// Hands every line to `take`, long ones cut, bytes that are no UTF-8 replaced.
async fn each_line(
    pipe: Option<impl AsyncRead + Unpin>,
    mut take: impl FnMut(&str),
) -> std::io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 64 * 1_024];
    let mut line = Vec::new();
    loop {
        let read = pipe.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        let mut pieces = buffer[..read].split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = MAX_LINE.saturating_sub(line.len()).min(piece.len());
            line.extend_from_slice(&piece[..room]);
            if pieces.peek().is_some() {
                take_line(&line, &mut take);
                line.clear();
            }
        }
    }
    take_line(&line, &mut take);
    Ok(())
}

/// A carriage return goes back to the begin of a line: only what is behind the last one is seen.
fn take_line(line: &[u8], take: &mut impl FnMut(&str)) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
    if !line.is_empty() {
        take(line);
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, MAX_KEPT, MAX_LINE, Report};
    use application::ports::Progress;
    use domain::SourceFacts;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Shares(Mutex<Vec<f64>>);

    impl Progress for Shares {
        fn at(&self, share: f64) {
            self.0.lock().expect("nobody panics").push(share);
        }
    }

    async fn heard(stdout: &[u8], stderr: &[u8]) -> (Report, Vec<f64>) {
        let shares = Shares::default();
        let report = Report::listen(Some(stdout), Some(stderr), &shares).await;
        (report.expect("memory can be read"), shares.0.into_inner().expect("nobody panics"))
    }

    #[tokio::test]
    async fn a_share_is_told_where_the_whole_is_known() {
        let stdout = br#"
SAAS-IA-PROGRESS {"status": "downloading", "downloaded_bytes": 1, "total_bytes": 4}
SAAS-IA-PROGRESS {"status": "downloading", "downloaded_bytes": 2, "total_bytes_estimate": 4.0}
SAAS-IA-PROGRESS {"status": "downloading", "downloaded_bytes": 2}
SAAS-IA-PROGRESS {"status": "downloading", "downloaded_bytes": 2, "total_bytes": 0}
SAAS-IA-PROGRESS {"status": "downloading", "downloaded_bytes": 9, "total_bytes": 4}
SAAS-IA-PROGRESS {"downloaded_bytes": null, "total_bytes": null}
SAAS-IA-PROGRESS nonsense
  SAAS-IA-PROGRESS {"downloaded_bytes": 1, "total_bytes": 2}
SAAS-IA-PROGRESS {"status": "finished"}
"#;
        assert_eq!(heard(stdout, b"").await.1, [0.25, 0.5, 1.0, 1.0]);
    }

    #[tokio::test]
    async fn the_facts_of_the_page_are_learnt_and_tamed() {
        let stdout = br#"SAAS-IA-FACTS {"title": " A\u001b[31m talk\n", "duration": 8.25}"#;
        let facts = heard(stdout, b"").await.0.facts;
        let source = SourceFacts { title: Some("A [31m talk".into()), duration_ms: Some(8_250) };
        assert_eq!(facts.source(), source);
        assert!(!facts.is_live());
        let empty = heard(br#"SAAS-IA-FACTS {"title": "", "duration": -1}"#, b"").await.0.facts;
        assert_eq!(empty.source(), SourceFacts::default());
        assert_eq!(heard(b"SAAS-IA-FACTS [", b"").await.0.facts, Facts::default());
    }

    #[tokio::test]
    async fn a_broadcast_is_known_by_either_word() {
        for (json, live) in [
            (r#"{"is_live": true}"#, true),
            (r#"{"live_status": "is_live"}"#, true),
            (r#"{"live_status": "is_upcoming"}"#, true),
            (r#"{"live_status": "post_live"}"#, true),
            (r#"{"live_status": "was_live", "is_live": false}"#, false),
            (r#"{"live_status": "not_live"}"#, false),
        ] {
            let line = format!("SAAS-IA-FACTS {json}");
            assert_eq!(heard(line.as_bytes(), b"").await.0.facts.is_live(), live, "{json}");
        }
    }

    #[tokio::test]
    async fn what_ends_without_a_file_and_without_an_error_is_heard() {
        let filtered = b"[download] x does not pass filter (!is_live), skipping ..\n";
        assert!(heard(filtered, b"").await.0.filtered);
        let large = b"\r[download] File is larger than max-filesize (2 bytes > 1 bytes). Aborting.";
        assert!(heard(large, b"").await.0.too_large);
        let title = b"[info] File is larger than max-filesize does not pass filter \n";
        let report = heard(title, b"").await.0;
        assert!(!report.filtered && !report.too_large);
    }

    #[tokio::test]
    async fn errors_are_told_from_warnings_and_keep_the_lines_that_belong_to_them() {
        let stderr = b"WARNING: [youtube] a\nmore of a\nERROR: [youtube] b\x1b[0m\nmore of b\n\
                       WARNING: c\n";
        let report = heard(b"", stderr).await.0;
        assert_eq!(report.errors, "ERROR: [youtube] b [0m\nmore of b\n");
        assert_eq!(report.remarks, "WARNING: [youtube] a\nmore of a\nWARNING: c\n");
    }

    #[tokio::test]
    async fn a_flood_is_kept_to_its_caps() {
        let long = vec![b'x'; 3 * MAX_LINE];
        let lines = b"ERROR: again and again\n".repeat(100_000);
        let report = heard(&long, &[&long[..], b"\n", &lines[..]].concat()).await.0;
        assert_eq!(report.remarks.len(), MAX_LINE + 1);
        assert!(report.errors.len() <= MAX_KEPT && report.errors.len() > MAX_KEPT - 100);
    }
}
