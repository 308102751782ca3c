//! Many at once, with real hashes.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use infrastructure::security::{BcryptConfig, BcryptHasher};
use serde_json::json;

use crate::app::{PASSWORD, TestApp};

const RACERS: usize = 100;

fn password(racer: usize) -> String {
    format!("the password of {racer}")
}

#[tokio::test]
async fn of_a_hundred_registrations_of_one_address_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let builder = TestApp::builder().over_sqlite(directory.path()).await;
    let app = builder.config(|config| config.workers = 2).start();
    let attempts = (0..RACERS).map(|racer| {
        let body = json!({"email": "race@example.com", "password": password(racer)});
        let app = &app;
        async move { app.post("/api/auth/register", "", &body).await }
    });
    let answers = join_all(attempts).await;
    let mut outcomes = BTreeMap::<String, Vec<usize>>::new();
    for (racer, answer) in answers.iter().enumerate() {
        let outcome = match answer.status {
            201 => "won".to_owned(),
            409 => answer.problem(409, "email_already_registered")["code"].to_string(),
            _ => answer.problem(503, "overloaded")["code"].to_string(),
        };
        outcomes.entry(outcome).or_default().push(racer);
    }
    let winners = outcomes.remove("won").unwrap_or_default();
    assert_eq!(winners.len(), 1, "{winners:?}, others: {outcomes:?}");
    for racer in 0..RACERS {
        let expected = if racer == winners[0] { 200 } else { 401 };
        let login = app.login("race@example.com", &password(racer)).await;
        assert_eq!(login.status, expected, "{racer}: {login:?}");
    }
    app.is_alive().await;
}

#[tokio::test]
async fn more_logins_than_can_be_hashed_are_sent_away_and_let_in_later() {
    let config = BcryptConfig { cost: 8, permits: 1, queue: 1, ..BcryptConfig::default() };
    let hasher = Arc::new(BcryptHasher::new(&config));
    let app = TestApp::builder()
        .with(|adapters, _| adapters.hasher = hasher)
        .config(|config| config.workers = 2)
        .start();
    app.register("ada@example.com").await;
    let answers = join_all((0..20).map(|_| app.login("ada@example.com", PASSWORD))).await;
    let (signed_in, away): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    for answer in &away {
        answer.problem(503, "overloaded");
    }
    assert!(!signed_in.is_empty() && !away.is_empty(), "{} and {}", signed_in.len(), away.len());
    app.login("ada@example.com", PASSWORD).await.ok();
}
