//! What an answer means: the engine's statuses and words, in ours.
//!
//! Its words are matched loosely, since nothing promises them, and kept as the detail.

use application::ports::SpeechError;
use domain::{Failure, FailureCode, text};

use super::http::Reply;

/// Which call is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Upload,
    Submit,
    List,
    Poll,
    Result,
    Erase,
}

impl Call {
    /// The word in the log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Submit => "submit",
            Self::List => "list",
            Self::Poll => "poll",
            Self::Result => "result",
            Self::Erase => "erase",
        }
    }

    /// Whether it asks about a job.
    const fn names_a_job(self) -> bool {
        matches!(self, Self::Poll | Self::Result | Self::Erase)
    }
}

/// What each text means, wherever it comes from; the first line that fits decides. All words of a
/// line must occur.
const MEANINGS: &[(&[&str], FailureCode)] = &[
    (&["account balance"], FailureCode::ProviderPaymentRequired),
    (&["top up"], FailureCode::ProviderPaymentRequired),
    (&["cannot access uploaded file"], FailureCode::ProviderUploadLost),
    (&["does not appear to contain audio"], FailureCode::NoAudio),
    (&["no spoken audio"], FailureCode::NotEnoughSpeech),
    (&["speech threshold"], FailureCode::NotEnoughSpeech),
    (&["duration", "too short"], FailureCode::AudioTooShort),
    (&["duration", "too long"], FailureCode::SourceTooLong),
    (&["language", "confidence"], FailureCode::LanguageUncertain),
    (&["download error"], FailureCode::SourceUnreachable),
    (&["unable to download"], FailureCode::SourceUnreachable),
    (&["not available in this language"], FailureCode::OptionsUnsupported),
];

/// Texts of the engine, and of nobody else, about a job that it does not know.
const GONE: &[&str] = &["transcript id not found", "transcript lookup error"];

/// Texts of a fault on the engine's side.
const SERVER_FAULTS: &[&str] =
    &["server error", "internal error", "developers have been alerted", "try again"];

/// Texts that blame the options of a job.
const OPTIONS: &[&str] = &[
    "language_code",
    "speech_model",
    "keyterms",
    "speakers_expected",
    "speaker_labels",
    "not supported",
    "unsupported",
];

/// A failure without words.
pub(super) fn failure(code: FailureCode) -> SpeechError {
    SpeechError { code, retry_after: None, detail: None }
}

/// What a job that ended with an error says.
pub(super) fn job_error(words: Option<&str>) -> SpeechError {
    let lower = words.unwrap_or_default().to_lowercase();
    let code = meaning(&lower).unwrap_or_else(|| {
        // Saying nothing is a fault of the engine's too.
        if lower.trim().is_empty() || SERVER_FAULTS.iter().any(|text| lower.contains(text)) {
            FailureCode::ProviderFailed
        } else {
            FailureCode::ProviderRejected
        }
    });
    SpeechError { code, retry_after: None, detail: words.and_then(detail) }
}

/// What an answer other than a success means.
pub(super) fn refusal(call: Call, reply: &Reply) -> SpeechError {
    let words = reply.words();
    let lower = words.as_deref().unwrap_or_default().to_lowercase();
    let code = match reply.status.as_u16() {
        408 | 500.. => FailureCode::ProviderUnavailable,
        429 => FailureCode::ProviderThrottled,
        401 => FailureCode::ProviderAuth,
        402 => FailureCode::ProviderPaymentRequired,
        400 | 403 | 404 | 422 if call.names_a_job() && is_gone(&lower) => {
            FailureCode::ProviderJobMissing
        }
        // A job that was paid for is not given up over the words of a proxy.
        403 if call.names_a_job() => meaning(&lower)
            .filter(|code| *code == FailureCode::ProviderPaymentRequired)
            .unwrap_or(FailureCode::ProviderAuth),
        403 => meaning(&lower).unwrap_or(FailureCode::ProviderAuth),
        413 if call == Call::Upload => FailureCode::SourceTooLarge,
        400 | 422 => bad_request(call, &lower),
        _ => FailureCode::ProviderProtocol,
    };
    let said = words.as_deref().and_then(detail);
    let status = || format!("HTTP {}", reply.status.as_u16());
    SpeechError { code, retry_after: reply.retry_after, detail: Some(said.unwrap_or_else(status)) }
}

/// What it means when a submission is not answered with a success. Only a refusal of the request
/// itself promises that no job was made; a 408 or 499 may tell of an answer that a proxy lost.
pub(super) fn refused_submission(reply: &Reply) -> SpeechError {
    let refused = reply.status.is_client_error() && !matches!(reply.status.as_u16(), 408 | 499);
    let mut error = refusal(Call::Submit, reply);
    if !refused {
        error.code = FailureCode::SubmissionUnknown;
    }
    error
}

/// A 400 with these words, in lower case.
fn bad_request(call: Call, words: &str) -> FailureCode {
    if words.is_empty() {
        // Not the engine's own answer: it always says why.
        return FailureCode::ProviderProtocol;
    }
    let known = meaning(words);
    match call {
        // A job that was paid for is not given up over a question that was put badly.
        Call::List | Call::Poll | Call::Result | Call::Erase => known
            .filter(|code| *code == FailureCode::ProviderPaymentRequired)
            .unwrap_or(FailureCode::ProviderProtocol),
        Call::Upload if words.contains("try again") => FailureCode::ProviderUnavailable,
        Call::Submit if known.is_none() && OPTIONS.iter().any(|text| words.contains(text)) => {
            FailureCode::OptionsUnsupported
        }
        Call::Upload | Call::Submit => known.unwrap_or(FailureCode::ProviderRejected),
    }
}

/// Whether the engine says that it does not know the job. A job that was paid for is not given up,
/// nor is one taken for erased, over the words of a proxy that does not know the path; and that
/// one may repeat the path, in which there is "transcript".
fn is_gone(lower: &str) -> bool {
    GONE.iter().any(|text| lower.contains(text))
}

fn meaning(lower: &str) -> Option<FailureCode> {
    MEANINGS
        .iter()
        .find(|(texts, _)| texts.iter().all(|text| lower.contains(text)))
        .map(|(_, code)| *code)
}

/// The engine's own words, fit to be shown.
fn detail(words: &str) -> Option<String> {
    Some(text::tame(words, Failure::MAX_DETAIL_CHARS)).filter(|words| !words.is_empty())
}
