//! What yt-dlp says when it fails, and what that means.
//!
//! Most sentences are `YouTube`'s own: yt-dlp passes on the `reason` and `subreason` of
//! `playabilityStatus` (`extractor/youtube/_video.py`, `_real_extract`), and adds some (`_video.py`,
//! `_base.py`, `extractor/common.py`, `YoutubeDL.py`, `networking/exceptions.py`,
//! `postprocessor/ffmpeg.py`). They are asked for in English, which yt-dlp does by itself.

use domain::FailureCode;

use FailureCode::{
    LocalResource, NoAudio, SourceRefused, SourceTooLarge, YouTubeAgeRestricted, YouTubeBotCheck,
    YouTubeExtractorOutdated, YouTubeGeoBlocked, YouTubeLive, YouTubeMembersOnly, YouTubePrivate,
    YouTubeRateLimited, YouTubeRemoved, YouTubeUnavailable, YouTubeUnreachable,
};

/// Parts of sentences in lower case with straight apostrophes, the first that is found decides.
/// The order matters: "Video unavailable" introduces many a better reason, "Sign in" two of them,
/// and the invitation to report a bug follows whatever yt-dlp did not expect.
const TABLE: [(&str, FailureCode); 69] = [
    // _video.py, the reason of LOGIN_REQUIRED; captcha: playerCaptchaViewModel
    ("confirm you're not a bot", YouTubeBotCheck),
    ("captcha challenge", YouTubeBotCheck),
    ("your ip is likely being blocked", YouTubeBotCheck),
    // _video.py, "This content isn't available, try again later"; exceptions.py, HTTPError
    ("has been rate-limited by youtube", YouTubeRateLimited),
    ("this content isn't available, try again later", YouTubeRateLimited),
    ("http error 429", YouTubeRateLimited),
    // _video.py, AGE_GATE_REASONS
    ("confirm your age", YouTubeAgeRestricted),
    ("age-restricted", YouTubeAgeRestricted),
    ("inappropriate for some users", YouTubeAgeRestricted),
    ("private video", YouTubePrivate),
    ("video is private", YouTubePrivate),
    // UNPLAYABLE with an offer to pay
    ("members-only", YouTubeMembersOnly),
    ("available to this channel's members", YouTubeMembersOnly),
    ("join this channel", YouTubeMembersOnly),
    ("premium members", YouTubeMembersOnly),
    ("requires payment", YouTubeMembersOnly),
    // LIVE_STREAM_OFFLINE
    ("live event will begin", YouTubeLive),
    ("live event has ended", YouTubeLive),
    ("premieres in", YouTubeLive),
    ("premiere will begin", YouTubeLive),
    ("live stream recording is not available", YouTubeLive),
    ("live stream is offline", YouTubeLive),
    ("not currently live", YouTubeLive),
    // YouTube's policies are explained "in your country", which is not what is said below
    ("removed for violating", YouTubeRemoved),
    // _video.py, raise_geo_restricted; common.py, raise_geo_restricted
    ("in your country", YouTubeGeoBlocked),
    ("due to geo restriction", YouTubeGeoBlocked),
    // common.py, report_drm
    ("drm protected", SourceRefused),
    // This machine. Errors of Python, and of postprocessor/ffmpeg.py
    ("no space left on device", LocalResource),
    ("too many open files", LocalResource),
    ("file too large", SourceTooLarge),
    ("ffmpeg not found", YouTubeUnavailable),
    ("no such option", YouTubeUnavailable),
    ("unable to obtain file audio codec", NoAudio),
    ("audio conversion failed", NoAudio),
    // networking/exceptions.py, TransportError and its causes; HTTPError
    ("name or service not known", YouTubeUnreachable),
    ("name resolution", YouTubeUnreachable),
    ("failed to resolve", YouTubeUnreachable),
    ("no address associated with hostname", YouTubeUnreachable),
    ("network is unreachable", YouTubeUnreachable),
    ("no route to host", YouTubeUnreachable),
    ("connection refused", YouTubeUnreachable),
    ("connection reset", YouTubeUnreachable),
    ("connection aborted", YouTubeUnreachable),
    ("connection broken", YouTubeUnreachable),
    ("closed connection", YouTubeUnreachable),
    ("timed out", YouTubeUnreachable),
    ("bytes read", YouTubeUnreachable),
    ("unexpected_eof", YouTubeUnreachable),
    ("eof occurred", YouTubeUnreachable),
    ("certificate verify failed", YouTubeUnreachable),
    ("http error 5", YouTubeUnreachable),
    ("did not get any data blocks", YouTubeUnreachable),
    // _video.py, the reasons of ERROR and UNPLAYABLE
    ("has been removed", YouTubeRemoved),
    ("has been terminated", YouTubeRemoved),
    ("no longer available", YouTubeRemoved),
    ("isn't available anymore", YouTubeRemoved),
    ("on copyright grounds", YouTubeRemoved),
    ("video does not exist", YouTubeRemoved),
    ("video unavailable", YouTubeRemoved),
    ("video is unavailable", YouTubeRemoved),
    ("video is not available", YouTubeRemoved),
    ("video isn't available", YouTubeRemoved),
    // What a current yt-dlp can do and an old one cannot. YoutubeDL.py, raise_no_formats; _video.py;
    // utils, bug_reports_message
    ("not available on this app", YouTubeExtractorOutdated),
    ("requested format is not available", YouTubeExtractorOutdated),
    ("no video formats found", YouTubeExtractorOutdated),
    ("failed to extract any player response", YouTubeExtractorOutdated),
    ("cannot identify player", YouTubeExtractorOutdated),
    ("http error 403", YouTubeExtractorOutdated),
    ("please report this issue on", YouTubeExtractorOutdated),
];

/// What the `errors` of yt-dlp mean, if that is known.
pub(super) fn meaning(errors: &str) -> Option<FailureCode> {
    let errors = errors.to_lowercase().replace('\u{2019}', "'");
    TABLE.iter().find(|(words, _)| errors.contains(words)).map(|(_, code)| *code)
}
