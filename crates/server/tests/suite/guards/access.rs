//! Who may call what.

use std::collections::BTreeSet;

use reqwest::Method;

use super::operations;
use crate::app::{TestApp, send};

/// What anyone may call. It may only become shorter.
const PUBLIC: [&str; 10] = [
    "GET /",
    "GET /docs",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /openapi.json",
    "GET /redoc",
    "POST /api/auth/login",
    "POST /api/auth/register",
    // Its path is the secret.
    "POST /api/callbacks/assemblyai/{token}",
];

#[tokio::test]
async fn every_operation_that_is_not_public_wants_a_valid_token() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    app.advance(30 * 60);
    let mut public = BTreeSet::new();
    for operation in operations(&app).await {
        if PUBLIC.contains(&operation.line().as_str()) {
            public.insert(operation.line());
            continue;
        }
        let path = operation.path();
        for bad in ["", "x", &token, &"x".repeat(5_000), "eyJhbGciOiJub25lIn0.e30."] {
            let answer = app.call(operation.method.clone(), &path, bad).await;
            answer.problem(401, "invalid_token");
        }
        for header in [format!("Basic {token}"), token.clone(), "Bearer".to_owned()] {
            let request = app.request(operation.method.clone(), &path);
            let answer = send(request.header("authorization", header)).await;
            answer.problem(401, "invalid_token");
        }
        let body = app.request(operation.method.clone(), &path).body("not looked at");
        send(body).await.problem(401, "invalid_token");
    }
    assert_eq!(public, PUBLIC.map(str::to_owned).into());
}

#[tokio::test]
async fn what_is_public_does_not_ask_for_a_token_and_does_not_mind_a_bad_one() {
    let app = TestApp::start();
    for line in PUBLIC {
        let (method, path) = line.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        for token in ["", "bad"] {
            let answer = app.call(method.clone(), path, token).await;
            let expected = match (&method, path.contains("{token}")) {
                (&Method::GET, _) => 200,
                (_, true) => 404,
                _ => 415,
            };
            assert_eq!(answer.status, expected, "{line}");
        }
    }
}

#[tokio::test]
async fn the_description_says_of_each_operation_whether_it_wants_a_token() {
    let app = TestApp::start();
    for operation in operations(&app).await {
        let wanted = operation.described["security"].as_array().unwrap();
        let public = PUBLIC.contains(&operation.line().as_str());
        assert_eq!(wanted.is_empty(), public, "{}", operation.line());
    }
}

#[tokio::test]
async fn a_token_signed_by_someone_else_or_not_at_all_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let app = TestApp::builder().over_sqlite(directory.path()).await.start();
    let token = app.token("a@example.com").await;
    app.get("/api/auth/me", &token).await.ok();
    let (body, signature) = token.rsplit_once('.').unwrap();
    let payload = body.split_once('.').unwrap().1;
    let swapped = if signature.starts_with('A') { "B" } else { "A" };
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for bad in [
        format!("{body}.{swapped}{}", &signature[1..]),
        format!("{body}."),
        body.to_owned(),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{token}.x"),
    ] {
        app.get("/api/auth/me", &bad).await.problem(401, "invalid_token");
    }
}
