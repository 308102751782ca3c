//! Why a job did not end in a transcript: a closed list of stable codes.

use std::fmt;

use crate::{Stage, text};

/// What can be done about a failure; decides between failing, retrying and waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The recording or the options are at fault: trying again changes nothing.
    Permanent,
    /// Something between us and someone else: try again with a growing delay.
    Transient,
    /// The source asks us to slow down: try again much later.
    Throttled,
    /// Our key or balance at the engine: wait, uncounted, until the operator has mended it.
    ProviderPaused,
    /// The engine accepted the job and failed at it: a new submission is allowed.
    ProviderFailed,
    /// Nobody knows whether the engine accepted the job: never send it again blindly.
    Ambiguous,
    /// This machine is at fault (disk, files, a missing program): wait, uncounted.
    LocalResource,
    /// Our own mistake.
    Bug,
}

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $class:ident, $message:literal;)*) => {
        /// A stable code, part of the public contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FailureCode {
            $($(#[$doc])* $name,)*
        }

        impl FailureCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word on the wire and in storage.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Reads a stored word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }

            /// What can be done about it.
            pub const fn class(self) -> FailureClass {
                match self { $(Self::$name => FailureClass::$class,)* }
            }

            /// What a person should know, as a sentence.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

failure_codes! {
    /// The URL leads to an address that is not public.
    SourceForbidden = "source_forbidden", Permanent,
        "The URL leads to an address from which this service does not fetch.";
    /// The server of the source cannot be reached, or not now.
    SourceUnreachable = "source_unreachable", Transient,
        "The source could not be fetched.";
    /// The server of the source answers that there is no such file, or not for us.
    SourceRefused = "source_refused", Permanent,
        "The server of the source answers that there is no such file, or not for this service.";
    /// The server of the source asks to slow down.
    SourceThrottled = "source_throttled", Throttled,
        "The server of the source asks to slow down.";
    /// The file is larger than allowed.
    SourceTooLarge = "source_too_large", Permanent,
        "The file is larger than this service accepts.";
    /// The recording is longer than allowed.
    SourceTooLong = "source_too_long", Permanent,
        "The recording is longer than this service accepts.";
    /// The file that was handed in is gone.
    UploadMissing = "upload_missing", Permanent,
        "The uploaded file is no longer there.";
    /// A `YouTube` page cannot be fetched by this installation.
    YouTubeUnavailable = "youtube_unavailable", Permanent,
        "This installation cannot fetch YouTube videos.";
    /// The program that fetches from `YouTube` is too old to be let at it.
    YouTubeToolOutdated = "youtube_tool_outdated", Permanent,
        "This installation must be updated before it can fetch YouTube videos.";
    /// `YouTube` has changed in a way that the program which fetches from it does not know.
    YouTubeExtractorOutdated = "youtube_extractor_outdated", Permanent,
        "YouTube has changed, and this installation must be updated to fetch the video.";
    /// The video is for those whom its owner has invited.
    YouTubePrivate = "youtube_private", Permanent,
        "The YouTube video is private.";
    /// There is no such video, or no longer.
    YouTubeRemoved = "youtube_removed", Permanent,
        "The YouTube video does not exist, or no longer.";
    /// The video is only shown to those who have signed in and are of age.
    YouTubeAgeRestricted = "youtube_age_restricted", Permanent,
        "The YouTube video is age-restricted.";
    /// The video is for members of its channel, or for those who pay.
    YouTubeMembersOnly = "youtube_members_only", Permanent,
        "The YouTube video is for paying members only.";
    /// A broadcast that goes on, or has not begun.
    YouTubeLive = "youtube_live", Permanent,
        "The YouTube video is a live broadcast that has not ended.";
    /// The video is not shown in the country of this installation.
    YouTubeGeoBlocked = "youtube_geo_blocked", Permanent,
        "The YouTube video is not available in the country of this service.";
    /// `YouTube` wants proof that a person asks.
    YouTubeBotCheck = "youtube_bot_check", Throttled,
        "YouTube takes this service for a robot and does not let it in now.";
    /// `YouTube` asks to slow down.
    YouTubeRateLimited = "youtube_rate_limited", Throttled,
        "YouTube asks this service to slow down.";
    /// `YouTube` cannot be reached, or not now.
    YouTubeUnreachable = "youtube_unreachable", Transient,
        "YouTube could not be reached.";
    /// The video was not fetched for a reason not known to us.
    YouTubeFailed = "youtube_failed", Transient,
        "The YouTube video could not be fetched.";
    /// There is no sound in the file.
    NoAudio = "no_audio", Permanent,
        "The file contains no audio.";
    /// Too little sound to work with.
    AudioTooShort = "audio_too_short", Permanent,
        "The recording is too short.";
    /// Too little speech in the sound.
    NotEnoughSpeech = "not_enough_speech", Permanent,
        "The recording contains too little speech.";
    /// The language could not be recognised with confidence.
    LanguageUncertain = "language_uncertain", Permanent,
        "The language of the recording could not be recognised.";
    /// The engine does not support this combination of options.
    OptionsUnsupported = "options_unsupported", Permanent,
        "The speech engine does not support these options.";
    /// The engine cannot be reached, or not now.
    ProviderUnavailable = "provider_unavailable", Transient,
        "The speech engine could not be reached.";
    /// The engine asks to slow down.
    ProviderThrottled = "provider_throttled", Transient,
        "The speech engine asks to slow down.";
    /// The engine refuses our key.
    ProviderAuth = "provider_auth", ProviderPaused,
        "The speech engine refuses this installation's key.";
    /// The engine wants to be paid first.
    ProviderPaymentRequired = "provider_payment_required", ProviderPaused,
        "The speech engine's account has no balance.";
    /// The engine cannot read what was uploaded to it.
    ProviderUploadLost = "provider_upload_lost", ProviderFailed,
        "The speech engine lost the uploaded audio.";
    /// The engine no longer knows a job that it had accepted.
    ProviderJobMissing = "provider_job_missing", Permanent,
        "The speech engine no longer knows the job.";
    /// The engine failed at the job for reasons of its own.
    ProviderFailed = "provider_failed", ProviderFailed,
        "The speech engine failed to transcribe the recording.";
    /// The engine refused the job for a reason not known to us.
    ProviderRejected = "provider_rejected", Permanent,
        "The speech engine refused the recording.";
    /// The engine answered with something that cannot be understood.
    ProviderProtocol = "provider_protocol", Transient,
        "The speech engine's answer could not be understood.";
    /// The engine did not finish in time.
    ProviderTimeout = "provider_timeout", Permanent,
        "The speech engine did not finish in time.";
    /// It is not known whether the engine accepted the job; it is never sent twice.
    SubmissionUnknown = "submission_unknown", Ambiguous,
        "It is not known whether the speech engine accepted the job. It was not sent again, so that nothing is paid twice.";
    /// A stage took longer than it may.
    StageTimeout = "stage_timeout", Transient,
        "A stage of the job took too long.";
    /// The job as a whole took longer than it may.
    DeadlineExceeded = "deadline_exceeded", Permanent,
        "The job was not done within a day.";
    /// The process died with this job three times.
    WorkerCrashLoop = "worker_crash_loop", Permanent,
        "The service stopped unexpectedly each time it worked on this recording.";
    /// The disk is full, or a program is missing.
    LocalResource = "local_resource", LocalResource,
        "The service is short of disk space or another resource.";
    /// The job was accepted for a speech engine that this installation does not run now.
    EngineUnavailable = "engine_unavailable", LocalResource,
        "The speech engine of this job is not in use now.";
    /// A mistake of the service.
    Internal = "internal_error", Bug,
        "Something went wrong on our side.";
}

/// Why, and where, a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: FailureCode,
    detail: Option<String>,
    stage: Stage,
}

