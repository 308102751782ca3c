//! Every status that an operation is described with, and no other, is one that it answers with.

use std::collections::{BTreeMap, BTreeSet};

use application::uploads::UploadLimits;
use domain::UserId;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{NOBODY, operations};
use crate::{
    app::{MEDIA, PASSWORD, TestApp, send},
    callbacks::{first_token, path},
    uploads,
};

/// What takes more than a simple call to see: the tests of limits, of failing parts and of slow
/// bodies do that.
const ELSEWHERE: [u16; 4] = [408, 429, 500, 503];

/// The statuses seen of each operation.
struct Seen<'a> {
    app: &'a TestApp,
    token: String,
    statuses: BTreeMap<&'static str, BTreeSet<u16>>,
}

impl Seen<'_> {
    async fn call(&mut self, id: &'static str, request: RequestBuilder) {
        let status = send(request).await.status;
        self.statuses.entry(id).or_default().insert(status);
    }

    /// A call with and without a token, with a body of JSON or none.
    async fn both(&mut self, id: &'static str, method: Method, path: &str, body: &str) {
        let request = || {
            let request = self.app.request(method.clone(), path);
            let request = if body.is_empty() {
                request
            } else {
                request.header("content-type", "application/json").body(body.to_owned())
            };
            (request.try_clone().unwrap(), request.bearer_auth(&self.token))
        };
        let (without, with) = request();
        self.call(id, without).await;
        self.call(id, with).await;
    }

    /// The same operation with every kind of bad body.
    async fn bad_bodies(&mut self, id: &'static str, path: &str) {
        let large = " ".repeat(70_000);
        for body in ["{", "[]", large.as_str()] {
            self.both(id, Method::POST, path, body).await;
        }
        let untyped = self.app.request(Method::POST, path).bearer_auth(&self.token).body("x");
        self.call(id, untyped).await;
    }

    async fn accounts(&mut self) {
        let account = json!({"email": "new@example.com", "password": PASSWORD}).to_string();
        let login = json!({"username": "new@example.com", "password": PASSWORD}).to_string();
        let wrong = json!({"username": "new@example.com", "password": "wrong"}).to_string();
        self.both("register", Method::POST, "/api/auth/register", &account).await;
        self.bad_bodies("register", "/api/auth/register").await;
        self.both("login", Method::POST, "/api/auth/login", &login).await;
        self.both("login", Method::POST, "/api/auth/login", &wrong).await;
        self.bad_bodies("login", "/api/auth/login").await;
        self.both("getMe", Method::GET, "/api/auth/me", "").await;
    }

    async fn transcriptions(&mut self) {
        let path = "/api/transcription";
        let body = json!({"video_url": MEDIA}).to_string();
        self.both("createTranscription", Method::POST, path, &body).await;
        self.bad_bodies("createTranscription", path).await;
        for query in ["", "?cursor=x", "?limit=0"] {
            self.both("listTranscriptions", Method::GET, &format!("{path}{query}"), "").await;
        }
        let id = self.app.create(&self.token, MEDIA).await;
        for at in [format!("{path}/{id}"), format!("{path}/{NOBODY}")] {
            self.both("getTranscript", Method::GET, &format!("{at}/transcript"), "").await;
            for file in ["srt", "srt?lines=9", "srt?lines=1&lines=1"] {
                self.both("exportTranscript", Method::GET, &format!("{at}/export/{file}"), "")
                    .await;
            }
            self.both("cancelTranscription", Method::POST, &format!("{at}/cancel"), "").await;
            self.both("getTranscription", Method::GET, &at, "").await;
        }
        let tagged = self.app.request(Method::GET, &format!("{path}/{id}"));
        let tagged = tagged.bearer_auth(&self.token).header("if-none-match", "*");
        self.call("getTranscription", tagged).await;
        let done = self.app.create(&self.token, MEDIA).await;
        self.app.run_pending_jobs().await;
        let at = format!("{path}/{done}");
        self.both("getTranscript", Method::GET, &format!("{at}/transcript"), "").await;
        self.both("exportTranscript", Method::GET, &format!("{at}/export/srt"), "").await;
        self.both("cancelTranscription", Method::POST, &format!("{at}/cancel"), "").await;
        for _ in 0..2 {
            self.both("deleteTranscription", Method::DELETE, &at, "").await;
        }
    }

    async fn callbacks(&mut self) {
        self.app.create(&self.token, MEDIA).await;
        self.app.run_pending_jobs().await;
        for token in [first_token(), "0".repeat(64)] {
            self.both("hearAssemblyAi", Method::POST, &path(&token), "{}").await;
            self.bad_bodies("hearAssemblyAi", &path(&token)).await;
        }
    }

    async fn uploads(&mut self) {
        let kind = format!("multipart/form-data; boundary={}", uploads::BOUNDARY);
        let request = |body: Vec<u8>| {
            let request = self.app.request(Method::POST, uploads::PATH).body(body);
            request.header("content-type", kind.clone())
        };
        let requests: Vec<RequestBuilder> = [
            uploads::form("talk.wav", b"RIFF.."),
            uploads::form("talk.wav", b"RIFF"),
            uploads::form("talk.wav", b"RIFF"),
            uploads::form("talk.wav", b""),
            b"no form".to_vec(),
        ]
        .into_iter()
        .map(|body| request(body).bearer_auth(&self.token))
        .chain([request(Vec::new())])
        .collect();
        for request in requests {
            self.call("uploadTranscription", request).await;
        }
        let path = uploads::PATH;
        self.both("uploadTranscription", Method::POST, path, "{}").await;
    }

    async fn service(&mut self) {
        for (id, path) in [
            ("getServiceInfo", "/"),
            ("getHealth", "/health"),
            ("getLiveness", "/health/live"),
            ("getReadiness", "/health/ready"),
            ("getDescription", "/openapi.json"),
            ("getSwaggerUi", "/docs"),
            ("getRedoc", "/redoc"),
        ] {
            self.both(id, Method::GET, path, "").await;
        }
    }
}

