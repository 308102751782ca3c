//! Real speech over real sockets: a WAV behind an http URL goes in, its words come out.
//!
//! Only the clock of the jobs is ours. AssemblyAI is the fake server of the test kit, which knows
//! the recordings by the bytes that reach it.

#![cfg(test)]

mod guard;

use std::{path::Path, sync::Arc};

use infrastructure::{
    confinement::Confinement,
    engines::assemblyai::{AssemblyAi, AssemblyAiConfig},
    media::{FetchLimits, MediaConfig, MediaLibrary, Resolver, SystemResolver},
};
use serde_json::{Value, json};
use testkit::{
    assemblyai::{FakeAssemblyAi, FakeOptions},
    fixtures,
};

use crate::app::{TestApp, loopback_policy};

/// A server of recordings that also speaks AssemblyAI's protocol.
fn assemblyai() -> FakeAssemblyAi {
    let options = FakeOptions { serve_fixtures: true, ..FakeOptions::default() };
    FakeAssemblyAi::start_with(options).unwrap()
}

/// The service as the binary puts it together, but for time; only 127.0.0.1 is exempt from the
/// rule that addresses are public.
async fn service(directory: &Path, fake: &FakeAssemblyAi, names: Arc<dyn Resolver>) -> TestApp {
    let builder = TestApp::builder().over_sqlite(directory).await;
    let media = MediaConfig {
        work_dir: directory.join("work"),
        max_bytes: 10 * 1024 * 1024,
        min_free_bytes: 0,
        max_seconds: 3_600,
        policy: loopback_policy(),
        ffprobe: None,
        ytdlp: None,
        ffmpeg: None,
        confinement: Confinement::none(),
        limits: FetchLimits::default(),
    };
    let config = AssemblyAiConfig::new(
        fake.base_url().parse().unwrap(),
        "a-key".into(),
        vec!["universal-2".to_owned()],
    );
    builder
        .config(|config| config.policy = loopback_policy())
        .with(|adapters, fakes| {
            adapters.media = Arc::new(MediaLibrary::with_resolver(media, names));
            adapters.speech = Arc::new(AssemblyAi::new(config, fakes.clock.clone()).unwrap());
        })
        .start()
}

/// Runs jobs and lets time pass until a transcription has ended.
async fn ended(app: &TestApp, token: &str, id: &str) -> Value {
    for _ in 0..20 {
        app.run_pending_jobs().await;
        let transcription = app.transcription(token, id).await;
        if !matches!(transcription["status"].as_str().unwrap(), "pending" | "processing") {
            return transcription;
        }
        app.advance(5);
    }
    panic!("{:?}", app.transcription(token, id).await);
}

#[tokio::test]
async fn every_recording_comes_out_as_its_words_with_their_times() {
    let (directory, fake) = (tempfile::tempdir().unwrap(), assemblyai());
    let app = service(directory.path(), &fake, Arc::new(SystemResolver)).await;
    let token = app.token("a@example.com").await;
    for recording in fixtures::recordings() {
        let url = format!("{}/fixtures/{}.wav", fake.base_url(), recording.name);
        let id = app.create(&token, &url).await;
        let done = ended(&app, &token, &id).await;
        assert_eq!(done["status"], "completed", "{done}");
        assert_eq!(done["text"], recording.text);
        assert_eq!((&done["engine"], &done["video_url"]), (&json!("assemblyai"), &json!(url)));
        let transcript = app.get(&format!("/api/transcription/{id}/transcript"), &token).await;
        let transcript = transcript.ok();
        let words = transcript["words"].as_array().unwrap();
        let texts: Vec<_> = words.iter().map(|word| word["text"].as_str().unwrap()).collect();
        assert_eq!(texts.join(" "), recording.text, "{}", recording.name);
        let times: Vec<_> = words
            .iter()
            .map(|word| (word["start_ms"].as_u64().unwrap(), word["end_ms"].as_u64().unwrap()))
            .collect();
        assert!(times.iter().all(|(start, end)| start < end), "{times:?}");
        assert!(times.is_sorted_by(|before, after| before.1 <= after.0), "{times:?}");
        assert!(times.last().unwrap().1 <= recording.duration_ms(), "{times:?}");
    }
    let sent: Vec<_> = fixtures::recordings().iter().map(|r| Some(r.sha256())).collect();
    let received: Vec<_> = fake.ledger().into_iter().map(|job| job.sha256).collect();
    assert_eq!(received, sent, "each was accepted once, byte by byte");
    let left: Vec<_> = std::fs::read_dir(directory.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "audio of jobs that ended is kept: {left:?}");
}

#[tokio::test]
async fn what_is_no_recording_ends_with_what_the_engine_says_of_it() {
    let (directory, fake) = (tempfile::tempdir().unwrap(), assemblyai());
    let app = service(directory.path(), &fake, Arc::new(SystemResolver)).await;
    let token = app.token("a@example.com").await;
    for (path, code) in [("/fixtures/nothing.wav", "source_refused"), ("/v2/x", "source_refused")] {
        let id = app.create(&token, &format!("{}{path}", fake.base_url())).await;
        let failed = ended(&app, &token, &id).await;
        assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!(code)));
    }
    let video = app.create(&token, "https://youtu.be/dQw4w9WgXcQ").await;
    let failed = ended(&app, &token, &video).await;
    assert_eq!(failed["error"]["code"], "youtube_unavailable");
    assert_eq!((fake.ledger().len(), fake.uploads().len()), (0, 0));
}
