//! Opening an account, signing in, and who one is.

#![cfg(test)]

mod passwords;
mod races;

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, PASSWORD, TestApp, send};

const FORM: &str = "application/x-www-form-urlencoded";

async fn login_form(app: &TestApp, kind: &str, body: String) -> Answer {
    let request = app.request(Method::POST, "/api/auth/login").header("content-type", kind);
    send(request.body(body)).await
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--XX--\r\n"
}

#[tokio::test]
async fn an_account_is_opened_and_tells_who_it_is() {
    let app = TestApp::start();
    let body = json!({"email": "Ada@Example.com", "password": PASSWORD, "full_name": "Ada L."});
    let opened = app.post("/api/auth/register", "", &body).await;
    assert_eq!(opened.status, 201);
    insta::assert_json_snapshot!(opened.json(), { ".id" => "[id]" });
    let token = app.login("ada@example.com", PASSWORD).await.ok();
    let me = app.get("/api/auth/me", token["access_token"].as_str().unwrap()).await.ok();
    assert_eq!(me, opened.json());
}

#[tokio::test]
async fn a_token_pair_has_no_more_members_than_there_are_tokens() {
    let app = TestApp::start();
    app.register("a@example.com").await;
    let pair = app.login("a@example.com", PASSWORD).await;
    insta::assert_json_snapshot!(pair.ok(), { ".access_token" => "[token]" });
    assert_eq!(pair.header("cache-control"), "no-store");
}

#[tokio::test]
async fn credentials_may_come_as_a_form_a_multipart_form_or_json() {
    let app = TestApp::start();
    app.register("a+b@example.com").await;
    let form = "grant_type=password&username=a%2Bb%40example.com\
                &password=correct+horse%20battery&scope=&client_id=x";
    let fields = [("username", "A+B@example.com"), ("password", PASSWORD), ("extra", "1")];
    for (kind, body) in [
        (FORM, form.to_owned()),
        ("application/x-www-form-urlencoded; charset=utf-8", form.to_owned()),
        ("multipart/form-data; boundary=XX", multipart(&fields)),
    ] {
        let pair = login_form(&app, kind, body).await.ok();
        let me = app.get("/api/auth/me/", pair["access_token"].as_str().unwrap()).await.ok();
        assert_eq!(me["email"], "a+b@example.com", "{kind}");
    }
    assert_eq!(app.login("a+b@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_form_without_credentials_names_what_is_missing() {
    let app = TestApp::start();
    let missing = |name: &str| (format!("/{name}"), "required".to_owned());
    let answer = login_form(&app, FORM, String::new()).await;
    assert_eq!(answer.faults(), [missing("username"), missing("password")]);
    let answer = login_form(&app, FORM, "username=a".to_owned()).await;
    assert_eq!(answer.faults(), [missing("password")]);
    let twice = login_form(&app, FORM, "username=a&username=b&password=c".to_owned()).await;
    assert_eq!(twice.faults(), [("/username".to_owned(), "duplicate_member".to_owned())]);
    let cut = login_form(&app, "multipart/form-data; boundary=XX", "--XX\r\nContent-".to_owned());
    cut.await.problem(400, "malformed_form");
    let unbounded = login_form(&app, "multipart/form-data", multipart(&[("username", "a")]));
    unbounded.await.problem(400, "malformed_form");
}

#[tokio::test]
async fn an_address_in_another_case_is_taken_too() {
    let app = TestApp::start();
    assert_eq!(app.register("ada@example.com").await.status, 201);
    for email in ["ada@example.com", "ADA@EXAMPLE.COM"] {
        app.register(email).await.problem(409, "email_already_registered");
    }
}

#[tokio::test]
async fn every_fault_of_a_registration_is_told_at_once_and_no_value_is_repeated() {
    let app = TestApp::start();
    let body = json!({
        "email": "not-an-address",
        "password": "short",
        "full_name": "x".repeat(256),
        "admin": true,
    });
    let answer = app.post("/api/auth/register", "", &body).await;
    let mut faults = answer.faults();
    faults.sort();
    let expected = [
        ("/admin", "unknown_member"),
        ("/email", "invalid_email"),
        ("/full_name", "too_long"),
        ("/password", "password_too_short"),
    ];
    assert_eq!(faults, expected.map(|(p, c)| (p.to_owned(), c.to_owned())));
    assert!(!answer.text.contains("not-an-address") && !answer.text.contains("xxx"));
    let empty = app.post("/api/auth/register", "", &json!({})).await.faults();
    assert_eq!(empty.len(), 2, "{empty:?}");
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_with_its_account() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let id = app.get("/api/auth/me", &token).await.ok()["id"].as_str().unwrap().to_owned();
    app.advance(30 * 60 - 1);
    app.get("/api/auth/me", &token).await.ok();
    let user = domain::UserId::from_uuid(id.parse().unwrap());
    assert!(app.fakes.store.set_active(user, false));
    app.get("/api/auth/me", &token).await.problem(403, "account_disabled");
    app.get("/api/transcription", &token).await.problem(403, "account_disabled");
    assert!(app.fakes.store.set_active(user, true));
    app.advance(1);
    app.get("/api/auth/me", &token).await.problem(401, "invalid_token");
}
