//! Rate limits, the flood shield, and who a call is counted against.

use actix_web::{
    http::{
        Method, Uri,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    test::{self, TestRequest},
};
use application::{BudgetName, limits::Quotas};
use ipnet::IpNet;
use std::net::IpAddr;

use super::{Api, bearer, method};
use crate::{ApiConfig, middleware::address::client, routes::TABLE};

fn limited() -> Api {
    Api::with(Quotas::default(), ApiConfig::default())
}

#[actix_web::test]
async fn the_sixth_login_is_refused_as_the_contract_prints_it() {
    let api = limited();
    for left in (0..5).rev() {
        let answer = api.post("/api/auth/login", r#"{"username":"a","password":"b"}"#).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("x-ratelimit-limit"), "5/minute");
        assert_eq!(answer.header("ratelimit-policy"), "\"auth_login\";q=5;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"auth_login\";r={left};t=41"));
    }
    let answer = api.post("/api/auth/login/", "{").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "41");
    assert_eq!(answer.header("ratelimit"), "\"auth_login\";r=0;t=41");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let mut body = answer.json();
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    body.as_object_mut().unwrap().remove("request_id");
    let expected = serde_json::json!({
        "error": "rate_limit_exceeded",
        "message": "Rate limit exceeded: 5 per 1 minute",
        "detail": "Too many requests. Please wait before trying again.",
        "retry_after": "41 seconds",
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limit_exceeded",
    });
    assert_eq!(body, expected);
}

#[actix_web::test]
async fn every_kind_of_answer_carries_the_numbers() {
    let api = limited();
    let token = api.token("ada@example.com").await;
    for (answer, status, budget) in [
        (api.get("/nothing").await, 404, "default"),
        (api.send(method(Method::PUT, "/api/auth/me")).await, 405, "default"),
        (api.get("/api/auth/me").await, 401, "auth_me"),
        (api.post("/api/auth/register", "{}").await, 422, "auth_register"),
        (api.get_as(&token, "/api/transcription?limit=0").await, 422, "transcription_list"),
        (api.get("/health/live").await, 200, "health"),
        (api.get("/docs").await, 200, "docs"),
    ] {
        assert_eq!(answer.status, status);
        assert!(answer.header("ratelimit").starts_with(&format!("\"{budget}\";r=")), "{budget}");
    }
    assert_eq!(api.get("/docs/swagger-ui.css").await.header("ratelimit"), "");
}

#[actix_web::test]
async fn a_user_is_counted_by_token_and_everyone_else_by_address() {
    let api = limited();
    let token = api.token("ada@example.com").await;
    api.get_as(&token, "/api/auth/me").await;
    api.get_as("forged", "/api/auth/me").await;
    let keys: Vec<_> =
        api.stub.keys().into_iter().filter(|(budget, _)| budget == "auth_me").collect();
    let user = token.replacen("token-", "user:", 1);
    let pair = |key: &str| ("auth_me".to_owned(), key.to_owned());
    assert_eq!(keys, [pair("address:203.0.113.7"), pair(&user)]);
}

#[actix_web::test]
async fn a_call_passes_uncounted_when_nothing_can_count() {
    let api = limited();
    *api.stub.limiter_down.lock().unwrap() = true;
    let answer = api.get("/health").await;
    assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (200, ""));
}

#[cfg(feature = "flood-shield")]
#[actix_web::test]
async fn a_flood_meets_the_same_429_and_preflights_pass() {
    let flood = Some(crate::FloodLimit { per_second: 1, burst: 2 });
    let cors_origins = vec!["http://localhost:3002".to_owned()];
    let api = Api::with(Quotas::OFF, ApiConfig { cors_origins, flood, ..ApiConfig::default() });
    assert_eq!(api.get("/health").await.status, 200);
    assert_eq!(api.get("/health").await.status, 200);
    let answer = api.get("/health").await;
    assert_eq!(answer.said(), (429, "rate_limit_exceeded".to_owned()));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json()["message"], "Rate limit exceeded: 1 per 1 second");
    assert_eq!(answer.json()["retry_after"], "1 second");
    assert_eq!(answer.header("x-ratelimit-limit"), "1/second");
    assert_eq!(answer.header("x-ratelimit-after"), "");
    let preflight = method(Method::OPTIONS, "/health")
        .insert_header(("origin", "http://localhost:3002"))
        .insert_header(("access-control-request-method", "GET"));
    assert_eq!(api.send(preflight).await.status, 200);
}

