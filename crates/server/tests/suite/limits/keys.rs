//! Against whom a call is counted.

use reqwest::Method;

use super::limited;
use crate::app::{Answer, TestApp, send};

/// A call to a route that anyone may call five times, said to come over `hops`.
async fn over(app: &TestApp, hops: &str) -> Answer {
    let request = app.request(Method::POST, "/api/auth/login").header("x-forwarded-for", hops);
    send(request).await
}

fn left(answer: &Answer) -> &str {
    let text = answer.header("ratelimit").split(';').nth(1).unwrap_or_default();
    text.strip_prefix("r=").unwrap_or_default()
}

#[tokio::test]
async fn a_user_is_counted_by_name_and_everyone_else_by_address() {
    let app = limited().start();
    let (one, two) = (app.token("a@example.com").await, app.token("b@example.com").await);
    for _ in 0..20 {
        app.get("/api/auth/me", &one).await.ok();
    }
    app.get("/api/auth/me", &one).await.problem(429, "rate_limit_exceeded");
    assert_eq!(left(&app.get("/api/auth/me", &two).await), "19");
    assert_eq!(left(&app.get("/api/auth/me", "").await), "19");
    assert_eq!(left(&app.get("/api/auth/me", "bad").await), "18", "a bad token names nobody");
    app.get("/api/auth/me", &one).await.problem(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn two_tokens_of_one_user_share_their_calls() {
    let app = limited().start();
    let first = app.token("a@example.com").await;
    let second = app.login("a@example.com", crate::app::PASSWORD).await.ok();
    assert_eq!(left(&app.get("/api/auth/me", &first).await), "19");
    let second = second["access_token"].as_str().unwrap();
    assert_ne!(first, second);
    assert_eq!(left(&app.get("/api/auth/me", second).await), "18");
}

#[tokio::test]
async fn nobody_is_believed_who_is_no_trusted_proxy() {
    let app = limited().start();
    for at in 0..5 {
        assert_eq!(left(&over(&app, &format!("203.0.113.{at}")).await), (4 - at).to_string());
    }
    over(&app, "203.0.113.9").await.problem(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_rightmost_hop_that_is_not_one() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    let app = limited().config(|config| config.api.trusted_proxies = proxies).start();
    for (hops, expected) in [
        ("203.0.113.1", "4"),
        ("203.0.113.2", "4"),
        ("203.0.113.1", "3"),
        ("198.51.100.7, 203.0.113.1", "2"),
        ("198.51.100.8, 203.0.113.1, 10.0.0.5", "1"),
        ("203.0.113.1:4711", "0"),
        ("2001:db8:0:1::1", "4"),
        ("2001:db8:0:1:ffff::2", "3"),
        ("[2001:db8:0:1::3]:443", "2"),
        ("2001:db8:0:2::1", "4"),
        ("::ffff:203.0.113.2", "3"),
    ] {
        assert_eq!(left(&over(&app, hops).await), expected, "{hops}");
    }
    over(&app, "203.0.113.1").await.problem(429, "rate_limit_exceeded");
}
