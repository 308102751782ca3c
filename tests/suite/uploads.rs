//! Files that are handed in to the real binary.

use std::{fs, io, net::TcpListener, path::Path, process::Command};

use anyhow::{Context, ensure};
use black_box_tests::{Account, Service, Setup};
use serde_json::{Value, json};
use testkit::{assemblyai::FakeAssemblyAi, fixtures};

/// What lies in a folder of `DATA_DIR`.
fn left(service: &Service, folder: &str) -> anyhow::Result<Vec<String>> {
    let folder = service.setup().data().join(folder);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn is_empty(service: &Service) -> anyhow::Result<()> {
    for folder in ["uploads", "work"] {
        let left = left(service, folder)?;
        ensure!(left.is_empty(), "{folder}: {left:?}\n{}", service.log()?);
    }
    Ok(())
}

fn has_ffprobe() -> bool {
    let found = Command::new("sh").args(["-c", "command -v ffprobe"]).output();
    found.is_ok_and(|found| found.status.success())
}

async fn refused(account: &Account, name: &str, content: &[u8]) -> anyhow::Result<Value> {
    let answer = account.upload(name, content, &[]).await?.expect(422)?;
    Ok(answer.json["errors"][0].clone())
}

#[tokio::test]
async fn a_recording_is_handed_in_and_its_simulated_transcript_read() -> anyhow::Result<()> {
    let service = Setup::new()?.start().await?;
    let account = service.client().account("ada@example.com").await?;
    let recording = fixtures::by_name("jfk").context("a recording")?;
    let options = [("language", "en"), ("metadata", r#"{"project":"demo"}"#)];
    let created = account.upload("Kennedy 1961.wav", recording.wav, &options).await?.expect(201)?;
    ensure!(created.json["video_url"].is_null(), "{}", created.text);
    ensure!(created.json["source"]["title"] == "Kennedy 1961.wav", "{}", created.text);
    if has_ffprobe() {
        let seconds = created.json["source"]["duration_seconds"].as_f64().context("a duration")?;
        let expected = f64::from(u32::try_from(recording.duration_ms())?) / 1_000.0;
        ensure!((seconds - expected).abs() < 0.1, "{}", created.text);
    }
    let done = account.until_ended(created.word("id")?).await?;
    ensure!(done.json["status"] == "completed", "{}", done.text);
    ensure!(done.json["metadata"] == json!({"project": "demo"}), "{}", done.text);
    is_empty(&service)
}

#[tokio::test]
async fn a_recording_reaches_the_engine_byte_by_byte_and_is_gone_afterwards() -> anyhow::Result<()>
{
    let engine = FakeAssemblyAi::start();
    let service = Setup::new()?
        .with("ENGINE", "assemblyai")
        .with("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
        .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
        .start()
        .await?;
    let account = service.client().account("ada@example.com").await?;
    let recording = fixtures::by_name("jfk").context("a recording")?;
    let created = account.upload("talk", recording.wav, &[]).await?.expect(201)?;
    let done = account.until_ended(created.word("id")?).await?;
    ensure!(done.json["status"] == "completed", "{}", done.text);
    ensure!(done.word("text")? == recording.text, "{}", done.text);
    let received: Vec<_> = engine.ledger().into_iter().map(|job| job.sha256).collect();
    ensure!(received == [Some(recording.sha256())], "{received:?}");
    is_empty(&service)
}

#[tokio::test]
async fn what_is_in_a_file_counts_and_not_what_it_is_called() -> anyhow::Result<()> {
    if !has_ffprobe() {
        println!("skipped: there is no ffprobe on PATH");
        return Ok(());
    }
    let service = Setup::new()?.start().await?;
    let account = service.client().account("ada@example.com").await?;
    let canary = TcpListener::bind("127.0.0.1:0")?;
    canary.set_nonblocking(true)?;
    let sound = service.setup().folder().join("sound.wav");
    let recording = fixtures::by_name("goforward").context("a recording")?;
    fs::write(&sound, recording.wav)?;
    for hostile in hostile(&sound, &format!("http://{}/a.wav", canary.local_addr()?)) {
        let fault = refused(&account, "talk.wav", &hostile).await?;
        let shown = String::from_utf8_lossy(&hostile);
        ensure!(fault["pointer"] == "/file" && fault["code"] == "no_audio", "{shown}: {fault}");
    }
    let asked = canary.accept();
    ensure!(asked.is_err(), "a file made the service ask: {asked:?}");
    ensure!(account.list().await?.is_empty(), "what was refused is listed");
    is_empty(&service)?;

    let named = account.upload("page.html", recording.wav, &[]).await?;
    named.expect(201)?;
    Ok(())
}

/// Files that are no recordings, or lead to ones elsewhere, or are two things at once.
fn hostile(sound: &Path, remote: &str) -> Vec<Vec<u8>> {
    let sound = sound.display();
    let list = |entry: &str| format!("#EXTM3U\n#EXTINF:1,\n{entry}\n#EXT-X-ENDLIST\n");
    let page = "<!doctype html><script>alert(1)</script>";
    [
        list(&format!("file://{sound}")),
        list(remote),
        format!("ffconcat version 1.0\nfile '{sound}'\n"),
        format!("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\na=control:{remote}\n"),
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"{remote}\"/></svg>"),
        format!("<?xml version=\"1.0\"?><MPD><BaseURL>{remote}</BaseURL></MPD>"),
        page.to_owned(),
        "only text".to_owned(),
        "PK\u{3}\u{4}\u{14}\0\0\0\0\0".to_owned(),
        "GIF89a/*\0*/=1;alert(1)".to_owned(),
        "%PDF-1.7\n".to_owned(),
        "RIFF\u{24}\0\0\0WAVE".to_owned(),
        format!("RIFF\u{24}\0\0\0WAVE{page}"),
        format!("ID3\u{3}\0\0\0\0\0\n{}", list(remote)),
        format!("OggS\0{page}"),
    ]
    .map(String::into_bytes)
    .to_vec()
}
