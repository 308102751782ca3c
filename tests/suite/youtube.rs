//! Videos of `YouTube` through the whole service: the real yt-dlp and ffmpeg, under the limits that
//! they have in earnest. Only the page is not `YouTube`'s, which a test cannot reach.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use black_box_tests::{MediaServer, Service, Setup, binary, service::PATIENCE};
use serde_json::Value;
use testkit::assemblyai::FakeAssemblyAi;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep},
};

const VIDEO: &str = "https://youtu.be/dQw4w9WgXcQ";

/// A service with an engine that wants to have the sound, which the mock does not.
fn setup(engine: &FakeAssemblyAi) -> anyhow::Result<Setup> {
    Ok(Setup::new()?
        .with("ENGINE", "assemblyai")
        .with("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
        .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
        .with("LOG_LEVEL", "info"))
}

/// The yt-dlp that `scripts/test-tools.sh` brings: beside what cargo builds.
fn real_ytdlp() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folders = here.ancestors().chain(binary().ancestors());
    let mut places = folders.map(|folder| folder.join("tools/yt-dlp/bin/yt-dlp"));
    places.find(|path| path.exists()).context("no yt-dlp: run scripts/test-tools.sh first")
}

fn program(folder: &Path, name: &str, script: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Eight seconds of a tone, as an m4a.
fn tone(folder: &Path) -> anyhow::Result<&'static [u8]> {
    let path = folder.join("tone.m4a");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=8"])
        .args(["-c:a", "aac"])
        .arg(&path)
        .status()
        .context("no ffmpeg: run scripts/test-tools.sh first")?;
    ensure!(made.success(), "ffmpeg: {made}");
    Ok(fs::read(path)?.leak())
}

/// A server with a page about the recording at `url`.
async fn page(url: &str) -> anyhow::Result<SocketAddr> {
    let body = format!(
        r#"<html><head><title>x</title><script type="application/ld+json">
        {{"@context":"https://schema.org","@type":"VideoObject","name":"A local talk",
        "duration":"PT8S","uploadDate":"2026-01-01","contentUrl":"{url}"}}
        </script></head><body></body></html>"#
    );
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The head of a request, in one piece or not: everybody gets the same.
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        }
    });
    Ok(address)
}

/// The check `youtube` of the readiness report.
async fn check(service: &Service) -> anyhow::Result<Value> {
    let report = service.client().get("/health/ready", None).await?.expect(200)?.json;
    let checks = report["checks"].as_array().context("checks")?;
    let found = checks.iter().find(|check| check["name"] == "youtube");
    Ok(found.with_context(|| report.to_string())?.clone())
}

async fn until_logged(service: &Service, word: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !service.log()?.contains(word) {
        ensure!(Instant::now() < deadline, "{word} is not in\n{}", service.log()?);
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_video_reaches_the_engine_as_sound_and_the_user_with_its_title() -> anyhow::Result<()> {
    let engine = FakeAssemblyAi::start();
    let setup = setup(&engine)?;
    let folder = setup.folder().to_owned();
    let recording = MediaServer::start(tone(&folder)?, Duration::ZERO).await?;
    let page = page(&recording.url("tone.m4a")).await?;
    let script = format!(
        "for word do\nshift\ncase $word in\nyoutube) word=generic;;\n\
         https://www.youtube.com/*) word=http://{page}/;;\nesac\nset -- \"$@\" \"$word\"\ndone\n\
         exec {} \"$@\"",
        real_ytdlp()?.display()
    );
    let ytdlp = program(&folder, "yt-dlp", &script)?;
    let service = setup.with("YTDLP_PATH", &ytdlp).start().await?;
    let check = check(&service).await?;
    ensure!(check["ok"] == true && check["detail"] == "yt-dlp 2026.10.26", "{check}");
    let account = service.client().account("ada@example.com").await?;
    let made = account.create(VIDEO).await?.expect(201)?;
    let ended = account.until_ended(made.word("id")?).await?;
    // The fake engine has no words for a tone, but it has seen what it is.
    let error = &ended.json["error"];
    ensure!(error["stage"] == "transcribing", "{}\n{}", ended.text, service.log()?);
    let source = &ended.json["source"];
    ensure!(source["title"] == "A local talk", "{}", ended.text);
    let seconds = source["duration_seconds"].as_f64().context(ended.text.clone())?;
    ensure!((seconds - 8.0).abs() < 0.1, "{}", ended.text);
    Ok(())
}

#[tokio::test]
async fn without_a_network_a_video_is_tried_again_later() -> anyhow::Result<()> {
    let engine = FakeAssemblyAi::start();
    let setup = setup(&engine)?;
    // Whether or not this machine has one: nobody listens where the proxy should be.
    let script = format!("exec {} --proxy http://127.0.0.1:9 \"$@\"", real_ytdlp()?.display());
    let ytdlp = program(setup.folder(), "yt-dlp", &script)?;
    let service = setup.with("YTDLP_PATH", &ytdlp).start().await?;
    let account = service.client().account("ada@example.com").await?;
    let made = account.create(VIDEO).await?.expect(201)?;
    until_logged(&service, "youtube_unreachable").await?;
    let waits = account.transcription(made.word("id")?).await?.expect(200)?;
    ensure!(waits.json["error"].is_null(), "{}", waits.text);
    Ok(())
}

#[tokio::test]
async fn what_cannot_fetch_videos_says_so_and_does_the_rest() -> anyhow::Result<()> {
    let old = "echo 2026.07.03";
    for (script, code, detail) in [
        (None, "youtube_unavailable", "yt-dlp is not installed"),
        (Some(old), "youtube_tool_outdated", "yt-dlp 2026.07.03 is too old"),
    ] {
        let engine = FakeAssemblyAi::start();
        let mut setup = setup(&engine)?.with("FFMPEG_PATH", "/bin/sh");
        setup = match script {
            None => setup.with("PATH", "/nowhere"),
            Some(script) => {
                let ytdlp = program(setup.folder(), "yt-dlp", script)?;
                setup.with("YTDLP_PATH", &ytdlp)
            }
        };
        let service = setup.start().await?;
        until_logged(&service, detail).await?;
        let check = check(&service).await?;
        let said = check["detail"].as_str().unwrap_or_default();
        ensure!(check["ok"] == false && said.starts_with(detail), "{check}");
        let account = service.client().account("ada@example.com").await?;
        let made = account.create(VIDEO).await?.expect(201)?;
        let ended = account.until_ended(made.word("id")?).await?;
        ensure!(ended.json["error"]["code"] == code, "{}", ended.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_named_must_be_one() -> anyhow::Result<()> {
    let nowhere = Setup::new()?
        .with("YTDLP_PATH", "no-such-yt-dlp")
        .with("FFMPEG_PATH", "/no/such/ffmpeg")
        .run(&["serve"])
        .await?;
    ensure!(nowhere.code == Some(2), "{}", nowhere.output());
    for name in ["YTDLP_PATH", "FFMPEG_PATH"] {
        ensure!(nowhere.stderr.contains(name), "{}", nowhere.stderr);
    }
    let setup = Setup::new()?;
    let ytdlp = program(setup.folder(), "yt-dlp of mine", "exit 1")?;
    let shown = setup.with("YTDLP_PATH", &ytdlp).with("PATH", "/").run(&["config"]).await?;
    ensure!(shown.stdout.contains(&format!("YTDLP_PATH={ytdlp}\n")), "{}", shown.output());
    ensure!(shown.stdout.contains("FFMPEG_PATH=\n"), "{}", shown.output());
    Ok(())
}
