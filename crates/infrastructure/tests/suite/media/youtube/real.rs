//! The real yt-dlp, which `scripts/test-tools.sh` brings, with the real ffmpeg.
//!
//! `YouTube` itself is not there for a test. A wrapper hands yt-dlp exactly the command line of the
//! service, but for the name of the extractor and the address.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use application::ports::MediaSource;
use domain::FailureCode;

use super::{
    super::world::{JOB, Server, World, listing, stub},
    Shares, fetch_by, refusal, video,
};

/// Looks for yt-dlp where the script puts it: below the folder in which the tests are built.
fn ytdlp() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let places = here.ancestors().map(|folder| folder.join("tools/yt-dlp/bin/yt-dlp"));
    places.into_iter().find(|path| path.exists()).expect("yt-dlp: run scripts/test-tools.sh first")
}

fn installed(name: &str) -> PathBuf {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
    let path = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
    assert!(path.is_absolute(), "{name} is not installed: run scripts/test-tools.sh first");
    path
}

/// A world with the real programs.
fn world(ytdlp: PathBuf) -> World {
    let mut world = World::new();
    world.config.ytdlp = Some(ytdlp);
    world.config.ffmpeg = Some(installed("ffmpeg"));
    world.config.ffprobe = Some(installed("ffprobe"));
    world
}

/// A world whose yt-dlp fetches `page`, whatever it is asked for.
fn fetching(page: &str) -> World {
    let mut world = world(ytdlp());
    let script = format!(
        "for word do\nshift\ncase $word in\nyoutube) word=generic;;\n\
         https://www.youtube.com/*) word={page};;\nesac\nset -- \"$@\" \"$word\"\ndone\n\
         exec {} \"$@\"",
        ytdlp().display()
    );
    world.config.ytdlp = Some(stub(&world, "yt-dlp", &script));
    world
}

/// Eight seconds of a tone as an m4a, of which yt-dlp must make something else.
fn tone(folder: &Path) -> Vec<u8> {
    let path = folder.join("tone.m4a");
    let made = Command::new(installed("ffmpeg"))
        .args(["-loglevel", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=8"])
        .args(["-ar", "44100", "-ac", "2", "-c:a", "aac"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read(path).unwrap()
}

/// A server with a page about the recording at `url`.
async fn page(url: &str, duration: &str) -> Server {
    let body = format!(
        r#"<html><head><title>x</title><script type="application/ld+json">
        {{"@context":"https://schema.org","@type":"VideoObject","name":"A \u001b[1mlocal talk",
        "duration":"{duration}","uploadDate":"2026-01-01","contentUrl":"{url}"}}
        </script></head><body></body></html>"#
    );
    let length = body.len();
    Server::saying(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
    .await
}

#[tokio::test]
async fn the_real_yt_dlp_makes_16_khz_mono_of_a_recording_and_tells_title_and_progress() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Server::serving(&tone(folder.path())).await;
    let page = page(&recording.url("/tone.m4a"), "PT8S").await;
    let world = fetching(&page.url("/"));
    let shares = Shares::default();
    let audio = world.library().fetch(JOB, &video(), &shares).await.unwrap();
    assert_eq!(audio.facts.title.as_deref(), Some("A  [1mlocal talk"));
    assert!(audio.facts.duration_ms.is_some_and(|ms| ms.abs_diff(8_000) < 100), "{audio:?}");
    let wav = std::fs::read(&audio.path).unwrap();
    assert_eq!(&wav[..4], b"RIFF");
    assert_eq!(wav[22..24], 1_u16.to_le_bytes(), "channels");
    assert_eq!(wav[24..28], 16_000_u32.to_le_bytes(), "samples a second");
    assert_eq!(shares.0.lock().unwrap().last(), Some(&1.0));
    assert_eq!(listing(&world.folder()), ["audio", "note"]);
}

#[tokio::test]
async fn the_real_yt_dlp_is_held_to_length_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let tone = tone(folder.path());
    let announced = Server::serving(&tone).await;
    let long = page(&announced.url("/tone.m4a"), "PT2H").await;
    let too_long = fetching(&long.url("/"));
    assert_eq!(refusal(&too_long).await.code, FailureCode::SourceTooLong);

    // Where no length is announced, yt-dlp itself takes the whole.
    let unannounced = Server::saying([&b"HTTP/1.0 200 OK\r\n\r\n"[..], &tone].concat()).await;
    for recording in [&announced, &unannounced] {
        let page = page(&recording.url("/tone.m4a"), "PT8S").await;
        let mut world = fetching(&page.url("/"));
        fetch_by(&world.library()).await.unwrap();
        std::fs::remove_dir_all(world.folder()).unwrap();
        world.config.max_bytes = 1_000;
        let error = refusal(&world).await;
        assert_eq!(error.code, FailureCode::SourceTooLarge, "{error:?}");
    }
}

#[tokio::test]
async fn without_a_network_the_real_yt_dlp_cannot_reach_youtube() {
    // Whether or not this machine has one: nobody listens where the proxy should be.
    let script = format!("exec {} --proxy http://127.0.0.1:9 \"$@\"", ytdlp().display());
    let mut world = world(ytdlp());
    assert_eq!(world.library().youtube().await.to_string(), "yt-dlp 2026.10.26");
    world.config.ytdlp = Some(stub(&world, "yt-dlp", &script));
    let error = refusal(&world).await;
    assert_eq!(error.code, FailureCode::YouTubeUnreachable, "{error:?}");
}
