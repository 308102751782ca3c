//! One part at a time is away or broken; the service says so and lives.

#![cfg(test)]

use std::sync::Arc;

use application::ports::{
    Check, Clock, HashError, PasswordHasher, PortFailure, TokenIssuer, Verified,
};
use async_trait::async_trait;
use domain::{PasswordDigest, UserId};
use reqwest::Method;
use serde_json::json;
use testkit::fakes::Down;

use crate::app::{Answer, MEDIA, PASSWORD, TestApp};

/// Says that something is away, and when to come back.
fn assert_away(answer: &Answer) {
    let body = answer.problem(503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "5");
    assert!(!body.to_string().contains("connection was refused"), "{body}");
}

/// Every route that needs the database, for someone with a valid token.
async fn calls(app: &TestApp, token: &str) -> Vec<Answer> {
    let id = "/api/transcription/01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";
    vec![
        app.get("/api/auth/me", token).await,
        app.get("/api/transcription", token).await,
        app.get(id, token).await,
        app.get(&format!("{id}/transcript"), token).await,
        app.get(&format!("{id}/export/srt"), token).await,
        app.post("/api/transcription", token, &json!({"video_url": MEDIA})).await,
        app.call(Method::POST, &format!("{id}/cancel"), token).await,
        app.call(Method::DELETE, id, token).await,
    ]
}

#[tokio::test]
async fn without_accounts_every_caller_is_asked_to_come_back() {
    let app = TestApp::builder().with(|adapters, _| adapters.users = Arc::new(Down)).start();
    let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
    let token = app.fakes.tokens.issue(user, app.fakes.clock.now()).unwrap().token;
    for answer in calls(&app, &token).await {
        assert_away(&answer);
    }
    assert_away(&app.register("a@example.com").await);
    assert_away(&app.login("a@example.com", PASSWORD).await);
    app.is_alive().await;
}

#[tokio::test]
async fn without_transcriptions_reading_waits_and_the_rest_works() {
    let app = TestApp::builder().with(|adapters, _| adapters.transcriptions = Arc::new(Down));
    let app = app.start();
    let token = app.token("a@example.com").await;
    let statuses: Vec<_> = calls(&app, &token).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [200, 503, 503, 503, 503, 201, 404, 404]);
    assert_away(&app.get("/api/transcription", &token).await);
    app.is_alive().await;
}

#[tokio::test]
async fn without_a_queue_nothing_is_accepted_and_reading_works() {
    let app = TestApp::builder().with(|adapters, _| adapters.jobs = Arc::new(Down)).start();
    let token = app.token("a@example.com").await;
    let statuses: Vec<_> = calls(&app, &token).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [200, 200, 404, 404, 404, 503, 503, 503]);
    assert_away(&app.post("/api/transcription", &token, &json!({"video_url": MEDIA})).await);
    assert!(app.engine().run_pending().await.is_err());
    app.is_alive().await;
}

/// Cannot hash, for a reason that trying again does not mend.
struct Broken;

#[async_trait]
impl PasswordHasher for Broken {
    async fn hash(&self, _: &str) -> Result<PasswordDigest, HashError> {
        Err(PortFailure::permanent("passwords.hash", "a secret cause").into())
    }

    async fn verify(&self, _: &str, _: Option<&PasswordDigest>) -> Result<Verified, HashError> {
        panic!("a secret cause")
    }
}

#[tokio::test]
async fn our_own_mistake_is_a_500_that_tells_nothing() {
    let app = TestApp::builder().with(|adapters, _| adapters.hasher = Arc::new(Broken)).start();
    let answer = app.register("a@example.com").await;
    assert_eq!(answer.status, 500);
    let body = answer.any_problem();
    assert!(!body.to_string().contains("secret") && !body.to_string().contains("passwords"));
    app.is_alive().await;
}

#[tokio::test]
async fn a_panic_costs_no_more_than_its_own_call() {
    let app = TestApp::builder().with(|adapters, _| adapters.hasher = Arc::new(Broken)).start();
    for _ in 0..3 {
        let body = json!({"username": "a@example.com", "password": PASSWORD}).to_string();
        let request = app.request(Method::POST, "/api/auth/login").body(body);
        let request = request.header("content-type", "application/json");
        if let Ok(answer) = request.send().await {
            assert_eq!(answer.status().as_u16(), 500);
        }
        app.is_alive().await;
    }
}

fn check(name: &'static str, ok: bool, required: bool) -> Check {
    Check { name, ok, required, detail: format!("about {name}") }
}

#[tokio::test]
async fn readiness_lists_what_fails() {
    let app = TestApp::start();
    let ready = app.get("/health/ready", "").await.ok();
    assert_eq!(
        (&ready["status"], &ready["checks"][0]["name"]),
        (&json!("ready"), &json!("database"))
    );
    app.fakes.health.set(vec![
        check("database", false, true),
        check("migrations", true, true),
        check("disk", false, true),
        check("engine", false, false),
    ]);
    let answer = app.get("/health/ready", "").await;
    let failing = answer.problem(503, "not_ready")["checks"].clone();
    let names: Vec<_> = failing.as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, ["database", "disk", "engine"]);
    assert_eq!(failing[0]["detail"], "about database");
    for path in ["/health", "/health/live"] {
        app.get(path, "").await.ok();
    }
}

#[tokio::test]
async fn what_is_not_required_is_reported_and_never_fatal() {
    let app = TestApp::start();
    app.fakes.health.set(vec![check("database", true, true), check("engine", false, false)]);
    let ready = app.get("/health/ready", "").await.ok();
    assert_eq!(
        ready["checks"][1],
        json!({"name": "engine", "ok": false, "required": false, "detail": "about engine"})
    );
}

#[tokio::test]
async fn a_service_that_is_about_to_stop_is_not_ready_and_still_answers() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    app.front().drain();
    app.get("/health/ready", "").await.problem(503, "draining");
    app.get("/health/live", "").await.ok();
    app.get("/api/auth/me", &token).await.ok();
}
