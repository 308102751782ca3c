//! Whether there is a yt-dlp that may be let at `YouTube`.

use domain::FailureCode;
use infrastructure::media::YouTubeState;

use super::{
    super::world::{World, stub},
    MAKES_SOUND, fetch, played_by, refusal, refusal_code, runs,
};

/// A world with a yt-dlp that is `script`, and something that passes for ffmpeg.
fn with_ytdlp(script: &str) -> World {
    let mut world = World::new();
    world.config.ytdlp = Some(stub(&world, "yt-dlp", script));
    world.config.ffmpeg = Some("/bin/sh".into());
    world
}

#[tokio::test]
async fn without_a_program_youtube_is_unavailable() {
    let mut world = played_by(MAKES_SOUND);
    for (ytdlp, ffmpeg, missing) in [
        (None, world.config.ffmpeg.clone(), "yt-dlp"),
        (Some("/no/such/program".into()), world.config.ffmpeg.clone(), "yt-dlp"),
        (world.config.ytdlp.clone(), None, "ffmpeg"),
        (world.config.ytdlp.clone(), Some("/no/such/program".into()), "ffmpeg"),
    ] {
        (world.config.ytdlp, world.config.ffmpeg) = (ytdlp, ffmpeg);
        let error = refusal(&world).await;
        assert_eq!(error.code, FailureCode::YouTubeUnavailable, "{missing}");
        assert!(error.detail.starts_with(missing), "{error:?}");
    }
    assert_eq!(runs(&world), 0);
}

#[tokio::test]
async fn an_old_version_is_not_let_at_youtube() {
    let world = with_ytdlp("echo 2026.07.03; touch ../fetched");
    assert_eq!(refusal_code(&world).await, FailureCode::YouTubeToolOutdated);
    let state = world.library().youtube().await;
    assert!(matches!(state, YouTubeState::Outdated(_)), "{state:?}");
    assert_eq!(state.to_string(), "yt-dlp 2026.07.03 is too old, 2026.07.04 is wanted at least");
}

#[tokio::test]
async fn what_tells_no_version_is_not_used() {
    for script in ["echo a version", "exit 3", "kill -SEGV $$", ":"] {
        let world = with_ytdlp(script);
        assert_eq!(refusal_code(&world).await, FailureCode::LocalResource, "{script}");
        let state = world.library().youtube().await;
        assert!(matches!(state, YouTubeState::Broken(_)), "{script}: {state:?}");
    }
}

#[tokio::test]
async fn the_version_is_asked_for_once_and_again_when_the_file_changes() {
    let asked = "case \"$*\" in *--version) echo asked >> \"${0%/*}/asked\"; echo VERSION; exit;; \
                 esac\nhead -c 1000 /dev/zero > audio.wav";
    let world = with_ytdlp(&asked.replace("VERSION", "2026.07.03"));
    let library = world.library();
    let times = || {
        let asked = world.config.work_dir.parent().unwrap().join("asked");
        std::fs::read_to_string(asked).unwrap().lines().count()
    };
    for _ in 0..3 {
        assert!(matches!(library.youtube().await, YouTubeState::Outdated(_)));
    }
    assert_eq!(times(), 1);

    stub(&world, "yt-dlp", &asked.replace("VERSION", "2026.10.26.233044"));
    for _ in 0..3 {
        let state = library.youtube().await;
        assert_eq!(state.to_string(), "yt-dlp 2026.10.26", "{state:?}");
    }
    assert_eq!(times(), 2);
    fetch(&world).await;
}
