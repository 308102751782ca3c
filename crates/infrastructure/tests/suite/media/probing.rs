//! What ffprobe says, and what becomes of it. Stubs stand for the program, so that the tests do
//! not depend on what is installed; the last one asks the real one where there is one.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use domain::{FailureCode, SourceFacts};
use tokio::time;

use super::world::{Server, World, noise, stub};

const SPEECH: &str = r#"{"streams":[{"codec_type":"audio","duration":"1.5"}],
    "format":{"format_name":"wav","duration":"2.25","tags":{"TITLE":" A\ntalk "}}}"#;

/// A library whose ffprobe is `script`.
fn probed_by(script: &str) -> World {
    let mut world = World::new();
    world.config.ffprobe = Some(stub(&world, "ffprobe", script));
    world
}

/// A script that says `json` and succeeds.
fn saying(json: &str) -> String {
    format!("cat <<'END'\n{json}\nEND")
}

async fn facts(world: &World) -> SourceFacts {
    let server = Server::serving(b"RIFF").await;
    world.fetch(&server.url("/")).await.unwrap().facts
}

async fn refusal(world: &World) -> FailureCode {
    let server = Server::serving(b"RIFF").await;
    world.refusal_code(&server.url("/secret")).await
}

#[tokio::test]
async fn the_facts_of_a_recording_are_learnt() {
    let found = facts(&probed_by(&saying(SPEECH))).await;
    assert_eq!(found, SourceFacts { title: Some("A talk".into()), duration_ms: Some(2_250) });
}

#[tokio::test]
async fn a_recording_without_facts_is_still_one() {
    let streams = r#"[{"codec_type":"video"},{"codec_type":"audio","duration":"1.5"}]"#;
    let bare = format!(r#"{{"streams":{streams},"format":{{"format_name":"matroska,webm"}}}}"#);
    let found = facts(&probed_by(&saying(&bare))).await;
    assert_eq!(found, SourceFacts { title: None, duration_ms: Some(1_500) });

    let odd = SPEECH.replace("2.25", "N/A").replace("1.5", "-1").replace("A\\ntalk", "");
    assert_eq!(facts(&probed_by(&saying(&odd))).await, SourceFacts::default());
}

#[tokio::test]
async fn a_title_may_be_written_beside_the_stream() {
    let ogg = r#"{"streams":[{"codec_type":"audio","tags":{"title":"Beside"}}],
        "format":{"format_name":"ogg"}}"#;
    assert_eq!(facts(&probed_by(&saying(ogg))).await.title.as_deref(), Some("Beside"));
}

#[tokio::test]
async fn a_title_is_shortened() {
    let long = SPEECH.replace("A\\ntalk", &"x".repeat(5_000));
    let title = facts(&probed_by(&saying(&long))).await.title.unwrap();
    assert_eq!(title.len(), 300);
}

#[tokio::test]
async fn a_kept_file_is_looked_at_again() {
    let server = Server::serving(b"RIFF").await;
    let world = probed_by(&saying(SPEECH));
    let first = world.fetch(&server.url("/")).await.unwrap();
    assert_eq!(world.fetch(&server.url("/")).await.unwrap(), first);
    assert_eq!(server.visits(), 1);
}

#[tokio::test]
async fn what_holds_no_sound_is_refused() {
    for json in [
        r#"{"streams":[{"codec_type":"video"}],"format":{"format_name":"mov,mp4,m4a"}}"#,
        r#"{"streams":[],"format":{"format_name":"wav"}}"#,
        r#"{"format":{"format_name":"wav"}}"#,
        r#"{"streams":[{"codec_type":"audio"}],"format":{"format_name":"hls"}}"#,
        r#"{"streams":[{"codec_type":"audio"}],"format":{"format_name":"concat"}}"#,
        r#"{"streams":[{"codec_type":"audio"}]}"#,
        "",
        "not json",
        "[]",
    ] {
        assert_eq!(refusal(&probed_by(&saying(json))).await, FailureCode::NoAudio, "{json}");
    }
}

#[tokio::test]
async fn a_file_that_ffprobe_cannot_read_is_no_audio() {
    let script = "echo 'audio: Invalid data found' >&2; exit 1";
    assert_eq!(refusal(&probed_by(script)).await, FailureCode::NoAudio);
    // A crash is the work of the file.
    assert_eq!(refusal(&probed_by("kill -SEGV $$")).await, FailureCode::NoAudio);
}

#[tokio::test]
async fn an_ffprobe_that_is_stopped_from_outside_says_nothing_about_the_file() {
    for signal in ["TERM", "KILL"] {
        let script = format!("kill -{signal} $$");
        assert_eq!(refusal(&probed_by(&script)).await, FailureCode::LocalResource, "{signal}");
    }
}

#[tokio::test]
async fn an_ffprobe_that_hangs_is_ended() {
    let world = probed_by("echo $$ > ../pid; exec sleep 60")
        .limits(|limits| limits.probe = Duration::from_millis(800));
    assert_eq!(refusal(&world).await, FailureCode::StageTimeout);
    let pid = std::fs::read_to_string(world.config.work_dir.join("pid")).unwrap();
    let lives = || {
        let asked = Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status();
        asked.unwrap().success()
    };
    for _ in 0..100 {
        if !lives() {
            return;
        }
        time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} is still there");
}

