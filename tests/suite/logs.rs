//! What stands in the log, and what never does, in either format and at its most talkative.

use std::{collections::BTreeSet, fs::File, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use black_box_tests::{
    Account, Client, MediaServer, Service, Setup, binary, client::PASSWORD, service::PATIENCE,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{assemblyai::FakeAssemblyAi, fixtures};
use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};

const MAIL: &str = "mail-canary@example.com";
const STRANGER: &str = "stranger-canary@example.com";
const NAME: &str = "Name-Canary";
const WRONG: &str = "wrong-password-canary";
const QUERY: &str = "query-canary";
const LABEL: &str = "metadata-canary";
const API_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Events that the original has, and tools of its users look for.
const EVENTS: [&str; 9] = [
    "application_startup",
    "database_initialized",
    "transcription_job_created",
    "transcription_processing_started",
    "transcription_completed",
    "transcription_failed",
    "transcription_job_deleted",
    "rate_limit_exceeded",
    "application_shutdown",
];

#[tokio::test]
async fn json_logs_name_the_events_and_no_secret() -> anyhow::Result<()> {
    let (log, canaries) = a_life("json").await?;
    holds_none(&log, &canaries)?;
    let mut events = BTreeSet::new();
    for line in log.lines() {
        let line: Value =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        events.extend(line["event"].as_str().map(str::to_owned));
    }
    let missing: Vec<_> = EVENTS.iter().filter(|event| !events.contains(**event)).collect();
    ensure!(missing.is_empty(), "{missing:?} are missing in {events:?}");
    Ok(())
}

#[tokio::test]
async fn readable_logs_hold_no_secret_either() -> anyhow::Result<()> {
    let (log, canaries) = a_life("pretty").await?;
    holds_none(&log, &canaries)?;
    for event in EVENTS {
        ensure!(log.contains(event), "{event} is missing in:\n{log}");
    }
    Ok(())
}

fn holds_none(log: &str, canaries: &[String]) -> anyhow::Result<()> {
    for canary in canaries {
        let line = log.lines().find(|line| line.contains(canary));
        ensure!(line.is_none(), "{canary} is in the log: {}", line.unwrap_or_default());
    }
    Ok(())
}

/// A service does everything once; its log, and what must not be in it.
async fn a_life(format: &str) -> anyhow::Result<(String, Vec<String>)> {
    let recording = fixtures::by_name("jfk").context("a recording")?;
    let engine = FakeAssemblyAi::start();
    let media = MediaServer::start(recording.wav, Duration::ZERO).await?;
    let mut service = Setup::new()?
        .with("ENGINE", "assemblyai")
        .with("ASSEMBLYAI_API_KEY", API_KEY)
        .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
        // Nobody listens there: the test calls in the place of the engine.
        .with("PUBLIC_URL", "http://127.0.0.1:9/behind")
        .with("MEDIA_ALLOWED_NETWORKS", "127.0.0.0/8")
        .with("RATE_LIMITS", "auth_login=4/minute,transcription_get=off")
        .with("LOG_FORMAT", format)
        .with("LOG_LEVEL", "trace")
        .start()
        .await?;
    let tokens = sign_in(service.client()).await?;
    let access = tokens.first().context("an access token")?.clone();
    let (text, secret) = transcribe(&service, &access, &media, &engine).await?;
    ensure!(text == recording.text, "another text: {text}");
    service.terminate(Duration::from_secs(30)).await?;

    let mut canaries: Vec<String> =
        [MAIL, STRANGER, NAME, WRONG, PASSWORD, QUERY, LABEL, API_KEY].map(str::to_owned).into();
    canaries.extend(tokens);
    canaries.push(secret);
    // A few words are enough to know the transcript by.
    canaries.push("country can do".to_owned());
    ensure!(text.contains("country can do"), "{text}");
    Ok((service.log()?, canaries))
}

/// Calls as the engine was told to call; the secret in the path.
async fn call_back(service: &Service, engine: &FakeAssemblyAi) -> anyhow::Result<String> {
    let ledger = engine.ledger();
    let url = ledger.first().and_then(|job| job.params["webhook_url"].as_str());
    let url = url.context("an address to call back")?;
    let path = url.strip_prefix("http://127.0.0.1:9/behind").context("the public address")?;
    let secret = path.rsplit('/').next().context("a secret")?;
    let body = json!({ "transcript_id": ledger[0].id, "status": "completed" });
    service.client().post(path, None, &body).await?.expect(204)?;
    service.client().post(&format!("{path}0"), None, &body).await?.expect(404)?;
    service.client().get(path, None).await?.expect(405)?;
    Ok(secret.to_owned())
}

/// Registers, signs in, and fails to; the tokens.
async fn sign_in(client: &Client) -> anyhow::Result<Vec<String>> {
    let body = json!({ "email": MAIL, "password": PASSWORD, "full_name": NAME });
    client.post("/api/auth/register", None, &body).await?.expect(201)?;
    client.post("/api/auth/register", None, &body).await?.expect(409)?;
    let body = json!({ "email": STRANGER, "password": WRONG, "no_such_member": QUERY });
    client.post("/api/auth/register", None, &body).await?.expect(422)?;
    let signed_in = client.login(MAIL, PASSWORD).await?.expect(200)?;
    client.login(MAIL, WRONG).await?.expect(401)?;
    client.login(STRANGER, PASSWORD).await?.expect(401)?;
    client.login(STRANGER, WRONG).await?.expect(401)?;
    client.login(MAIL, WRONG).await?.expect(429)?;
    let members = ["access_token", "refresh_token"];
    let tokens = members.iter().filter_map(|member| signed_in.json[*member].as_str());
    let tokens: Vec<String> = tokens.map(str::to_owned).collect();
    client.get("/api/auth/me", Some(&format!("{}x", tokens[0]))).await?.expect(401)?;
    Ok(tokens)
}

/// One job that succeeds, one that cannot be fetched, one of a form that is refused; the text of
/// the first, and the secret of its submission.
async fn transcribe(
    service: &Service,
    token: &str,
    media: &MediaServer,
    engine: &FakeAssemblyAi,
) -> anyhow::Result<(String, String)> {
    let account = Account { client: service.client().clone(), token: token.to_owned() };
    let create = async |url: &str| {
        let body = json!({ "video_url": url, "metadata": { "label": LABEL } });
        account.client.post("/api/transcription", Some(token), &body).await
    };
    let query = format!("?token={QUERY}");
    let good = create(&media.url(&format!("a.wav{query}"))).await?.expect(201)?;
    let bad = create(&media.url(&format!("missing.wav{query}"))).await?.expect(201)?;
    create(&format!("ftp://example.com/a.wav{query}")).await?.expect(422)?;
    account.get(&format!("/api/transcription{query}")).await?;
    account.get(&format!("/no/such/path{query}")).await?.expect(404)?;

    let failed = account.until_ended(bad.word("id")?).await?;
    ensure!(failed.json["status"] == "failed", "{}", failed.text);
    let id = good.word("id")?;
    let ended = account.until_ended(id).await?;
    ensure!(ended.json["status"] == "completed", "{}", ended.text);
    let path = format!("/api/transcription/{id}");
    account.get(&format!("{path}/transcript")).await?.expect(200)?;
    let secret = call_back(service, engine).await?;
    account.client.call(Method::DELETE, &path, Some(token)).await?.expect(204)?;
    Ok((ended.word("text")?.to_owned(), secret))
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() -> anyhow::Result<()> {
    let setup = Setup::new()?.with("LOG_LEVEL", "debug");
    let mut command = Command::from(setup.command(binary(), &["serve"]));
    let full = File::options().write(true).open("/dev/full")?;
    let mut child = command.stdout(Stdio::null()).stderr(full).kill_on_drop(true).spawn()?;
    let client = Client::new(&setup.base_url())?;
    let deadline = Instant::now() + PATIENCE;
    while client.get("/health/ready", None).await.is_err() {
        ensure!(Instant::now() < deadline, "the service does not get ready");
        sleep(Duration::from_millis(20)).await;
    }
    let account = client.account(MAIL).await?;
    let body = json!({ "video_url": "https://youtu.be/dQw4w9WgXcQ" });
    client.post("/api/transcription", Some(&account.token), &body).await?.expect(201)?;
    account.until_idle(PATIENCE).await?;
    ensure!(account.list().await?[0]["status"] == "completed", "it does not end");
    let id = Pid::from_raw(child.id().context("it runs")?.try_into()?);
    kill(id, Signal::SIGTERM)?;
    ensure!(timeout(PATIENCE, child.wait()).await??.success(), "it does not end in order");
    Ok(())
}
