//! What must be true of every route, whoever adds one.

#![cfg(test)]

mod access;
mod answers;
mod cors;
mod headers;

use std::{collections::BTreeSet, process::Command};

use reqwest::Method;
use serde_json::Value;

use crate::app::TestApp;

/// An identifier that nothing has.
const NOBODY: &str = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";

/// An operation of the description.
struct Operation {
    method: Method,
    pattern: String,
    described: Value,
}

impl Operation {
    /// The description's own name for it.
    fn id(&self) -> &str {
        self.described["operationId"].as_str().unwrap()
    }

    /// As it is written in lists: `GET /path`.
    fn line(&self) -> String {
        format!("{} {}", self.method, self.pattern)
    }

    /// A path that reaches it.
    fn path(&self) -> String {
        let path = self.pattern.replace("{id}", NOBODY).replace("{token}", &"0".repeat(64));
        path.replace("{format}", "srt")
    }
}

/// Every operation that the running service says it has.
async fn operations(app: &TestApp) -> Vec<Operation> {
    let description = app.get("/openapi.json", "").await.ok();
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(pattern, item)| {
        item.as_object().unwrap().iter().map(|(method, described)| Operation {
            method: method.to_uppercase().parse().unwrap(),
            pattern: pattern.clone(),
            described: described.clone(),
        })
    });
    operations.collect()
}

#[tokio::test]
async fn the_description_is_the_one_that_was_reviewed() {
    let printed = Command::new(env!("CARGO_BIN_EXE_saas-ia")).arg("openapi").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let printed = String::from_utf8(printed.stdout).unwrap();
    let served = TestApp::start().get("/openapi.json", "").await.ok();
    assert_eq!(served, serde_json::from_str::<Value>(&printed).unwrap());
    insta::assert_snapshot!("openapi", printed);
}

#[tokio::test]
async fn the_description_names_the_methods_that_each_path_answers_and_no_others() {
    let app = TestApp::start();
    let operations = operations(&app).await;
    let patterns: BTreeSet<_> = operations.iter().map(Operation::path).collect();
    for path in patterns {
        let of_path = operations.iter().filter(|operation| operation.path() == path);
        let mut expected: BTreeSet<_> = of_path.map(|o| o.method.to_string()).collect();
        if expected.contains("GET") {
            expected.insert("HEAD".to_owned());
        }
        for method in ["PATCH", "PUT", "OPTIONS", "TRACE", "BREW"] {
            let method: Method = method.parse().unwrap();
            let answer = app.call(method, &path, "").await;
            answer.problem(405, "method_not_allowed");
            let allowed = answer.header("allow").split(", ").map(str::to_owned);
            assert_eq!(allowed.collect::<BTreeSet<_>>(), expected, "{path}");
        }
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = app.call(method.clone(), &path, "").await;
            assert_eq!(answer.status != 405, expected.contains(method.as_str()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_described_is_not_there() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    for (method, path) in [
        (Method::GET, "/metrics"),
        (Method::POST, "/api/auth/refresh"),
        (Method::POST, "/api/auth/logout"),
        (Method::POST, "/api/auth/logout-all"),
        (Method::PUT, "/api/auth/password"),
        (Method::GET, "/api/transcription/x/export"),
        (Method::GET, "/api/transcription/x/export/srt/x"),
        (Method::GET, "/api/transcription/x/events"),
        (Method::POST, "/api/transcription/x/retry"),
        (Method::POST, "/api/callbacks/x"),
        (Method::POST, "/api/callbacks/assemblyai"),
        (Method::POST, "/api/callbacks/assemblyai/x/y"),
        (Method::GET, "/api"),
        (Method::GET, "/api/auth"),
        (Method::GET, "/docs/x"),
        (Method::GET, "/docs/swagger-ui.css/x"),
        (Method::GET, "/redoc/x"),
        (Method::GET, "/openapi.yaml"),
        (Method::GET, "/.env"),
        (Method::GET, "/data/saas-ia.db"),
        (Method::GET, "/API/auth/me"),
    ] {
        app.call(method, path, &token).await.problem(404, "not_found");
    }
}
