//! What yt-dlp says when it fetches nothing, word for word, and the code that becomes of it.

use domain::FailureCode;

use super::{fetch_by, played_by, refusal, refusal_code, runs};

/// The sentences behind `ERROR: [youtube] <id>: `, as yt-dlp 2026.10.26 puts them together.
const SENTENCES: &str = include_str!("sentences.tsv");

const COOKIES: &str = " Use --cookies-from-browser or --cookies for the authentication. See  \
    https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to \
    manually pass cookies. Also see  \
    https://github.com/yt-dlp/yt-dlp/wiki/Extractors#exporting-youtube-cookies  for tips on \
    effectively exporting YouTube cookies";

/// A yt-dlp that complains in the words of a file beside it.
const COMPLAINS: &str = "cat \"${0%/*}/complaint\" >&2\nexit 1";

#[tokio::test]
async fn every_known_sentence_gets_its_code() {
    let world = played_by(COMPLAINS);
    let complaint = world.config.work_dir.parent().unwrap().join("complaint");
    let mut judged = 0;
    for line in SENTENCES.lines().filter(|line| !line.starts_with('#')) {
        let (code, sentence) = line.split_once('\t').expect("a code and a sentence");
        let code = FailureCode::from_word(code).unwrap_or_else(|| panic!("{code}"));
        let sentence = sentence.replace("{cookies}", COOKIES).replace("\\n", "\n");
        std::fs::write(&complaint, format!("WARNING: [youtube] something\nERROR: {sentence}\n"))
            .unwrap();
        let error = refusal(&world).await;
        assert_eq!(error.code, code, "{sentence}");
        assert!(!error.detail.chars().any(char::is_control), "{error:?}");
        judged += 1;
    }
    assert_eq!(runs(&world), judged);
    assert!(judged > 50, "{judged}");
}

#[tokio::test]
async fn the_log_is_told_neither_the_video_nor_an_address() {
    let world = played_by(
        "echo 'ERROR: [youtube] -o_exec_123: Odd (caused by https://a.test/-o_exec_123?key=x)' >&2\n\
         exit 1",
    );
    let error = refusal(&world).await;
    assert_eq!(error.detail, "yt-dlp ended with 1: ERROR: [youtube] (id): Odd (caused by (url)");
}

#[tokio::test]
async fn a_warning_is_not_taken_for_the_error() {
    let world = played_by(
        "echo 'WARNING: [youtube] HTTP Error 429: Too Many Requests. Retrying (1/2)...' >&2\n\
         echo 'ERROR: [youtube] x: Private video' >&2\nexit 1",
    );
    assert_eq!(refusal_code(&world).await, FailureCode::YouTubePrivate);
}

#[tokio::test]
async fn what_yt_dlp_does_not_want_is_told_apart() {
    let filtered = "[download] x does not pass filter (!is_live & duration<=3600), skipping ..";
    for (facts, said, code) in [
        (r#"{"is_live": true, "live_status": "is_live"}"#, filtered, FailureCode::YouTubeLive),
        (r#"{"live_status": "post_live"}"#, filtered, FailureCode::YouTubeLive),
        (r#"{"duration": 3601, "is_live": false}"#, filtered, FailureCode::SourceTooLong),
        ("{}", filtered, FailureCode::YouTubeLive),
        (
            r#"{"duration": 5}"#,
            "[download] File is larger than max-filesize (9 bytes > 1 bytes). Aborting.",
            FailureCode::SourceTooLarge,
        ),
        (r#"{"duration": 5}"#, "nothing", FailureCode::YouTubeFailed),
    ] {
        let world = played_by(&format!("echo 'SAAS-IA-FACTS {facts}'\necho '{said}'"));
        assert_eq!(refusal_code(&world).await, code, "{facts} {said}");
    }
}

#[tokio::test]
async fn an_end_without_words_is_judged_by_itself() {
    for (script, code) in [
        ("exit 1", FailureCode::YouTubeFailed),
        ("echo 'MemoryError' >&2; exit 1", FailureCode::YouTubeFailed),
        ("exit 2", FailureCode::YouTubeUnavailable),
        ("kill -SEGV $$", FailureCode::YouTubeFailed),
        ("kill -XCPU $$", FailureCode::YouTubeFailed),
        ("kill -TERM $$", FailureCode::LocalResource),
        ("kill -KILL $$", FailureCode::LocalResource),
    ] {
        assert_eq!(refusal_code(&played_by(script)).await, code, "{script}");
    }
}

#[tokio::test]
async fn while_youtube_asks_to_slow_down_nothing_more_is_asked() {
    let world =
        played_by("echo 'ERROR: [youtube] x: HTTP Error 429: Too Many Requests' >&2; exit 1");
    let library = world.library();
    // The others were not asked for: they wait, uncounted.
    let (said, waits) = (FailureCode::YouTubeRateLimited, FailureCode::LocalResource);
    for code in [said, waits, waits] {
        let error = fetch_by(&library).await.unwrap_err();
        assert_eq!(error.code, code);
        let minutes = error.retry_after.unwrap().num_minutes();
        assert!((9..=10).contains(&minutes), "{minutes}");
        assert!(!world.folder().exists());
    }
    assert_eq!(runs(&world), 1);
}
