//! The description and the pages that show it.

use std::collections::BTreeSet;

use super::{Api, method};
use crate::routes::{Access, TABLE};

#[actix_web::test]
async fn the_pages_load_nothing_but_our_own_files() {
    let api = Api::new();
    for path in ["/docs", "/redoc"] {
        let page = api.get(path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe-eval"));
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(!html.contains("http"), "{path}");
        let quoted = html.split('"').filter(|part| part.starts_with('/'));
        for asset in quoted {
            assert_eq!(api.get(asset).await.status, 200, "{asset}");
        }
    }
    let script = api.get("/redoc/redoc.standalone.js").await;
    assert_eq!(script.header("content-encoding"), "gzip");
}

#[actix_web::test]
async fn the_description_is_served_as_it_is_printed() {
    let api = Api::new();
    let served = api.get("/openapi.json").await.json();
    assert_eq!(served, serde_json::to_value(crate::openapi()).unwrap());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[test]
fn the_description_shows_exactly_the_routes_of_the_table() {
    let described = serde_json::to_value(crate::openapi()).unwrap();
    let mut shown = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            shown.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let routes = TABLE.iter().filter(|endpoint| endpoint.described);
    let expected: BTreeSet<_> = routes.map(|e| format!("{} {}", e.method, e.pattern)).collect();
    assert_eq!(shown, expected);
}

#[test]
fn every_answer_of_every_operation_is_described() {
    let described = serde_json::to_value(crate::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} twice");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let headers = &answer["headers"];
                assert!(answer["description"].is_string(), "{path} {status}");
                assert!(headers["X-Request-Id"].is_object(), "{path} {status}");
                let counted = !path.starts_with("/api/callbacks/");
                assert_eq!(headers["RateLimit"].is_object(), counted, "{path} {status}");
                assert_eq!(status == "401", headers["WWW-Authenticate"].is_object(), "{path}");
                if status.as_str() >= "400" {
                    let body = &answer["content"]["application/problem+json"];
                    assert!(body["schema"].is_object(), "{path} {status}");
                }
            }
        }
    }
    let text = described.to_string();
    assert!(!text.contains("refresh_token") && text.contains("/api/auth/login"));
}

#[actix_web::test]
async fn every_route_that_is_not_public_asks_for_a_token() {
    let api = Api::new();
    for endpoint in &TABLE {
        let path = endpoint.pattern.replace("{id}", "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192");
        let answer = api.send(method(endpoint.method.clone(), &path)).await;
        assert_eq!(endpoint.access == Access::Token, answer.status == 401, "{path}");
    }
}
