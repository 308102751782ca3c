//! A speech engine calls back: heard, and never believed.

#![cfg(test)]

mod moody;
mod storm;

use std::{sync::Arc, time::Duration};

use application::ports::{Entropy as _, PollAnswer};
use chrono::TimeDelta;
use domain::CallbackToken;
use reqwest::Method;
use serde_json::json;
use testkit::fakes::{Down, FixedEntropy, SpeechMethod};

use crate::app::{MEDIA, TestApp, send};

/// The token of the first submission of an app on fakes.
pub(crate) fn first_token() -> String {
    CallbackToken::new(FixedEntropy::default().secret()).text()
}

pub(crate) fn path(token: &str) -> String {
    format!("/api/callbacks/assemblyai/{token}")
}

/// An app with one job that waits at the engine for an hour.
async fn waiting() -> (TestApp, String, String) {
    let app = TestApp::start();
    let user = app.token("a@example.com").await;
    let id = app.create(&user, MEDIA).await;
    let check_after = TimeDelta::hours(1);
    app.fakes.speech.next_poll(Ok(PollAnswer::Pending { check_after }));
    app.run_pending_jobs().await;
    assert_eq!(app.transcription(&user, &id).await["stage"], "transcribing");
    (app, user, id)
}

#[tokio::test]
async fn a_callback_makes_the_engine_be_asked_and_the_answer_does_not_wait_for_it() {
    let (app, user, id) = waiting().await;
    let asked = app.fakes.speech.calls();
    assert_eq!(app.run_pending_jobs().await, 0, "nothing is due");
    let body = json!({ "transcript_id": "provider-1", "status": "error" });
    let heard = app.post(&path(&first_token()), "", &body).await;
    assert_eq!((heard.status, heard.text.as_str()), (204, ""));
    assert_eq!(app.fakes.speech.calls(), asked, "that is left to the job engine");
    app.run_pending_jobs().await;
    let ended = app.transcription(&user, &id).await;
    assert_eq!(ended["status"], "completed", "what the body says is not believed");
    let late = app.post(&format!("{}/", path(&first_token())), "", &body).await;
    assert_eq!(late.status, 204, "a job that has ended is none of the engine's business");
    assert_eq!(app.transcription(&user, &id).await, ended);
}

#[tokio::test]
async fn an_unknown_secret_leads_nowhere() {
    let (app, ..) = waiting().await;
    let token = first_token();
    let swapped = if token.starts_with('0') { "1" } else { "0" };
    for wrong in [
        format!("{swapped}{}", &token[1..]),
        token[1..].to_owned(),
        format!("{token}0"),
        token.to_uppercase(),
        "x".to_owned(),
        "%00".to_owned(),
        "0".repeat(64),
        "0".repeat(7_000),
    ] {
        let answer = app.post(&path(&wrong), "", &json!({ "transcript_id": "provider-1" })).await;
        let body = answer.problem(404, "not_found").to_string();
        assert!(!body.contains(&wrong[..wrong.len().min(60)]) || wrong.len() < 60, "{body}");
    }
    app.call(Method::GET, &path(&token), "").await.problem(405, "method_not_allowed");
    assert_eq!(app.run_pending_jobs().await, 0, "nobody was heard");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_call_all_the_same() {
    for body in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "{\"transcript_id\":7}".to_owned(),
        "{\"transcript_id\":null,\"more\":{}}".to_owned(),
        format!("{{\"transcript_id\":\"{}\"}}", "x".repeat(200)),
        "{\"transcript_id\":\"../../v2/upload\"}".to_owned(),
        "[".repeat(10_000),
        " ".repeat(70_000),
        "\u{0}".to_owned(),
    ] {
        let (app, user, id) = waiting().await;
        let shown = format!("{body:.40}");
        let answer = app.post_text(&path(&first_token()), "", body).await;
        assert_eq!(answer.status, 204, "{shown}: {answer:?}");
        app.run_pending_jobs().await;
        assert_eq!(app.transcription(&user, &id).await["status"], "completed", "{shown}");
    }
    let (app, ..) = waiting().await;
    let typed = app.request(Method::POST, &path(&first_token()));
    let encoded = typed.header("content-type", "text/plain").header("content-encoding", "br");
    assert_eq!(send(encoded.body("x")).await.status, 204);
}

#[tokio::test]
async fn only_what_can_be_a_name_is_remembered_as_a_hint() {
    for (name, remembered) in [
        ("5551722f-f677-48a6-9287-39c0aafd9ac1", true),
        ("../upload", false),
        ("a b", false),
        ("", false),
        (&"x".repeat(129), false),
    ] {
        let app = TestApp::start();
        let user = app.token("a@example.com").await;
        app.create(&user, MEDIA).await;
        app.fakes.speech.list_lags();
        app.fakes.speech.next_submit_lost();
        app.run_pending_jobs().await;
        let heard = app.post(&path(&first_token()), "", &json!({ "transcript_id": name })).await;
        assert_eq!(heard.status, 204);
        let job = app.fakes.store.jobs()[0].parts().id;
        let submission = app.fakes.store.submissions(job).pop().unwrap();
        assert_eq!(submission.hinted_id.as_deref(), remembered.then_some(name), "{name}");
        assert_eq!(submission.provider_id, None, "a hint, and no more");
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_by_the_callback_though_the_list_lags() {
    let app = TestApp::start();
    let user = app.token("a@example.com").await;
    let id = app.create(&user, MEDIA).await;
    app.fakes.speech.list_lags();
    app.fakes.speech.next_submit_lost();
    app.run_pending_jobs().await;
    assert_eq!(app.transcription(&user, &id).await["stage"], "submitting");
    app.post(&path(&first_token()), "", &json!({ "transcript_id": "provider-1" })).await;
    app.run_pending_jobs().await;
    assert_eq!(app.transcription(&user, &id).await["status"], "completed");
    assert_eq!(app.fakes.speech.count(SpeechMethod::Submit), 1);
}

#[tokio::test]
async fn without_a_queue_the_engine_is_asked_to_call_again() {
    let app = TestApp::builder().with(|adapters, _| adapters.jobs = Arc::new(Down)).start();
    let answer = app.post(&path(&first_token()), "", &json!({ "transcript_id": "a" })).await;
    let body = answer.problem(503, "temporarily_unavailable").to_string();
    assert!(!body.contains(&first_token()), "{body}");
    app.post(&path("x"), "", &json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn calls_are_not_counted_and_a_slow_body_does_not_lose_one() {
    let change = |config: &mut server::serve::ServeConfig| {
        config.api.body_deadline = Duration::from_millis(100);
    };
    let app = TestApp::builder()
        .with(|adapters, fakes| {
            let clock = fakes.clock.clone();
            adapters.limiter = Arc::new(testkit::fakes::WindowLimiter::new(clock));
        })
        .config(change)
        .start();
    let user = app.token("a@example.com").await;
    app.create(&user, MEDIA).await;
    app.run_pending_jobs().await;
    for _ in 0..150 {
        let answer = app.post(&path(&first_token()), "", &json!({})).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (204, ""));
    }
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{{",
        path(&first_token())
    );
    let answer = app.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}
