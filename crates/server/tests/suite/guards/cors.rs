//! Which pages of other origins may call, and read what.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::app::{Answer, TestApp, send};

const FRIEND: &str = "http://localhost:3002";
const ALLOWED: &str = "access-control-allow-origin";

fn app() -> TestApp {
    let origins = vec![FRIEND.to_owned(), "https://app.example".to_owned()];
    TestApp::builder().config(|config| config.api.cors_origins = origins).start()
}

async fn from(app: &TestApp, origin: &str, path: &str) -> Answer {
    send(app.request(Method::GET, path).header("origin", origin)).await
}

async fn preflight(app: &TestApp, origin: &str, method: &str, headers: &str) -> Answer {
    let request = app.request(Method::OPTIONS, "/api/transcription").header("origin", origin);
    let request = request.header("access-control-request-method", method);
    send(request.header("access-control-request-headers", headers)).await
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn a_listed_origin_may_read_answers_and_problems() {
    let app = app();
    for origin in [FRIEND, "https://app.example"] {
        for path in ["/health", "/api/auth/me", "/nowhere"] {
            let answer = from(&app, origin, path).await;
            assert_eq!(answer.header(ALLOWED), origin, "{path}");
            assert!(words(answer.header("vary")).contains("origin"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn the_headers_of_the_contract_are_exposed() {
    let exposed = from(&app(), FRIEND, "/health").await;
    let expected = "Location, Link, ETag, Retry-After, RateLimit, RateLimit-Policy, \
                    X-RateLimit-Limit, X-Request-Id";
    assert_eq!(words(exposed.header("access-control-expose-headers")), words(expected));
}

#[tokio::test]
async fn no_other_origin_may_read_anything() {
    let app = app();
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3003",
        "https://localhost:3002",
        "http://localhost:3002.evil.example",
        "http://localhost",
        "HTTP://LOCALHOST:3002/",
        "*",
    ] {
        for answer in [
            from(&app, origin, "/health").await,
            from(&app, origin, "/api/auth/me").await,
            preflight(&app, origin, "POST", "authorization").await,
        ] {
            assert_eq!(answer.header(ALLOWED), "", "{origin}: {answer:?}");
            assert!(answer.status < 500, "{origin}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_preflight_allows_what_the_routes_take_and_costs_no_call() {
    let app = app();
    for method in ["GET", "POST", "DELETE"] {
        let answer = preflight(&app, FRIEND, method, "authorization,content-type").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header(ALLOWED), FRIEND);
        let methods = words(answer.header("access-control-allow-methods"));
        assert!(methods.contains(&method.to_ascii_lowercase()), "{answer:?}");
        let headers = words(answer.header("access-control-allow-headers"));
        assert!(headers.contains("authorization") && headers.contains("content-type"));
        assert_eq!(answer.header("ratelimit"), "");
    }
    for (method, headers) in [("PUT", "authorization"), ("POST", "x-other")] {
        let refused = preflight(&app, FRIEND, method, headers).await;
        assert!((400..500).contains(&refused.status), "{refused:?}");
        refused.any_problem();
    }
}

#[tokio::test]
async fn with_every_origin_allowed_none_may_send_credentials() {
    let origins = vec!["*".to_owned()];
    let app = TestApp::builder().config(|config| config.api.cors_origins = origins).start();
    let answer = from(&app, "https://anyone.example", "/health").await;
    assert_eq!(answer.header(ALLOWED), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}