#[tokio::test]
async fn every_operation_answers_as_it_is_described() {
    // Room for one file and a half.
    let limits = UploadLimits { quota_bytes: Some(6), max_bytes: 4, ..UploadLimits::default() };
    let app = TestApp::builder().config(|config| config.uploads = limits).start();
    let token = app.token("a@example.com").await;
    let me = app.get("/api/auth/me", &token).await.ok();
    let mut seen = Seen { app: &app, token, statuses: BTreeMap::new() };
    seen.accounts().await;
    seen.transcriptions().await;
    seen.callbacks().await;
    seen.uploads().await;
    seen.service().await;
    let id = UserId::from_uuid(me["id"].as_str().unwrap().parse().unwrap());
    assert!(app.fakes.store.set_active(id, false));
    let operations = operations(&app).await;
    for operation in &operations {
        let answer = app.call(operation.method.clone(), &operation.path(), &seen.token).await;
        if !operation.described["security"].as_array().unwrap().is_empty() {
            answer.problem(403, "account_disabled");
        }
        let described = operation.described["responses"].as_object().unwrap();
        let mut described: BTreeSet<u16> = described.keys().map(|s| s.parse().unwrap()).collect();
        described.retain(|status| !ELSEWHERE.contains(status) && *status != 403);
        let answered = seen.statuses.get(operation.id()).cloned().unwrap_or_default();
        assert_eq!(answered, described, "{}", operation.line());
    }
    assert_eq!(seen.statuses.len(), operations.len());
}

#[tokio::test]
async fn every_operation_with_a_token_is_described_with_what_becomes_of_bad_ones() {
    let app = TestApp::start();
    for operation in operations(&app).await {
        let responses = &operation.described["responses"];
        let wants_token = !operation.described["security"].as_array().unwrap().is_empty();
        assert_eq!(responses["403"].is_object(), wants_token, "{}", operation.line());
        for status in ["429", "500"] {
            assert!(responses[status].is_object(), "{} {status}", operation.line());
        }
    }
}