fn forwarded(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let name = HeaderName::from_static("x-forwarded-for");
        headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

#[test]
fn only_trusted_proxies_are_believed_and_only_as_far_as_they_saw() {
    let trusted: Vec<IpNet> =
        ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
    let forgeries: [(&[&str], &str); 20] = [
        (&[], "10.0.0.1"),
        (&["9.9.9.9"], "9.9.9.9"),
        (&["1.2.3.4, 9.9.9.9"], "9.9.9.9"),
        (&["1.2.3.4", "9.9.9.9"], "9.9.9.9"),
        (&["1.2.3.4, 9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        (&["9.9.9.9", "10.0.0.2", "10.0.0.3"], "9.9.9.9"),
        (&["nonsense, 9.9.9.9"], "9.9.9.9"),
        (&["9.9.9.9:1234"], "9.9.9.9"),
        (&["::ffff:9.9.9.9"], "9.9.9.9"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["[2001:db8::1]:443"], "2001:db8::1"),
        (&["[2001:db8::1]"], "2001:db8::1"),
        (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&[""], "10.0.0.1"),
        (&["9.9.9.9, "], "10.0.0.1"),
        (&["9.9.9.9, nonsense"], "10.0.0.1"),
        (&["9.9.9.9, unknown, 10.0.0.2"], "10.0.0.1"),
        (&["999.9.9.9"], "10.0.0.1"),
        (&["9.9.9.9; 8.8.8.8"], "10.0.0.1"),
        (&["9.9.9.9\u{e9}"], "10.0.0.1"),
    ];
    for (lines, expected) in forgeries {
        let headers = forwarded(lines);
        let from = |peer: &str| client(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(from("10.0.0.1"), expected.parse::<IpAddr>().unwrap(), "{lines:?}");
        // The same words from somebody else are not worth reading.
        assert_eq!(from("8.8.8.8"), "8.8.8.8".parse::<IpAddr>().unwrap(), "{lines:?}");
    }
}

#[actix_web::test]
async fn an_ipv6_client_counts_as_its_64() {
    let config = ApiConfig {
        trusted_proxies: vec!["203.0.113.0/24".parse().unwrap()],
        ..ApiConfig::default()
    };
    let api = Api::with(Quotas::default(), config);
    for address in ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"] {
        let request = TestRequest::get().uri("/health").insert_header(("x-forwarded-for", address));
        api.send(request).await;
    }
    let key = ("health".to_owned(), "address:2001:db8:1:2::".to_owned());
    assert_eq!(api.stub.keys(), [key]);
}

#[actix_web::test]
async fn a_forged_hop_does_not_buy_a_fresh_budget() {
    let api = limited();
    let token = api.token("ada@example.com").await;
    for hop in 0..3 {
        let request = TestRequest::get()
            .uri("/health")
            .insert_header(("x-forwarded-for", format!("9.9.9.{hop}")));
        api.send(bearer(request, "forged")).await;
    }
    api.get_as(&token, "/api/auth/me").await;
    let health: Vec<_> =
        api.stub.keys().into_iter().filter(|(budget, _)| budget == "health").collect();
    assert_eq!(health, [("health".to_owned(), "address:203.0.113.7".to_owned())]);
}

/// The same address, written in other ways.
fn spellings(path: &str) -> Vec<String> {
    let mut spellings = vec![format!("{path}/"), format!("{path}//"), format!("{path};x")];
    spellings.push(path.to_uppercase());
    for (at, letter) in path.char_indices() {
        let (before, behind) = (&path[..at], &path[at + 1..]);
        let code = u32::from(letter);
        if letter == '/' {
            spellings.extend(["//", "/./", "/%2e/", "%2F", "\\"].map(|it| {
                format!(
                    "{}{before}{it}{behind}",
                    if at == 0 && !it.starts_with('/') { "/" } else { "" }
                )
            }));
        }
        spellings.push(format!("{before}%{code:02x}{behind}"));
        spellings.push(format!("{before}%25{code:02X}{behind}"));
    }
    spellings.retain(|path| path.starts_with('/') && path.parse::<Uri>().is_ok());
    spellings
}

#[actix_web::test]
async fn no_spelling_of_an_address_is_counted_elsewhere() {
    let mut quotas = Quotas::default();
    for (name, ..) in BudgetName::TABLE {
        quotas.set(name, Some(u32::MAX));
    }
    let api = Api::with(quotas, ApiConfig::default());
    let app = test::init_service(crate::app(api.state.clone())).await;
    let mut reached = 0;
    for endpoint in &TABLE {
        let path = endpoint.pattern.replace("{id}", "x").replace("{asset}", "page.css");
        for spelling in spellings(&path) {
            let request = method(endpoint.method.clone(), &spelling);
            let response = test::call_service(&app, request.to_request()).await;
            let budget = response.headers().get("ratelimit").map_or("", |it| it.to_str().unwrap());
            let budget = budget.split('"').nth(1).map(str::to_owned);
            // The router's own word on where the call went.
            let routed = response.request().match_pattern();
            let found = TABLE
                .iter()
                .find(|it| Some(it.pattern) == routed.as_deref() && it.method == endpoint.method);
            reached += usize::from(found.is_some());
            let own = found.map_or(Some(BudgetName::Default), |found| found.budget);
            let own = own.map(|own| own.as_str().to_owned());
            assert_eq!(budget, own, "{} {spelling}", endpoint.method);
        }
    }
    assert!(reached > 10 * TABLE.len(), "{reached}");
}