impl Failure {
    /// Longest detail, in characters.
    pub const MAX_DETAIL_CHARS: usize = 300;

    /// A failure at `stage`.
    pub fn new(code: FailureCode, stage: Stage) -> Self {
        Self { code, detail: None, stage }
    }

    /// Adds what a foreign service said about it, in its own words; shortened and tamed.
    #[must_use]
    pub fn with_detail(mut self, detail: Option<&str>) -> Self {
        self.detail =
            detail.map(|d| text::tame(d, Self::MAX_DETAIL_CHARS)).filter(|d| !d.is_empty());
        self
    }

    /// The stable code.
    pub fn code(&self) -> FailureCode {
        self.code
    }

    /// The foreign service's own words.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Where the job was.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether a new job with the same options may succeed. An unknown submission is not: the
    /// user must first see whether it was paid for.
    pub fn retriable(&self) -> bool {
        match self.code {
            FailureCode::DeadlineExceeded
            | FailureCode::ProviderTimeout
            | FailureCode::YouTubeToolOutdated
            | FailureCode::YouTubeExtractorOutdated => true,
            code => !matches!(code.class(), FailureClass::Permanent | FailureClass::Ambiguous),
        }
    }

    /// The sentence shown to the user.
    pub fn message(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} ({detail})", self.code.message()),
            None => self.code.message().to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} while {}", self.code.as_str(), self.stage.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, FailureCode};
    use crate::Stage;

    #[test]
    fn every_code_reads_back_and_is_a_stable_word() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::from_word(code.as_str()), Some(*code));
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(code.message().ends_with('.'));
        }
        assert_eq!(FailureCode::from_word("else"), None);
    }

    #[test]
    fn an_unknown_submission_is_not_offered_for_a_retry() {
        assert!(!Failure::new(FailureCode::SubmissionUnknown, Stage::Submitting).retriable());
        assert!(Failure::new(FailureCode::ProviderUnavailable, Stage::Uploading).retriable());
        assert!(Failure::new(FailureCode::DeadlineExceeded, Stage::Fetching).retriable());
    }

    #[test]
    fn what_the_operator_mends_by_an_update_is_worth_a_retry_and_a_private_video_is_not() {
        let retriable = |code| Failure::new(code, Stage::Fetching).retriable();
        assert!(retriable(FailureCode::YouTubeToolOutdated));
        assert!(retriable(FailureCode::YouTubeExtractorOutdated));
        assert!(!retriable(FailureCode::YouTubePrivate));
    }

    #[test]
    fn foreign_words_are_tamed() {
        let failure = Failure::new(FailureCode::ProviderRejected, Stage::Transcribing)
            .with_detail(Some(&format!("a\u{1b}[31m{}", "x".repeat(999))));
        let shown = failure.message();
        assert!(!shown.contains('\u{1b}') && shown.chars().count() < 400, "{shown}");
    }
}
