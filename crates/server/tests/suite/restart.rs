//! A process dies with jobs in its hands; the next one takes them up by itself.

#![cfg(test)]

use std::{path::Path, sync::Arc};

use application::ports::{Entropy, Ids};
use serde_json::{Value, json};
use testkit::fakes::{ScriptedSpeech, SpeechMethod};
use tokio::runtime::{Builder, Runtime};

use crate::app::{MEDIA, PASSWORD, TestApp};

fn process() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Starts the service over the database in `directory`; the engine outlives the processes.
async fn service(directory: &Path, speech: &Arc<ScriptedSpeech>) -> TestApp {
    let builder = TestApp::builder().over_sqlite(directory).await;
    builder.with(|adapters, _| adapters.speech = speech.clone()).start()
}

async fn signed_in(app: &TestApp) -> String {
    let pair = app.login("a@example.com", PASSWORD).await.ok();
    pair["access_token"].as_str().unwrap().to_owned()
}

/// Accepts a job, lets it run until it stands at `stop`, and dies. Nothing is told to the jobs:
/// their tasks end where they stand. Returns the job as it was last seen.
fn dies_at(stop: SpeechMethod, directory: &Path, speech: &Arc<ScriptedSpeech>) -> Value {
    let process = process();
    let seen = process.block_on(async {
        let app = service(directory, speech).await;
        let token = app.token("a@example.com").await;
        let id = app.create(&token, MEDIA).await;
        speech.gate(stop).close();
        let engine = app.engine();
        tokio::spawn(async move { engine.run_pending().await });
        speech.gate(stop).reached().await;
        let seen = app.transcription(&token, &id).await;
        app.stop().await;
        seen
    });
    drop(process);
    speech.gate(stop).open();
    seen
}

/// Starts again `seconds` after the first start, runs what is due, and looks at the job.
fn found_after(seconds: i64, id: &str, directory: &Path, speech: &Arc<ScriptedSpeech>) -> Value {
    process().block_on(async {
        let app = service(directory, speech).await;
        app.advance(seconds);
        // The fakes count from the start again; a later process draws what was never drawn.
        for _ in 0..seconds {
            app.fakes.ids.next();
            app.fakes.entropy.secret();
        }
        app.run_pending_jobs().await;
        let token = signed_in(&app).await;
        let found = app.transcription(&token, id).await;
        app.stop().await;
        found
    })
}

#[test]
fn a_job_at_work_is_taken_up_again_when_its_lease_has_ended() {
    let (directory, speech) = (tempfile::tempdir().unwrap(), Arc::<ScriptedSpeech>::default());
    let at_work = dies_at(SpeechMethod::Upload, directory.path(), &speech);
    assert_eq!(
        (&at_work["status"], &at_work["stage"]),
        (&json!("processing"), &json!("uploading"))
    );
    let id = at_work["id"].as_str().unwrap();
    let too_early = found_after(59, id, directory.path(), &speech);
    assert_eq!(too_early["status"], "processing");
    let done = found_after(120, id, directory.path(), &speech);
    assert_eq!((&done["status"], &done["text"]), (&json!("completed"), &json!("Hello world.")));
    assert_eq!(done["started_at"], at_work["started_at"]);
    assert_eq!(done["retry_count"], 1);
    assert_eq!(speech.accepted().len(), 1);
}

#[test]
fn a_job_whose_answer_died_with_the_process_is_looked_for_before_it_is_sent_anew() {
    let (directory, speech) = (tempfile::tempdir().unwrap(), Arc::<ScriptedSpeech>::default());
    let at_work = dies_at(SpeechMethod::Submit, directory.path(), &speech);
    assert_eq!(at_work["status"], "processing");
    let id = at_work["id"].as_str().unwrap();
    // Three complete listings, the last one after ten minutes.
    for (seconds, looks) in [(70, 1), (300, 2)] {
        let open = found_after(seconds, id, directory.path(), &speech);
        assert_eq!(open["status"], "processing");
        assert_eq!(
            (speech.count(SpeechMethod::Submit), speech.count(SpeechMethod::Find)),
            (1, looks)
        );
    }
    let done = found_after(600, id, directory.path(), &speech);
    assert_eq!(done["status"], "completed");
    assert_eq!((speech.count(SpeechMethod::Submit), speech.accepted().len()), (2, 1));
}

#[test]
fn a_job_at_the_engine_is_asked_for_again_and_not_paid_twice() {
    let (directory, speech) = (tempfile::tempdir().unwrap(), Arc::<ScriptedSpeech>::default());
    let at_work = dies_at(SpeechMethod::Poll, directory.path(), &speech);
    assert_eq!(at_work["stage"], "transcribing");
    let done = found_after(600, at_work["id"].as_str().unwrap(), directory.path(), &speech);
    assert_eq!(done["status"], "completed");
    assert_eq!((speech.accepted().len(), speech.count(SpeechMethod::Upload)), (1, 1));
}
