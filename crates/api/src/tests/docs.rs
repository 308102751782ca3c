//! The description and the pages that show it.

use std::collections::BTreeSet;

use super::Api;
use crate::routes::TABLE;

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
