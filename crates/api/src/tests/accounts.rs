//! Registering, signing in, and one's own account.

use actix_web::{http::header, test::TestRequest};
use domain::User;
use serde_json::json;

use super::{Answer, Api, bearer};

fn login(content_type: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri("/api/auth/login")
        .insert_header((header::CONTENT_TYPE, content_type))
        .set_payload(body.to_owned())
}

const FORM: &str = "application/x-www-form-urlencoded";

#[actix_web::test]
async fn an_account_is_opened_and_shown_without_its_password() {
    let api = Api::new();
    let body = r#"{"email":"Ada@Example.com","password":"Test123!","full_name":"Ada"}"#;
    let answer = api.post("/api/auth/register", body).await;
    assert_eq!(answer.status, 201);
    let mut user = answer.json();
    let id = user["id"].take();
    assert_eq!(id.as_str().map(str::len), Some(36));
    let expected = json!({
        "id": null, "email": "ada@example.com", "full_name": "Ada", "role": "user",
        "is_active": true, "created_at": "2026-01-01T12:00:00.123456Z",
    });
    assert_eq!(user, expected);
    let again = api.post("/api/auth/register/", body).await;
    assert_eq!(again.said(), (409, "email_already_registered".to_owned()));
}

#[actix_web::test]
async fn every_fault_of_a_registration_is_named_and_no_value_repeated() {
    let api = Api::new();
    let body = r#"{"email":"not-an-address","password":"sh0rt","full_name":7,"role":"admin"}"#;
    let answer = api.post("/api/auth/register", body).await;
    assert_eq!(answer.said(), (422, "validation_failed".to_owned()));
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/email", "/full_name", "/password", "/role"]);
    assert!(!problem.to_string().contains("not-an-address"));
    assert!(!problem.to_string().contains("sh0rt"));
}

#[actix_web::test]
async fn a_single_kind_of_fault_is_the_code_of_the_answer() {
    let api = Api::new();
    for (password, code) in [
        ("password", "password_too_common"),
        ("ada@example.com", "password_too_common"),
        ("1234567", "password_too_short"),
    ] {
        let body = format!(r#"{{"email":"ada@example.com","password":"{password}"}}"#);
        let answer = api.post("/api/auth/register", &body).await;
        assert_eq!(answer.said(), (422, code.to_owned()));
    }
    let long = format!(r#"{{"email":"ada@example.com","password":"{}"}}"#, "é".repeat(129));
    let answer = api.post("/api/auth/register", &long).await;
    assert_eq!(answer.said(), (422, "password_too_long".to_owned()));
}

#[actix_web::test]
async fn too_many_hashes_are_a_503_with_a_time() {
    let api = Api::new();
    let body = r#"{"email":"ada@example.com","password":"overloaded"}"#;
    let answer = api.post("/api/auth/register", body).await;
    assert_eq!(answer.said(), (503, "overloaded".to_owned()));
    assert_eq!(answer.header("retry-after"), "2");
}

#[actix_web::test]
async fn the_three_spellings_of_a_login_are_understood() {
    let api = Api::new();
    api.token("ada@example.com").await;
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada@example.com\r\n--X\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse\r\n--X--\r\n";
    for (kind, body) in [
        (FORM, "username=ada%40example.com&password=correct+horse&grant_type=password&x=1&x=2"),
        (
            "application/x-www-form-urlencoded; charset=utf-8",
            "username=ADA@example.com&password=correct%20horse",
        ),
        ("multipart/form-data; boundary=X", multipart),
        ("application/json", r#"{"username":"ada@example.com","password":"correct horse"}"#),
    ] {
        let answer = api.send(login(kind, body)).await;
        assert_eq!(answer.status, 200, "{kind}: {:?}", answer.body);
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "bearer");
        assert_eq!(tokens["expires_in"], 1800);
        assert_eq!(tokens.as_object().unwrap().len(), 3);
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(api.get_as(token, "/api/auth/me").await.status, 200);
    }
}

/// An answer without what differs between any two.
fn comparable(answer: &Answer) -> (u16, serde_json::Value, Vec<String>) {
    let mut body = answer.json();
    body["request_id"].take();
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status.as_u16(), body, names)
}

#[actix_web::test]
async fn whatever_does_not_match_is_refused_in_one_way() {
    let api = Api::new();
    api.token("ada@example.com").await;
    let wrong = api.send(login(FORM, "username=ada@example.com&password=wrong")).await;
    assert_eq!(wrong.said(), (401, "invalid_credentials".to_owned()));
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    let long = format!("username=ada@example.com&password={}", "x".repeat(10_000));
    for body in [
        "username=nobody@example.com&password=correct+horse",
        "username=&password=",
        "username=ada@example.com&password=",
        "username=ada@example.com%00&password=%00",
        "username=%ff%fe&password=%ff",
        long.as_str(),
    ] {
        let answer = api.send(login(FORM, body)).await;
        assert_eq!(comparable(&answer), comparable(&wrong), "{body}");
    }
}

#[actix_web::test]
async fn a_login_that_is_none_says_why() {
    let api = Api::new();
    for (kind, body, status, code) in [
        (FORM, "password=x", 422, "required"),
        (FORM, "", 422, "required"),
        (FORM, "username=a&username=b&password=c", 422, "duplicate_member"),
        ("application/json", r#"{"username":"a"}"#, 422, "required"),
        ("application/json", r#"{"username":"a","password":"b","x":1}"#, 422, "unknown_member"),
        ("application/json", r#"{"username":"a","password":"\ud800"}"#, 400, "malformed_json"),
        ("application/json", "{", 400, "malformed_json"),
        ("text/plain", "username=a&password=b", 415, "unsupported_media_type"),
        ("multipart/form-data; boundary=X", "nonsense", 400, "malformed_form"),
        ("multipart/form-data", "nonsense", 400, "malformed_form"),
    ] {
        let answer = api.send(login(kind, body)).await;
        assert_eq!(answer.said(), (status, code.to_owned()), "{kind} {body}");
    }
}

#[actix_web::test]
async fn one_answer_for_every_cause_of_a_bad_token() {
    let api = Api::new();
    let none = api.get("/api/auth/me").await;
    assert_eq!(none.said(), (401, "invalid_token".to_owned()));
    assert_eq!(none.header("www-authenticate"), "Bearer");
    let gone = "token-01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";
    for value in ["Bearer nonsense", "Bearer", "Bearer ", "Basic YTpi", &format!("Bearer {gone}")] {
        let request =
            TestRequest::get().uri("/api/auth/me").insert_header((header::AUTHORIZATION, value));
        let answer = api.send(request).await;
        assert_eq!(comparable(&answer), comparable(&none), "{value}");
    }
}

#[actix_web::test]
async fn a_disabled_account_is_told_so_once_its_token_is_valid() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    {
        let mut users = api.stub.users.lock().unwrap();
        let mut parts = users[0].parts().clone();
        parts.is_active = false;
        users[0] = User::restore(parts);
    }
    let answer = api.get_as(&token, "/api/auth/me").await;
    assert_eq!(answer.said(), (403, "account_disabled".to_owned()));
    let refused = api.send(login(FORM, "username=ada@example.com&password=correct+horse")).await;
    assert_eq!(refused.said(), (401, "invalid_credentials".to_owned()));
}

#[actix_web::test]
async fn two_authorizations_are_none() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let request = bearer(TestRequest::get().uri("/api/auth/me"), &token)
        .append_header((header::AUTHORIZATION, "Bearer other"));
    assert_eq!(api.send(request).await.status, 401);
}
