//! The speech engines: the mock, and AssemblyAI against a server that speaks its protocol.

mod answers;
mod fake;
mod finding;
mod happy_path;
mod limits;
mod mock;
mod submission;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use application::ports::{Clock, SpeechToText as _, SubmitAnswer, SubmitRequest};
use chrono::{DateTime, TimeDelta, Utc};
use domain::TranscriptionOptions;
use infrastructure::engines::assemblyai::{AssemblyAi, AssemblyAiConfig, Deadlines};
use testkit::{assemblyai::FakeAssemblyAi, fixtures::Recording};

/// A clock that stands still until it is moved.
struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    fn at(instant: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(instant.parse().expect("an instant"))))
    }

    fn advance(&self, delta: TimeDelta) {
        *self.0.lock().expect("not poisoned") += delta;
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("not poisoned")
    }
}

const KEY: &str = "key-0123456789abcdef";

/// Short enough for tests of what takes too long.
const BRIEF: Duration = Duration::from_millis(250);

fn config(fake: &FakeAssemblyAi) -> AssemblyAiConfig {
    let base_url = fake.base_url().parse().expect("a URL");
    AssemblyAiConfig::new(
        base_url,
        KEY.into(),
        vec!["universal-3-pro".into(), "universal-2".into()],
    )
}

fn engine(fake: &FakeAssemblyAi) -> AssemblyAi {
    engine_with(config(fake))
}

/// An engine that waits for nothing longer than [`BRIEF`].
fn hasty(fake: &FakeAssemblyAi) -> AssemblyAi {
    let mut config = config(fake);
    let connect = config.deadlines.connect;
    config.deadlines = Deadlines {
        connect,
        upload: BRIEF,
        stall: BRIEF,
        poll: BRIEF,
        result: BRIEF,
        erase: BRIEF,
        list: BRIEF,
        find: BRIEF,
    };
    engine_with(config)
}

fn engine_with(config: AssemblyAiConfig) -> AssemblyAi {
    AssemblyAi::new(config, HandClock::at("2026-11-22T12:00:00Z")).expect("a configuration")
}

fn since() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().expect("an instant")
}

const TOKEN: domain::CallbackToken = domain::CallbackToken::new([7; 32]);

fn order<'a>(upload_url: &'a str, options: &'a TranscriptionOptions) -> SubmitRequest<'a> {
    SubmitRequest {
        callback: &TOKEN,
        upload_url: Some(upload_url),
        options,
        timeout: Duration::from_secs(10),
    }
}

/// Uploads a recording.
async fn uploaded(engine: &AssemblyAi, recording: &Recording) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("audio.wav");
    std::fs::write(&path, recording.wav).expect("a file");
    engine.upload(&path).await.expect("an upload")
}

/// Uploads a recording and submits it with the default options.
async fn submitted(engine: &AssemblyAi, recording: &Recording) -> SubmitAnswer {
    let url = uploaded(engine, recording).await;
    engine.submit(order(&url, &TranscriptionOptions::default())).await.expect("a submission")
}

/// A recording, where it does not matter which.
fn any_recording() -> &'static Recording {
    testkit::fixtures::by_name("mary").expect("a fixture")
}
