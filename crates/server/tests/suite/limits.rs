//! How often one may call, on a clock that is moved by hand.

#![cfg(test)]

mod keys;

use std::sync::Arc;

use application::{BudgetName, limits::Quotas};
use infrastructure::limits::InProcessLimiter;
use reqwest::Method;
use serde_json::json;
use testkit::fakes::{Down, WindowLimiter};

use crate::app::{Answer, Builder, MEDIA, PASSWORD, TestApp};

/// Counts as the service itself does, without a database.
fn limited() -> Builder {
    TestApp::builder().with(|adapters, fakes| {
        adapters.limiter = Arc::new(InProcessLimiter::new(fakes.clock.clone()));
    })
}

/// The three numbers that an answer tells of its budget.
fn numbers(answer: &Answer) -> [&str; 3] {
    ["x-ratelimit-limit", "ratelimit-policy", "ratelimit"].map(|name| answer.header(name))
}

/// Six logins, five seconds apart.
async fn six_logins(app: &TestApp) {
    for attempt in 0..5 {
        let answer = app.login("nobody@example.com", "wrong").await;
        answer.problem(401, "invalid_credentials");
        let (left, reset) = (4 - attempt, 60 - 5 * attempt);
        let expected = format!("\"auth_login\";r={left};t={reset}");
        assert_eq!(numbers(&answer), ["5/minute", "\"auth_login\";q=5;w=60", expected.as_str()]);
        app.advance(5);
    }
    let answer = app.login("nobody@example.com", "wrong").await;
    assert_eq!(answer.header("retry-after"), "35");
    let expected = ["5/minute", "\"auth_login\";q=5;w=60", "\"auth_login\";r=0;t=35"];
    assert_eq!(numbers(&answer), expected);
    let mut body = answer.problem(429, "rate_limit_exceeded");
    body["request_id"] = json!("[id]");
    let expected = json!({
        "error": "rate_limit_exceeded",
        "message": "Rate limit exceeded: 5 per 1 minute",
        "detail": "Too many requests. Please wait before trying again.",
        "retry_after": "35 seconds",
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limit_exceeded",
        "request_id": "[id]",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn six_logins_five_seconds_apart_end_in_a_refusal_with_the_true_wait() {
    let app = limited().start();
    six_logins(&app).await;
    assert_eq!(app.fakes.hasher.hashes(), 5, "a refused login costs no hash");
}

#[tokio::test]
async fn another_limiter_says_the_same() {
    let app = TestApp::builder()
        .with(|adapters, fakes| {
            adapters.limiter = Arc::new(WindowLimiter::new(fakes.clock.clone()));
        })
        .start();
    six_logins(&app).await;
}

#[tokio::test]
async fn the_window_opens_again_when_it_was_said_to() {
    let app = limited().start();
    for _ in 0..5 {
        app.login("nobody@example.com", "wrong").await.problem(401, "invalid_credentials");
    }
    app.advance(59);
    let refused = app.login("nobody@example.com", "wrong").await;
    refused.problem(429, "rate_limit_exceeded");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["retry_after"], "1 second");
    app.advance(1);
    let allowed = app.login("nobody@example.com", "wrong").await;
    allowed.problem(401, "invalid_credentials");
    assert_eq!(allowed.header("ratelimit"), "\"auth_login\";r=4;t=60");
}

#[tokio::test]
async fn every_row_of_the_table_holds_as_many_calls_as_it_says() {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    for (method, path, budget, quota, needs_token) in [
        (&get, "/", "default", 100, false),
        (&get, "/health", "health", 100, false),
        (&get, "/health/live", "health", 100, false),
        (&get, "/health/ready", "health", 100, false),
        (&get, "/openapi.json", "docs", 50, false),
        (&get, "/docs", "docs", 50, false),
        (&get, "/redoc", "docs", 50, false),
        (&post, "/api/auth/register", "auth_register", 5, false),
        (&post, "/api/auth/login", "auth_login", 5, false),
        (&get, "/api/auth/me", "auth_me", 20, true),
        (&post, "/api/transcription", "transcription_create", 10, true),
        (&get, "/api/transcription", "transcription_list", 20, true),
        (&get, "/api/transcription/x", "transcription_get", 30, true),
        (&get, "/api/transcription/x/transcript", "transcription_get", 30, true),
        (&get, "/api/transcription/x/export/srt", "transcription_export", 30, true),
        (&post, "/api/transcription/x/cancel", "transcription_delete", 10, true),
        (&delete, "/api/transcription/x", "transcription_delete", 10, true),
        (&get, "/nowhere", "default", 100, false),
        (&delete, "/api/auth/login", "default", 100, false),
    ] {
        let app = limited().start();
        let token = app.token("a@example.com").await;
        app.advance(60);
        let token = if needs_token { token.as_str() } else { "" };
        for taken in 1..=quota {
            let answer = app.call(method.clone(), path, token).await;
            assert_ne!(answer.status, 429, "{method} {path}, call {taken}");
            let expected = [
                format!("{quota}/minute"),
                format!("\"{budget}\";q={quota};w=60"),
                format!("\"{budget}\";r={};t=60", quota - taken),
            ];
            assert_eq!(numbers(&answer), expected, "{method} {path}");
        }
        let refused = app.call(method.clone(), path, token).await;
        refused.problem(429, "rate_limit_exceeded");
        assert_eq!(refused.header("retry-after"), "60", "{method} {path}");
    }
}

#[tokio::test]
async fn calls_that_are_refused_for_other_reasons_count_too() {
    let app = limited().start();
    let token = app.token("a@example.com").await;
    for body in ["{", "[]", "{}", "{\"x\":1}", "", "{\"video_url\":1}"] {
        let answer = app.post_text("/api/transcription", &token, body).await;
        assert!(matches!(answer.status, 400 | 422), "{answer:?}");
    }
    let created = app.post("/api/transcription", &token, &json!({"video_url": MEDIA})).await;
    assert_eq!(created.header("ratelimit"), "\"transcription_create\";r=3;t=60");
    for _ in 0..20 {
        app.get("/api/auth/me", "bad token").await.problem(401, "invalid_token");
    }
    app.get("/api/auth/me", "").await.problem(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn assets_of_the_pages_are_not_counted() {
    let app = limited().start();
    for _ in 0..60 {
        let answer = app.get("/docs/initializer.js", "").await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, ""));
    }
    assert_eq!(app.get("/docs", "").await.header("ratelimit"), "\"docs\";r=49;t=60");
}

#[tokio::test]
async fn a_budget_can_be_changed_and_turned_off() {
    let mut quotas = Quotas::default();
    quotas.set(BudgetName::AuthLogin, Some(2));
    quotas.set(BudgetName::AuthMe, None);
    let app = limited().config(|config| config.quotas = quotas).start();
    let token = app.token("a@example.com").await;
    for _ in 0..40 {
        assert_eq!(app.get("/api/auth/me", &token).await.header("ratelimit"), "");
    }
    let second = app.login("a@example.com", PASSWORD).await;
    assert_eq!(numbers(&second)[0], "2/minute");
    app.login("a@example.com", PASSWORD).await.problem(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn limits_that_are_off_refuse_nobody_and_say_nothing() {
    let app = limited().config(|config| config.quotas = Quotas::OFF).start();
    for _ in 0..20 {
        let answer = app.login("nobody@example.com", "wrong").await;
        answer.problem(401, "invalid_credentials");
        assert_eq!(numbers(&answer), ["", "", ""]);
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_counted_passes() {
    let app = TestApp::builder().with(|adapters, _| adapters.limiter = Arc::new(Down)).start();
    for _ in 0..10 {
        let answer = app.login("nobody@example.com", "wrong").await;
        answer.problem(401, "invalid_credentials");
        assert_eq!(numbers(&answer), ["", "", ""]);
    }
}

#[cfg(feature = "flood-shield")]
#[tokio::test]
async fn the_shield_in_front_refuses_a_flood_in_the_same_shape() {
    let flood = api::FloodLimit { per_second: 1, burst: 3 };
    let app = limited().config(|config| config.api.flood = Some(flood)).start();
    let mut refusals = 0;
    for _ in 0..20 {
        let answer = app.get("/health", "").await;
        if answer.status == 429 {
            refusals += 1;
            let body = answer.problem(429, "rate_limit_exceeded");
            assert_eq!(body["error"], "rate_limit_exceeded");
            let wait = answer.header("retry-after").parse::<u32>().unwrap();
            assert!((1..=2).contains(&wait), "{answer:?}");
        }
    }
    assert!(refusals > 0);
}
