//! Bounds in time and size, files that cannot be read, and what the configuration may be.

use std::{io::Write as _, time::Duration};

use application::ports::SpeechToText as _;
use domain::FailureCode as Code;
use infrastructure::engines::assemblyai::{AssemblyAi, AssemblyAiConfig, ConfigError};
use testkit::assemblyai::{Endpoint, FakeAssemblyAi, Fault};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    BRIEF, HandClock, KEY, any_recording, config, engine, engine_with, hasty, since, submitted,
};

/// A file of this many zero bytes that takes no space.
fn sparse(bytes: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(bytes).expect("a sparse file");
    file
}

/// A server that answers its first connection with these bytes and no other.
async fn answering(bytes: impl Into<Vec<u8>>) -> AssemblyAiConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let bytes = bytes.into();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4096];
        let _ = connection.read(&mut request).await;
        let _ = connection.write_all(&bytes).await;
        let _ = connection.shutdown().await;
        // Closing with something unread would reset the connection under the answer.
        let _ = tokio::io::copy(&mut connection, &mut tokio::io::sink()).await;
    });
    AssemblyAiConfig::new(base.parse().expect("a URL"), KEY.into(), vec!["universal-2".into()])
}

#[tokio::test]
async fn every_question_has_a_deadline() {
    let fake = FakeAssemblyAi::start();
    let id = submitted(&engine(&fake), any_recording()).await.provider_id;
    let hasty = hasty(&fake);
    let late = || Fault::Hang(Duration::from_hours(1));
    fake.script(Endpoint::Get, late());
    let error = hasty.poll(&id, 0, since(), 0.5).await.expect_err("late");
    assert_eq!(error.code, Code::ProviderUnavailable);
    fake.script(Endpoint::Get, late());
    let error = hasty.result(&id, "").await.expect_err("late");
    assert_eq!(error.code, Code::ProviderUnavailable);
    fake.script(Endpoint::Delete, late());
    let error = hasty.erase(&id).await.expect_err("late");
    assert_eq!(error.code, Code::ProviderUnavailable);
    assert!(fake.is_deleted(&id), "it arrived, but nobody could know");
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    // Takes the connection in its backlog, and reads nothing of it.
    let deaf = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", deaf.local_addr().expect("an address"));
    let mut config =
        AssemblyAiConfig::new(base.parse().expect("a URL"), KEY.into(), vec!["m".into()]);
    config.deadlines.stall = BRIEF;
    let file = sparse(64 * 1024 * 1024);
    let error = engine_with(config).upload(file.path()).await.expect_err("no progress");
    assert_eq!(error.code, Code::ProviderUnavailable);
}

#[tokio::test]
async fn an_upload_whose_answer_does_not_come_is_given_up() {
    let fake = FakeAssemblyAi::start();
    fake.script(Endpoint::Upload, Fault::Hang(Duration::from_hours(1)));
    let mut config = config(&fake);
    config.deadlines.stall = BRIEF;
    let file = sparse(1024);
    let error = engine_with(config).upload(file.path()).await.expect_err("no answer");
    assert_eq!(error.code, Code::ProviderUnavailable);
    assert_eq!(fake.uploads().len(), 1);
}

#[tokio::test]
async fn every_refusal_of_an_upload_has_a_code() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let file = sparse(1024);
    let bad = |url: &str| Fault::answer(&serde_json::json!({ "upload_url": url }));
    for (fault, code) in [
        (
            Fault::refusal(401, "Authentication error, API token missing/invalid"),
            Code::ProviderAuth,
        ),
        (Fault::refusal(403, "Forbidden"), Code::ProviderAuth),
        (Fault::NegativeBalance, Code::ProviderPaymentRequired),
        (Fault::refusal(413, "Payload too large"), Code::SourceTooLarge),
        (Fault::refusal(422, "Upload failed, please try again."), Code::ProviderUnavailable),
        (Fault::refusal(400, "This is not for us"), Code::ProviderRejected),
        (Fault::refusal(429, "Too Many Requests"), Code::ProviderThrottled),
        (Fault::refusal(500, "Internal Server Error"), Code::ProviderUnavailable),
        (Fault::EmptyBody504 { accepted: true }, Code::ProviderUnavailable),
        (Fault::Cut, Code::ProviderUnavailable),
        (Fault::AcceptThenCut, Code::ProviderUnavailable),
        (Fault::CutBody, Code::ProviderUnavailable),
        (Fault::Html { accepted: true }, Code::ProviderProtocol),
        (Fault::TruncatedJson, Code::ProviderProtocol),
        (Fault::answer(&serde_json::json!({})), Code::ProviderProtocol),
        (bad(""), Code::ProviderProtocol),
        (bad("file:///etc/passwd"), Code::ProviderProtocol),
        (bad(&format!("https://x.example/{}", "x".repeat(2048))), Code::ProviderProtocol),
    ] {
        fake.script(Endpoint::Upload, fault.clone());
        let error = engine.upload(file.path()).await.expect_err("refused");
        assert_eq!(error.code, code, "{fault:?}");
    }
    engine.upload(file.path()).await.expect("free to repeat");
}

