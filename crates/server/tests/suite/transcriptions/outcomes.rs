//! What can be done with a transcription in each of its states.

use domain::FailureCode;
use reqwest::Method;
use serde_json::json;
use testkit::fakes::{SpeechMethod, fetch_error, speech_error};

use super::{path, slow};
use crate::app::{MEDIA, TestApp};

#[tokio::test]
async fn a_transcript_is_refused_until_it_is_there() {
    let app = slow();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    let transcript = path(&id) + "/transcript";
    app.get(&transcript, &token).await.problem(409, "transcription_not_completed");
    app.run_pending_jobs().await;
    app.get(&transcript, &token).await.problem(409, "transcription_not_completed");
    app.advance(5);
    app.run_pending_jobs().await;
    assert_eq!(app.get(&transcript, &token).await.ok()["words"][0]["text"], "Hello");
}

#[tokio::test]
async fn canceling_is_answered_as_done_and_again_is_no_error() {
    let app = slow();
    let token = app.token("a@example.com").await;
    for run_first in [false, true] {
        let id = app.create(&token, MEDIA).await;
        if run_first {
            app.run_pending_jobs().await;
        }
        let cancel = path(&id) + "/cancel";
        let first = app.call(Method::POST, &cancel, &token).await.ok();
        assert_eq!((&first["status"], &first["error"]), (&json!("canceled"), &json!(null)));
        app.advance(60);
        app.run_pending_jobs().await;
        assert_eq!(app.call(Method::POST, &cancel, &token).await.ok(), first);
        assert_eq!(app.transcription(&token, &id).await, first);
        let transcript = app.get(&(path(&id) + "/transcript"), &token).await;
        transcript.problem(409, "transcription_not_completed");
    }
}

#[tokio::test]
async fn what_has_ended_is_not_canceled() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let completed = app.create(&token, MEDIA).await;
    app.run_pending_jobs().await;
    app.fakes.media.next_fetch(Err(fetch_error(FailureCode::NoAudio)));
    let failed = app.create(&token, MEDIA).await;
    app.run_pending_jobs().await;
    for (id, status) in [(completed, "completed"), (failed, "failed")] {
        let refused = app.call(Method::POST, &(path(&id) + "/cancel"), &token).await;
        refused.problem(409, "transcription_already_ended");
        assert_eq!(app.transcription(&token, &id).await["status"], status);
    }
}

#[tokio::test]
async fn deleting_takes_a_transcription_away_whatever_its_state() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let pending = app.create(&token, MEDIA).await;
    let gate = app.fakes.speech.gate(SpeechMethod::Upload);
    gate.close();
    let engine = app.engine();
    let running = tokio::spawn(async move { engine.run_pending().await });
    gate.reached().await;
    let at_work = app.transcription(&token, &pending).await;
    assert_eq!(
        (&at_work["status"], &at_work["stage"]),
        (&json!("processing"), &json!("uploading"))
    );
    assert_eq!(app.call(Method::DELETE, &path(&pending), &token).await.status, 204);
    gate.open();
    running.await.unwrap().unwrap();
    let completed = app.create(&token, MEDIA).await;
    app.run_pending_jobs().await;
    assert_eq!(app.call(Method::DELETE, &path(&completed), &token).await.status, 204);
    for id in [pending, completed] {
        app.get(&path(&id), &token).await.problem(404, "transcription_not_found");
        let again = app.call(Method::DELETE, &path(&id), &token).await;
        again.problem(404, "transcription_not_found");
    }
    assert_eq!(app.get("/api/transcription", &token).await.ok()["items"], json!([]));
    assert_eq!(app.fakes.speech.count(SpeechMethod::Submit), 1, "the deleted job went on");
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_counted() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    app.fakes.media.next_fetch(Err(fetch_error(FailureCode::SourceUnreachable)));
    app.run_pending_jobs().await;
    let waiting = app.transcription(&token, &id).await;
    assert_eq!((&waiting["status"], &waiting["error"]), (&json!("processing"), &json!(null)));
    app.advance(15 * 60);
    app.run_pending_jobs().await;
    let done = app.transcription(&token, &id).await;
    assert_eq!((&done["status"], &done["retry_count"]), (&json!("completed"), &json!(1)));
}

#[tokio::test]
async fn a_job_whose_answer_is_lost_is_found_again_and_nothing_is_sent_twice() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    app.fakes.speech.next_submit_lost();
    app.run_pending_jobs().await;
    let open = app.transcription(&token, &id).await;
    assert_eq!((&open["status"], &open["error"]), (&json!("processing"), &json!(null)));
    app.advance(5);
    app.run_pending_jobs().await;
    let done = app.transcription(&token, &id).await;
    assert_eq!((&done["status"], &done["retry_count"]), (&json!("completed"), &json!(0)));
    assert_eq!(app.fakes.speech.accepted().len(), 1);
    assert_eq!(app.fakes.speech.count(SpeechMethod::Submit), 1);
}

#[tokio::test]
async fn an_answer_that_stays_lost_ends_the_job_as_unknown_and_not_retriable() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    for _ in 0..2 {
        app.fakes.speech.next_submit(Err(speech_error(FailureCode::SubmissionUnknown)));
    }
    for _ in 0..25 {
        app.run_pending_jobs().await;
        app.advance(60);
    }
    let failed = app.transcription(&token, &id).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("submission_unknown"))
    );
    assert_eq!(failed["error"]["retriable"], false);
    assert!(app.fakes.speech.accepted().is_empty());
}