#[tokio::test]
async fn nothing_is_kept_of_a_fetch_whose_time_ends_during_the_look() {
    let world = probed_by("touch ../looking; exec sleep 60")
        .limits(|limits| limits.total = Duration::from_millis(800));
    assert_eq!(refusal(&world).await, FailureCode::SourceUnreachable);
    assert!(world.config.work_dir.join("looking").exists(), "the file was complete");
}

#[tokio::test]
async fn output_without_end_neither_blocks_nor_fills_the_memory() {
    let flood = |to: &str| format!("head -c 20000000 /dev/zero {to}");
    let noisy = format!("{}\n{}", flood(">&2"), saying(SPEECH));
    assert_eq!(facts(&probed_by(&noisy)).await.duration_ms, Some(2_250));
    let chatty = format!("{}\n{}", saying(SPEECH), flood("| tr '\\0' ' '"));
    assert_eq!(facts(&probed_by(&chatty)).await.duration_ms, Some(2_250));
    assert_eq!(refusal(&probed_by(&flood(""))).await, FailureCode::NoAudio);
}

#[tokio::test]
async fn a_recording_may_be_as_long_as_allowed_and_no_longer() {
    for (max_seconds, fits) in [(3, true), (2, false)] {
        let mut world = probed_by(&saying(SPEECH));
        world.config.max_seconds = max_seconds;
        if fits {
            facts(&world).await;
        } else {
            assert_eq!(refusal(&world).await, FailureCode::SourceTooLong);
        }
    }
}

#[tokio::test]
async fn ffprobe_is_started_with_nothing_to_harm_with() {
    let script = format!("{{ pwd; env; echo \"$@\"; cat; }} > ../seen\n{}", saying(SPEECH));
    let world = probed_by(&script);
    facts(&world).await;
    let seen = std::fs::read_to_string(world.config.work_dir.join("seen")).unwrap();
    let folder = world.folder().canonicalize().unwrap();
    assert!(seen.starts_with(&format!("{}\n", folder.display())), "{seen}");
    assert!(seen.contains("-protocol_whitelist file,pipe "), "{seen}");
    assert!(seen.contains("-i audio\n"), "{seen}");
    assert!(!seen.contains("HOME=") && !seen.contains("CARGO"), "{seen}");
    let whitelist = seen.split("-format_whitelist ").nth(1).unwrap().split(' ').next().unwrap();
    for dangerous in ["hls", "dash", "concat", "image2", "tty", "sdp", "applehttp", "data"] {
        assert!(whitelist.split(',').all(|allowed| allowed != dangerous), "{dangerous}");
    }
}

#[tokio::test]
async fn without_the_program_recordings_are_taken_as_they_are() {
    let mut world = World::new();
    world.config.ffprobe = Some(world.config.work_dir.join("no-such-program"));
    assert_eq!(facts(&world).await, SourceFacts::default());
}

/// A second of a tone, as a WAV file with a title.
fn tone() -> Vec<u8> {
    let samples = noise(16_000);
    let size = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let title = b"INFOINAM\x06\0\0\0Noise\0";
    let mut wav = b"RIFF".to_vec();
    wav.extend(size(4 + 24 + 8 + title.len() + 8 + samples.len()));
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0LIST");
    wav.extend(size(title.len()));
    wav.extend(title);
    wav.extend(b"data");
    wav.extend(size(samples.len()));
    wav.extend(samples);
    wav
}

fn installed_ffprobe() -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v ffprobe"]).output().unwrap();
    let path = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
    path.is_absolute().then_some(path)
}

#[tokio::test]
async fn the_real_ffprobe_knows_sound_from_playlists_and_pages() {
    let Some(ffprobe) = installed_ffprobe() else {
        println!("skipped: there is no ffprobe on PATH");
        return;
    };
    let mut world = World::new();
    world.config.ffprobe = Some(ffprobe);
    let server = Server::serving(&tone()).await;
    let audio = world.fetch(&server.url("/")).await.unwrap();
    let expected = SourceFacts { title: Some("Noise".into()), duration_ms: Some(1_000) };
    assert_eq!(audio.facts, expected);

    // Playlists that lead to the sound which has just been accepted, and to a canary.
    let canary = Server::serving(&tone()).await;
    let sound = world.config.work_dir.join("sound.wav");
    std::fs::rename(&audio.path, &sound).unwrap();
    for hostile in hostile_files(&sound, &canary.url("/secret.wav")) {
        std::fs::remove_dir_all(world.folder()).ok();
        let server = Server::serving(hostile.as_bytes()).await;
        let code = world.refusal_code(&server.url("/secret")).await;
        assert_eq!(code, FailureCode::NoAudio, "{hostile}");
    }
    assert_eq!(canary.visits(), 0);
}

fn hostile_files(sound: &Path, remote: &str) -> Vec<String> {
    let sound = sound.display();
    vec![
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{sound}\n#EXT-X-ENDLIST\n"),
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{remote}\n#EXT-X-ENDLIST\n"),
        format!("ffconcat version 1.0\nfile '{sound}'\n"),
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n".into(),
        "<!doctype html><title>a page</title>".into(),
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>".into(),
        "PK\u{3}\u{4}".into(),
        "only text".into(),
    ]
}
