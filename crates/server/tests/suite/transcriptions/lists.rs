//! Pages.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, MEDIA, TestApp};

async fn page(app: &TestApp, token: &str, query: &str) -> Answer {
    let answer = app.get(&format!("/api/transcription?{query}"), token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Accepts `count`; every third comes at a new instant. Newest last.
async fn create(app: &TestApp, token: &str, count: usize) -> Vec<String> {
    let mut made = Vec::new();
    for at in 0..count {
        made.push(app.create(token, MEDIA).await);
        app.advance(i64::from(at % 3 == 2));
    }
    made
}

#[tokio::test]
async fn a_walk_sees_each_item_once_while_others_come() {
    let directory = tempfile::tempdir().unwrap();
    let real = TestApp::builder().over_sqlite(directory.path()).await;
    for app in [TestApp::start(), real.start()] {
        let token = app.token("a@example.com").await;
        let mut expected = create(&app, &token, 50).await;
        expected.reverse();
        assert_eq!(walk(&app, &token).await, expected);
        let all = page(&app, &token, "limit=100&include=total").await.json();
        assert_eq!((&all["total"], ids(&all).len()), (&json!(58), 58));
    }
}

/// Follows the links from the first page of seven to the last, and accepts one more item after
/// each page.
async fn walk(app: &TestApp, token: &str) -> Vec<String> {
    let mut next = "/api/transcription?limit=7".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = app.get(&next, token).await;
        let page = answer.ok();
        seen.extend(ids(&page));
        app.create(token, MEDIA).await;
        let link = answer.header("link");
        assert_eq!(page["has_more"], json!(!link.is_empty()));
        let Some(cursor) = page["next_cursor"].as_str() else { return seen };
        let target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert!(target.contains(cursor) && target.contains("limit=7"), "{target}");
        target.clone_into(&mut next);
    }
}

#[tokio::test]
async fn what_is_deleted_during_a_walk_hides_nothing_else() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let made = create(&app, &token, 10).await;
    let first = page(&app, &token, "limit=4").await.json();
    for id in ids(&first) {
        app.call(Method::DELETE, &format!("/api/transcription/{id}"), &token).await;
    }
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = page(&app, &token, &format!("limit=100&cursor={cursor}")).await.json();
    let seen: BTreeSet<_> = ids(&first).into_iter().chain(ids(&rest)).collect();
    assert_eq!(seen, made.into_iter().collect());
}

#[tokio::test]
async fn a_page_has_twenty_items_unless_asked_otherwise_and_can_be_skipped_to() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let mut made = create(&app, &token, 23).await;
    made.reverse();
    assert_eq!(ids(&page(&app, &token, "").await.json()), made[..20]);
    assert_eq!(ids(&page(&app, &token, "limit=100").await.json()), made);
    let skipped = page(&app, &token, "skip=5&limit=3").await.json();
    assert_eq!(ids(&skipped), made[5..8]);
    let cursor = skipped["next_cursor"].as_str().unwrap();
    let next = page(&app, &token, &format!("limit=3&cursor={cursor}")).await.json();
    assert_eq!(ids(&next), made[8..11]);
    for far in ["23", "9223372036854775807"] {
        let past = page(&app, &token, &format!("skip={far}")).await.json();
        assert_eq!(past, json!({"items": [], "has_more": false, "next_cursor": null}));
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_status_and_time() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let old = app.create(&token, MEDIA).await;
    app.run_pending_jobs().await;
    app.advance(60);
    let young = app.create(&token, MEDIA).await;
    for (query, expected) in [
        ("status=completed", vec![&old]),
        ("status=pending", vec![&young]),
        ("status=failed", vec![]),
        ("created_after=2026-01-01T00:00:30Z", vec![&young]),
        ("created_before=2026-01-01T01:00:30%2B01:00", vec![&old]),
        (
            "created_after=2025-12-31T00:00:00Z&created_before=2026-01-02T00:00:00Z",
            vec![&young, &old],
        ),
        ("created_after=2026-01-01T00:00:30Z&status=completed", vec![]),
    ] {
        let found = ids(&page(&app, &token, query).await.json());
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_total_is_counted_on_request_and_under_the_same_filter() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    create(&app, &token, 5).await;
    create(&app, &app.token("b@example.com").await, 2).await;
    assert_eq!(page(&app, &token, "limit=2").await.json().get("total"), None);
    let counted = page(&app, &token, "limit=2&include=total").await;
    assert_eq!(counted.json()["total"], 5);
    assert!(counted.header("link").contains("include=total"), "{counted:?}");
    assert_eq!(page(&app, &token, "include=total&status=failed").await.json()["total"], 0);
}
