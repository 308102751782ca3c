//! The exact members of every body.

use domain::FailureCode;
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::fakes::fetch_error;

use super::{path, slow};
use crate::app::{MEDIA, TestApp};

/// Compares everything but the identifiers with what is written down.
macro_rules! assert_body {
    ($name:literal, $body:expr) => {
        assert_json_snapshot!($name, without_ids(&$body))
    };
}

fn without_ids(body: &Value) -> Value {
    let id = |name: &str| body[name].as_str().unwrap();
    let text = body.to_string().replace(id("id"), "[id]").replace(id("user_id"), "[user]");
    serde_json::from_str(&text).unwrap()
}

async fn app_with_token() -> (TestApp, String) {
    let app = slow();
    let token = app.token("a@example.com").await;
    (app, token)
}

#[tokio::test]
async fn a_transcription_just_accepted() {
    let (app, token) = app_with_token().await;
    let body = json!({"video_url": MEDIA, "metadata": {"project": "demo"}});
    assert_body!("pending", app.post("/api/transcription", &token, &body).await.json());
}

#[tokio::test]
async fn a_youtube_video_is_named_by_its_id_and_quoted_as_it_was_sent() {
    let (app, token) = app_with_token().await;
    let body = json!({"video_url": "https://youtu.be/dQw4w9WgXcQ?si=x&t=3"});
    assert_body!("youtube", app.post("/api/transcription", &token, &body).await.json());
}

#[tokio::test]
async fn a_transcription_at_work_and_completed() {
    let (app, token) = app_with_token().await;
    let id = app.create(&token, MEDIA).await;
    app.advance(1);
    app.run_pending_jobs().await;
    assert_body!("processing", app.transcription(&token, &id).await);
    app.advance(5);
    app.run_pending_jobs().await;
    assert_body!("completed", app.transcription(&token, &id).await);
    let transcript = app.get(&(path(&id) + "/transcript"), &token).await.ok();
    assert_json_snapshot!("transcript", transcript);
}

#[tokio::test]
async fn a_failed_transcription_says_why() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    app.fakes.media.next_fetch(Err(fetch_error(FailureCode::SourceRefused)));
    app.run_pending_jobs().await;
    assert_body!("failed", app.transcription(&token, &id).await);
}

#[tokio::test]
async fn a_canceled_transcription() {
    let (app, token) = app_with_token().await;
    let id = app.create(&token, MEDIA).await;
    app.run_pending_jobs().await;
    app.advance(2);
    let canceled = app.call(Method::POST, &(path(&id) + "/cancel"), &token).await.ok();
    assert_body!("canceled", canceled);
}

#[tokio::test]
async fn a_page_shows_the_same_members_but_for_the_text() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    app.run_pending_jobs().await;
    let page = app.get("/api/transcription", &token).await.ok();
    let mut whole = app.transcription(&token, &id).await;
    whole.as_object_mut().unwrap().remove("text");
    assert_eq!(page, json!({"items": [whole], "has_more": false, "next_cursor": null}));
    let nobody = app.get("/api/transcription", &app.token("b@example.com").await).await.ok();
    assert_eq!(
        nobody,
        json!({"items": Value::Array(vec![]), "has_more": false, "next_cursor": null})
    );
}

#[tokio::test]
async fn a_problem_of_one_and_of_several_rules() {
    let (app, token) = app_with_token().await;
    let several = json!({"video_url": "ftp://x", "language": "!", "speakers_expected": 2, "x": 1});
    let answer = app.post("/api/transcription", &token, &several).await;
    assert_json_snapshot!("several_faults", answer.any_problem(), { ".request_id" => "[id]" });
    let missing = app.get(&path("x"), &token).await.any_problem();
    assert_json_snapshot!("not_found", missing, { ".request_id" => "[id]" });
    let nobody = app.get("/api/transcription", "").await.any_problem();
    assert_json_snapshot!("no_token", nobody, { ".request_id" => "[id]" });
}
