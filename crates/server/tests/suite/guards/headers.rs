//! What every answer carries.

use reqwest::Method;
use serde_json::json;

use super::operations;
use crate::app::{Answer, TestApp, send};

fn assert_guarded(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{answer:?}");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{answer:?}");
    assert!(policy.contains("frame-ancestors 'none'"), "{answer:?}");
    assert!(!answer.header("cache-control").is_empty(), "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    assert_eq!(answer.header("server"), "", "{answer:?}");
}

#[tokio::test]
async fn every_answer_is_guarded_whatever_its_status() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    for operation in operations(&app).await {
        for token in ["", &token] {
            for method in [operation.method.clone(), Method::PATCH, Method::OPTIONS] {
                assert_guarded(&app.call(method, &operation.path(), token).await);
            }
        }
    }
    let created = app.post("/api/transcription", &token, &json!({"video_url": "x"})).await;
    let malformed = app.post_text("/api/transcription", &token, "{").await;
    let large = app.post_text("/api/transcription", &token, " ".repeat(70_000)).await;
    let deleted = app.create(&token, crate::app::MEDIA).await;
    let deleted = format!("/api/transcription/{deleted}");
    let deleted = app.call(Method::DELETE, &deleted, &token).await;
    let nowhere = app.get("/nowhere", "").await;
    let asset = app.get("/docs/swagger-ui.css", "").await;
    for (answer, status) in [
        (created, 422),
        (malformed, 400),
        (large, 413),
        (deleted, 204),
        (nowhere, 404),
        (asset, 200),
    ] {
        assert_eq!(answer.status, status);
        assert_guarded(&answer);
    }
}

#[tokio::test]
async fn what_is_ones_own_is_never_kept_by_caches() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    for path in ["/api/auth/me", "/api/transcription", "/api/transcription/x"] {
        assert_eq!(app.get(path, &token).await.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn transport_security_is_told_where_it_is_set() {
    let name = "strict-transport-security";
    assert_eq!(TestApp::start().get("/", "").await.header(name), "");
    let app = TestApp::builder().config(|config| config.api.hsts = true).start();
    for path in ["/", "/nowhere"] {
        assert!(app.get(path, "").await.header(name).starts_with("max-age="), "{path}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_senders_name_if_that_is_harmless() {
    let app = TestApp::start();
    let named = async |id: &str| {
        let request = app.request(Method::GET, "/nowhere").header("x-request-id", id);
        let answer = send(request).await;
        answer.problem(404, "not_found");
        answer.header("x-request-id").to_owned()
    };
    let longest = "x".repeat(128);
    for id in ["a", "7f3b-Q_9.z", longest.as_str()] {
        assert_eq!(named(id).await, id);
    }
    let longer = "x".repeat(129);
    for id in ["", "a b", "a,b", "<script>", "a\"b", "a{b}", "\u{e9}", longer.as_str()] {
        let given = named(id).await;
        assert!(given.parse::<uuid::Uuid>().is_ok(), "{id}: {given}");
    }
    let (one, two) = (app.get("/", "").await, app.get("/", "").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let compared = |answer: &Answer| {
        let headers = ["content-type", "content-length", "etag", "cache-control"];
        (answer.status, headers.map(|name| answer.header(name).to_owned()))
    };
    for path in ["/", "/health", "/docs", "/redoc", "/openapi.json", "/api/auth/me", "/nowhere"] {
        let (get, head) = (app.get(path, &token).await, app.call(Method::HEAD, path, &token).await);
        assert_eq!(compared(&get), compared(&head), "{path}");
        assert_eq!(head.text, "");
    }
}
