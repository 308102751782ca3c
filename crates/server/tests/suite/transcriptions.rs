//! Transcriptions from being asked for to being deleted.

#![cfg(test)]

mod bodies;
mod exports;
mod lists;
mod outcomes;

use std::sync::Arc;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use testkit::fakes::{ScriptedSpeech, SpeechMethod};

use crate::app::{MEDIA, PASSWORD, TestApp, send};

/// An app whose engine wants to be asked after five seconds, so that jobs can be met at work.
fn slow() -> TestApp {
    let speech = ScriptedSpeech::default().with_check_after(TimeDelta::seconds(5));
    TestApp::builder().with(|adapters, _| adapters.speech = Arc::new(speech)).start()
}

fn path(id: &str) -> String {
    format!("/api/transcription/{id}")
}

#[tokio::test]
async fn a_job_goes_from_pending_over_processing_to_completed() {
    let app = slow();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    let pending = app.transcription(&token, &id).await;
    assert_eq!(pending["status"], "pending");
    app.advance(1);
    app.run_pending_jobs().await;
    let working = app.transcription(&token, &id).await;
    assert_eq!(
        (&working["status"], &working["stage"]),
        (&json!("processing"), &json!("transcribing"))
    );
    assert_eq!(working["started_at"], "2026-01-01T00:00:01.000000Z");
    assert_eq!(working["text"], json!(null));
    app.advance(5);
    app.run_pending_jobs().await;
    let done = app.transcription(&token, &id).await;
    assert_eq!((&done["status"], &done["text"]), (&json!("completed"), &json!("Hello world.")));
    assert_eq!(done["completed_at"], "2026-01-01T00:00:06.000000Z");
    assert_eq!(done["started_at"], working["started_at"]);
    assert_eq!(app.run_pending_jobs().await, 0);
}

#[tokio::test]
async fn every_route_answers_with_and_without_a_slash_at_its_end() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    for slash in ["", "/"] {
        let account =
            json!({"email": format!("b{}@example.com", slash.len()), "password": PASSWORD});
        let opened = app.post(&format!("/api/auth/register{slash}"), "", &account).await;
        assert_eq!(opened.status, 201);
        let login = json!({"username": account["email"], "password": PASSWORD});
        app.post(&format!("/api/auth/login{slash}"), "", &login).await.ok();
        app.get(&format!("/api/auth/me{slash}"), &token).await.ok();
        let body = json!({"video_url": MEDIA});
        let created = app.post(&format!("/api/transcription{slash}"), &token, &body).await;
        assert_eq!(created.status, 201);
        let id = created.json()["id"].as_str().unwrap().to_owned();
        app.get(&format!("/api/transcription{slash}?limit=1"), &token).await.ok();
        let at = |rest: &str| format!("/api/transcription/{id}{rest}{slash}");
        app.get(&at(""), &token).await.ok();
        app.run_pending_jobs().await;
        app.get(&at("/transcript"), &token).await.ok();
        assert_eq!(app.get(&at("/export/vtt"), &token).await.status, 200);
        let ended = app.call(Method::POST, &at("/cancel"), &token).await;
        ended.problem(409, "transcription_already_ended");
        assert_eq!(app.call(Method::DELETE, &at(""), &token).await.status, 204);
        for path in ["/health", "/health/live", "/health/ready", "/openapi.json", "/docs", "/redoc"]
        {
            assert_eq!(app.get(&format!("{path}{slash}"), "").await.status, 200, "{path}{slash}");
        }
    }
}

#[tokio::test]
async fn the_location_of_a_new_transcription_leads_to_it() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let created = app.post("/api/transcription", &token, &json!({"video_url": MEDIA})).await;
    let location = created.header("location").to_owned();
    assert_eq!(location, path(created.json()["id"].as_str().unwrap()));
    assert_eq!(app.get(&location, &token).await.ok(), created.json());
    assert_eq!(created.json()["links"]["self"], location);
}

#[tokio::test]
async fn two_posts_of_one_url_are_two_transcriptions() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let (one, two) = (app.create(&token, MEDIA).await, app.create(&token, MEDIA).await);
    assert_ne!(one, two);
    app.run_pending_jobs().await;
    assert_eq!(app.fakes.speech.count(SpeechMethod::Submit), 2);
}

#[tokio::test]
async fn an_unchanged_transcription_is_not_sent_twice() {
    let app = slow();
    let token = app.token("a@example.com").await;
    let id = app.create(&token, MEDIA).await;
    let first = app.get(&path(&id), &token).await;
    let tag = first.header("etag").to_owned();
    assert!(!tag.is_empty());
    let again = async |tag: &str| {
        let request = app.request(Method::GET, &path(&id)).bearer_auth(&token);
        send(request.header("if-none-match", tag)).await
    };
    for seen in [tag.as_str(), "*", &format!("\"other\", {tag}")] {
        let unchanged = again(seen).await;
        assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""), "{seen}");
        assert_eq!(unchanged.header("etag"), tag);
    }
    assert_eq!(again("\"other\"").await.ok(), first.json());
    app.advance(1);
    app.run_pending_jobs().await;
    let changed = again(&tag).await;
    assert_eq!(changed.ok()["status"], "processing");
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn what_is_not_ones_own_is_as_absent_as_what_is_not_there() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let foreign = app.create(&app.token("b@example.com").await, MEDIA).await;
    let missing = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";
    let bare = foreign.replace('-', "");
    let braced = format!("%7B{foreign}%7D");
    for (method, rest) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::GET, "/transcript"),
        (Method::GET, "/export/srt"),
        (Method::POST, "/cancel"),
    ] {
        let mut answers = Vec::new();
        for id in [foreign.as_str(), missing, "not-a-uuid", "0", "%00", "%ff", &bare, &braced] {
            let answer = app.call(method.clone(), &(path(id) + rest), &token).await;
            answer.problem(404, "transcription_not_found");
            answers.push(answer.indistinct());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{rest}: {answers:#?}");
    }
    app.run_pending_jobs().await;
    assert_eq!(app.fakes.speech.count(SpeechMethod::Submit), 1, "the other's job was touched");
}

#[tokio::test]
async fn the_options_reach_the_engine() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let body = json!({
        "video_url": MEDIA, "language": "fr-ca", "speaker_labels": true,
        "speakers_expected": 3, "keyterms": ["SaaS-IA"], "metadata": {"project": "demo"},
    });
    let created = app.post("/api/transcription", &token, &body).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["language"], "fr-CA");
    assert_eq!(created.json()["metadata"], json!({"project": "demo"}));
    app.run_pending_jobs().await;
    let sent = app.fakes.speech.calls();
    let sent = sent.into_iter().find_map(|call| match call {
        testkit::fakes::SpeechCall::Submit { options, .. } => Some(options),
        _ => None,
    });
    let options = sent.unwrap();
    assert_eq!(options.language.as_str(), "fr-CA");
    assert_eq!((options.speaker_labels, options.speakers_expected), (true, Some(3)));
}