#[tokio::test]
async fn audio_that_cannot_be_read_is_a_matter_of_this_machine() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let directory = tempfile::tempdir().expect("a directory");
    for path in [directory.path().join("absent.wav"), directory.path().to_owned()] {
        let error = engine.upload(&path).await.expect_err("unreadable");
        assert_eq!(error.code, Code::LocalResource, "{}", path.display());
    }
    let empty = sparse(0);
    let error = engine.upload(empty.path()).await.expect_err("nothing to hear");
    assert_eq!((error.code, fake.uploads().len()), (Code::NoAudio, 0));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"upload_url\":\"";
    let endless = [head.as_bytes(), &vec![b'x'; 2 * 1024 * 1024]].concat();
    let mut file = sparse(0);
    file.write_all(b"audio").expect("a file");
    let error = engine_with(answering(endless).await).upload(file.path()).await;
    assert_eq!(error.expect_err("too much").code, Code::ProviderProtocol);
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nyour balance ";
    let endless = [head.as_bytes(), &vec![b'x'; 128 * 1024]].concat();
    let error = engine_with(answering(endless).await).upload(file.path()).await;
    let error = error.expect_err("too much");
    assert_eq!((error.code, error.detail.as_deref()), (Code::ProviderProtocol, Some("HTTP 400")));
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_that_the_key_stays_here() {
    let fake = FakeAssemblyAi::start();
    let target = format!("{}/v2/transcript/job-1", fake.base_url());
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
    );
    let error = engine_with(answering(redirect).await).poll("job-1", 0, since(), 0.5).await;
    assert_eq!(error.expect_err("no answer").code, Code::ProviderProtocol);
    assert_eq!(fake.requests(Endpoint::Get), 0);
}

#[tokio::test]
async fn a_path_in_the_base_url_is_kept() {
    let fake = FakeAssemblyAi::start();
    for path in ["/v2/..", "/", "?region=eu#x"] {
        let mut config = config(&fake);
        config.base_url = config.base_url.join(path).expect("a URL");
        submitted(&engine_with(config), any_recording()).await;
    }
    let mut config = config(&fake);
    config.base_url = config.base_url.join("/proxied/").expect("a URL");
    let error = engine_with(config).upload(sparse(9).path()).await.expect_err("not the fake's");
    assert_eq!(error.code, Code::ProviderProtocol, "a 404 of the path /proxied/v2/upload");
}

#[test]
fn the_key_is_in_no_debug_output() {
    let fake = FakeAssemblyAi::start();
    let config = config(&fake);
    let shown = format!("{config:?} {:?} {:#?}", engine(&fake), engine(&fake));
    assert!(!shown.contains(KEY) && shown.contains("universal-3-pro"), "{shown}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let fake = FakeAssemblyAi::start();
    let build = |change: &dyn Fn(&mut AssemblyAiConfig)| {
        let mut config = config(&fake);
        change(&mut config);
        AssemblyAi::new(config, HandClock::at("2026-11-22T12:00:00Z")).err()
    };
    for url in ["ftp://x.example", "file:///tmp", "data:,x", "https://user:secret@x.example"] {
        let error = build(&|config| config.base_url = url.parse().expect("a URL"));
        assert!(matches!(error, Some(ConfigError::BaseUrl)), "{url}: {error:?}");
    }
    for key in ["", "two words", "line\nbreak", "clé"] {
        let error = build(&|config| config.api_key = key.into());
        assert!(matches!(error, Some(ConfigError::ApiKey)), "{key:?}: {error:?}");
    }
    for models in [vec![], vec![" ".to_owned()]] {
        let error = build(&|config| config.models.clone_from(&models));
        assert!(matches!(error, Some(ConfigError::Models)), "{models:?}: {error:?}");
    }
    assert!(build(&|_| {}).is_none());
}
