//! What signing in costs and tells.

use std::{sync::Arc, time::Duration};

use domain::{Email, PasswordDigest, User, UserId};
use infrastructure::security::BcryptHasher;
use serde_json::json;
use testkit::fakes::PlainHasher;
use uuid::Uuid;

use crate::app::{PASSWORD, TestApp, cheap_bcrypt};

/// `secret` as the service's predecessor stored it.
const IMPORTED: &str = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW";

fn account(email: &str, digest: PasswordDigest) -> User {
    let now = chrono::DateTime::UNIX_EPOCH;
    let id = UserId::from_uuid(Uuid::from_u128(77));
    User::register(id, Email::parse(email).unwrap(), None, digest, now)
}

#[tokio::test]
async fn every_refused_login_costs_one_hash_and_says_the_same() {
    let app = TestApp::start();
    app.register("ada@example.com").await;
    app.register("gone@example.com").await;
    let users = app.fakes.store.users();
    let gone = users.iter().find(|user| user.parts().email.as_str() == "gone@example.com");
    assert!(app.fakes.store.set_active(gone.unwrap().parts().id, false));
    let long = "x".repeat(10_000);
    let mut answers = Vec::new();
    for (email, password) in [
        ("ada@example.com", "wrong password"),
        ("ada@example.com", ""),
        ("ada@example.com", long.as_str()),
        ("ada@example.com", "nul \0 nul"),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
        ("gone@example.com", PASSWORD),
    ] {
        let before = app.fakes.hasher.hashes();
        let answer = app.login(email, password).await;
        assert_eq!(app.fakes.hasher.hashes() - before, 1, "{email}");
        answer.problem(401, "invalid_credentials");
        answers.push(answer.indistinct());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_password_is_judged_by_its_length_and_by_being_known() {
    let app = TestApp::start();
    let long = "p".repeat(129);
    for (password, code) in [
        ("short77", "password_too_short"),
        (long.as_str(), "password_too_long"),
        ("PASSWORD", "password_too_common"),
        ("saas-ia1@example.com", "password_too_common"),
        ("saas-ia1", "password_too_common"),
    ] {
        let body = json!({"email": "saas-ia1@example.com", "password": password});
        let faults = app.post("/api/auth/register", "", &body).await.faults();
        assert_eq!(faults, [("/password".to_owned(), code.to_owned())], "{password}");
    }
    let longest = "пароль".repeat(21) + "12";
    for (at, password) in ["Test123!", "密码密码密码密码", longest.as_str()].into_iter().enumerate()
    {
        let email = format!("user{at}@example.com");
        let body = json!({"email": email, "password": password});
        assert_eq!(app.post("/api/auth/register", "", &body).await.status, 201, "{password}");
        assert_eq!(app.login(&email, password).await.status, 200);
        let cut: String = password.chars().skip(1).collect();
        app.login(&email, &cut).await.problem(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn too_many_hashes_at_once_are_refused_with_the_time_to_come_back() {
    let app = TestApp::start();
    app.register("ada@example.com").await;
    app.fakes.hasher.overload(Duration::from_millis(6_500));
    for answer in
        [app.register("new@example.com").await, app.login("ada@example.com", PASSWORD).await]
    {
        answer.problem(503, "overloaded");
        assert_eq!(answer.header("retry-after"), "7");
    }
    app.fakes.hasher.relieve();
    assert_eq!(app.register("new@example.com").await.status, 201);
}

#[tokio::test]
async fn an_imported_digest_signs_in_and_is_made_anew_once() {
    let app = TestApp::builder()
        .with(|adapters, _| adapters.hasher = Arc::new(BcryptHasher::new(&cheap_bcrypt())))
        .start();
    let user = account("old@example.com", PasswordDigest::new(IMPORTED.to_owned()));
    app.adapters.users.insert(&user).await.unwrap();
    let digest = || app.fakes.store.users()[0].parts().password.expose().to_owned();
    app.login("old@example.com", "secrets").await.problem(401, "invalid_credentials");
    assert_eq!(digest(), IMPORTED);
    app.login("old@example.com", "secret").await.ok();
    let fresh = digest();
    assert!(fresh != IMPORTED && !fresh.contains("$2b$12$"), "{fresh}");
    app.login("old@example.com", "secret").await.ok();
    assert_eq!(digest(), fresh);
}

#[tokio::test]
async fn an_outdated_digest_of_a_wrong_password_stays_as_it_is() {
    let app = TestApp::start();
    let user = account("old@example.com", PlainHasher::outdated_digest(PASSWORD));
    app.adapters.users.insert(&user).await.unwrap();
    let before = app.fakes.hasher.hashes();
    app.login("old@example.com", "wrong password").await.problem(401, "invalid_credentials");
    assert_eq!(app.fakes.hasher.hashes() - before, 1);
    assert_eq!(app.fakes.store.users(), [user]);
}
