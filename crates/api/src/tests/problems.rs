//! What goes wrong, and what every answer has.

use std::time::Duration;

use actix_web::{
    dev::Payload,
    http::Method,
    test::{self, TestRequest},
};
use application::ports::Check;
use futures_util::stream;
use serde_json::json;

use super::{Api, bearer, method, stubs::Fault};
use crate::ApiConfig;

const ID: &str = "/api/transcription/01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";

#[actix_web::test]
async fn an_unknown_path_and_a_wrong_method_are_problems() {
    let api = Api::new();
    let nowhere = api.get("/nothing/here").await;
    assert_eq!(nowhere.said(), (404, "not_found".to_owned()));
    assert_eq!(nowhere.header("content-type"), "application/problem+json");
    assert_eq!(nowhere.json()["request_id"], nowhere.header("x-request-id"));
    for (verb, path, allow) in [
        (Method::PUT, "/api/transcription", "POST, GET, HEAD"),
        (Method::PATCH, ID, "GET, HEAD, DELETE"),
        (Method::TRACE, "/health", "GET, HEAD"),
        (Method::OPTIONS, "/api/auth/login", "POST"),
        (Method::GET, "/api/auth/login/", "POST"),
        (Method::from_bytes(b"BREW").unwrap(), "/", "GET, HEAD"),
    ] {
        let answer = api.send(method(verb.clone(), path)).await;
        assert_eq!(answer.said(), (405, "method_not_allowed".to_owned()), "{verb} {path}");
        assert_eq!(answer.header("allow"), allow);
    }
    for path in ["/metrics", "/api", "/api/auth/refresh", "/docs/../Cargo.toml", "/redoc/x"] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn get_also_answers_head_and_a_trailing_slash() {
    let api = Api::new();
    for path in ["/", "/health", "/health/", "/docs/", "/redoc/", "/openapi.json/"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
        assert_eq!(api.send(method(Method::HEAD, path)).await.status, 200, "{path}");
    }
    let listed = api.get("/api/transcription/?limit=0").await;
    assert_eq!(listed.status, 401);
}

#[actix_web::test]
async fn a_harmless_request_id_is_kept_and_any_other_replaced() {
    let api = Api::new();
    let ask = |id: String| TestRequest::get().uri("/x").insert_header(("x-request-id", id));
    let kept = api.send(ask("a.B_9-".to_owned())).await;
    assert_eq!(kept.header("x-request-id"), "a.B_9-");
    assert_eq!(kept.json()["request_id"], "a.B_9-");
    for id in [String::new(), "a b".into(), "a\tb".into(), "<x>".into(), "x".repeat(129)] {
        let answer = api.send(ask(id.clone())).await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{id:?}");
    }
}

#[actix_web::test]
async fn every_answer_has_the_protective_headers() {
    let api = Api::with(
        application::limits::Quotas::OFF,
        ApiConfig { hsts: true, ..ApiConfig::default() },
    );
    for path in ["/", "/health", "/nothing", "/api/auth/me", "/openapi.json"] {
        let answer = api.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(answer.header("content-security-policy"), policy);
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
        assert_eq!(answer.header("server"), "");
    }
    assert_eq!(api.get("/api/auth/me").await.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn failures_of_ours_tell_nothing_and_the_service_lives() {
    let api = Api::with(application::limits::Quotas::default(), ApiConfig::default());
    let token = api.token("ada@example.com").await;
    for (fault, status, code) in [
        (Fault::Permanent, 500, "internal_error"),
        (Fault::Panic, 500, "internal_error"),
        (Fault::Transient, 503, "temporarily_unavailable"),
    ] {
        *api.stub.fault.lock().unwrap() = Some(fault);
        let request = bearer(TestRequest::get().uri(ID), &token)
            .insert_header(("origin", "http://localhost:3002"))
            .insert_header(("x-request-id", "mine"));
        let answer = api.send(request).await;
        assert_eq!(answer.said(), (status, code.to_owned()));
        assert_eq!(answer.json()["request_id"], "mine");
        assert_eq!(answer.header("x-request-id"), "mine");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("ratelimit").starts_with("\"transcription_get\""));
        assert_eq!(answer.header("retry-after").is_empty(), status != 503);
        assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
    }
    *api.stub.fault.lock().unwrap() = None;
    assert_eq!(api.get_as(&token, ID).await.status, 404);
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_a_408() {
    let config = ApiConfig { body_deadline: Duration::ZERO, ..ApiConfig::default() };
    let api = Api::with(application::limits::Quotas::OFF, config);
    let mut request = super::json("/api/auth/login", "").to_request();
    *request.payload() = Payload::Stream { payload: Box::pin(stream::pending()) };
    let app = test::init_service(crate::app(api.state.clone())).await;
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), 408);
}

#[actix_web::test]
async fn readiness_names_what_fails_and_ends_with_the_drain() {
    let api = Api::new();
    let check = |name, ok, required| Check { name, ok, required, detail: "word".to_owned() };
    *api.stub.checks.lock().unwrap() =
        vec![check("database", true, true), check("engine", false, false)];
    let ready = api.get("/health/ready").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (200, &json!("ready")));
    *api.stub.checks.lock().unwrap() = vec![check("database", false, true)];
    let answer = api.get("/health/ready").await;
    assert_eq!(answer.said(), (503, "not_ready".to_owned()));
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(answer.json()["checks"][0]["name"], "database");
    api.stub.checks.lock().unwrap().clear();
    api.state.drain();
    assert_eq!(api.get("/health/ready").await.said(), (503, "draining".to_owned()));
    assert_eq!(api.get("/health").await.json()["status"], "healthy");
}

#[actix_web::test]
async fn only_the_exact_origins_may_call() {
    let config = ApiConfig {
        cors_origins: vec!["http://localhost:3002".to_owned()],
        ..ApiConfig::default()
    };
    let api = Api::with(application::limits::Quotas::OFF, config);
    let ask = |origin: &str| {
        TestRequest::get().uri("/nothing").insert_header(("origin", origin.to_owned()))
    };
    let good = api.send(ask("http://localhost:3002")).await;
    assert_eq!(good.header("access-control-allow-origin"), "http://localhost:3002");
    assert!(good.header("access-control-expose-headers").to_lowercase().contains("ratelimit"));
    assert!(good.header("vary").contains("Origin"));
    for origin in [
        "null",
        "http://localhost:3002.evil.example",
        "http://localhost:30020",
        "https://localhost:3002",
        "http://LOCALHOST:3002",
        "http://evil.example#http://localhost:3002",
    ] {
        let answer = api.send(ask(origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let preflight = method(Method::OPTIONS, "/api/auth/login")
            .insert_header(("origin", origin.to_owned()))
            .insert_header(("access-control-request-method", "POST"));
        let answer = api.send(preflight).await;
        assert_eq!(answer.status, 400, "{origin}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[actix_web::test]
async fn any_origin_is_answered_without_credentials() {
    let config = ApiConfig { cors_origins: vec!["*".to_owned()], ..ApiConfig::default() };
    let api = Api::with(application::limits::Quotas::OFF, config);
    let request = TestRequest::get().uri("/health").insert_header(("origin", "http://any.example"));
    let answer = api.send(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}
