//! Bytes that are no request, or no end of one.

use futures_util::stream;
use serde_json::json;

use super::{app_with_token, refused};
use crate::app::{MEDIA, TestApp};

const MEGABYTE: usize = 1024 * 1024;

/// Whether a raw answer is a refusal that blames the sender, in the one shape.
fn assert_refusal(answer: &str, request: &str) {
    let status = answer.strip_prefix("HTTP/1.1 ").map(|rest| &rest[..3]);
    assert!(status.is_some_and(|status| status.starts_with('4')), "{request:?}: {answer:?}");
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let (app, token) = app_with_token().await;
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{}x",
        b"{'video_url':1}",
        b"{\"video_url\":\"\\ud800\"}",
        b"{\"video_url\":\"\\udc00\\ud800\"}",
        b"{\"\\ud800\":1}",
        b"{\"video_url\":\"\xff\xfe\"}",
        b"{\"video_url\":\"\xed\xa0\x80\"}",
        b"{\"video_url\":\"\xc0\xaf\"}",
        b"{\"video_url\":\"\0\"}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"\0",
        b"{\"speakers_expected\":1e999}",
        b"NaN",
    ] {
        for path in ["/api/transcription", "/api/auth/register", "/api/auth/login"] {
            let answer = app.post_text(path, &token, body).await;
            answer.problem(400, "malformed_json");
        }
    }
    app.is_alive().await;
}

#[tokio::test]
async fn a_hundred_thousand_levels_are_refused_by_size_and_by_depth() {
    let (app, token) = app_with_token().await;
    for opening in ["[", "{\"a\":", "[{\"a\":"] {
        let deep = opening.repeat(100_000);
        let answer = app.post_text("/api/transcription", &token, deep).await;
        answer.problem(413, "body_too_large");
        let fitting = opening.repeat(2_000);
        let answer = app.post_text("/api/transcription", &token, fitting.clone()).await;
        answer.problem(413, "json_too_complex");
        app.post_text("/api/auth/login", "", fitting).await.problem(413, "json_too_complex");
    }
    app.is_alive().await;
}

#[tokio::test]
async fn twenty_megabytes_are_refused_whether_or_not_they_are_announced() {
    let (app, token) = app_with_token().await;
    for (path, limit) in [
        ("/api/transcription", 64 * 1024),
        ("/api/auth/register", 16 * 1024),
        ("/api/auth/login", 16 * 1024),
    ] {
        let announced = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            20 * MEGABYTE
        );
        let answer = app.raw(announced.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"),
            "{answer}"
        );
        let large = " ".repeat(limit + 1);
        app.post_text(path, &token, large).await.problem(413, "body_too_large");
        let chunk = vec![b' '; limit + 1];
        let chunked = reqwest::Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(chunk)]));
        app.post_text(path, &token, chunked).await.problem(413, "body_too_large");
        let chunks = (0..20 * 16).map(|_| Ok::<_, std::io::Error>(vec![b' '; MEGABYTE / 16]));
        let endless = reqwest::Body::wrap_stream(stream::iter(chunks));
        let request = app.request(reqwest::Method::POST, path).bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(endless);
        // The service may close the connection while the rest is still being sent.
        if let Ok(response) = request.send().await {
            assert_eq!(response.status().as_u16(), 413);
        }
        let fitting = " ".repeat(limit);
        app.post_text(path, &token, fitting).await.problem(400, "malformed_json");
    }
    app.is_alive().await;
}

#[tokio::test]
async fn a_form_is_as_bounded_as_json() {
    let app = TestApp::start();
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=XX"] {
        let request = app.request(reqwest::Method::POST, "/api/auth/login");
        let request = request.header("content-type", kind).body("x".repeat(16 * 1024 + 1));
        crate::app::send(request).await.problem(413, "body_too_large");
    }
    let part = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
    let request = app.request(reqwest::Method::POST, "/api/auth/login");
    let request = request.header("content-type", "multipart/form-data; boundary=XX");
    crate::app::send(request.body(part.repeat(100) + "--XX--\r\n"))
        .await
        .problem(400, "malformed_form");
    app.is_alive().await;
}

#[tokio::test]
async fn a_request_that_is_none_ends_its_connection_and_nothing_else() {
    let app = TestApp::start();
    let long = "x".repeat(200_000);
    for request in [
        "\r\n\r\nNONSENSE\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET /\u{0} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n".to_owned(),
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/json\r\nConnection: close\r\n\r\nzz\r\n"
            .to_owned(),
    ] {
        assert_refusal(&app.raw(request.as_bytes()).await, request.get(..80).unwrap_or(&request));
    }
    app.is_alive().await;
}

#[tokio::test]
async fn strange_bytes_in_paths_headers_and_tokens_are_the_senders_fault() {
    let (app, token) = app_with_token().await;
    let raw = async |head: &str, header: &[u8]| {
        let mut request =
            format!("{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
        request.extend(header);
        request.extend(b"\r\n\r\n");
        app.raw(&request).await
    };
    for (head, header) in [
        ("GET /api/auth/me", &b"Authorization: Bearer \xff\xfe"[..]),
        ("GET /api/auth/me", b"Authorization: Bearer "),
        ("GET /api/auth/me", b"Authorization: Bearer\r\nAuthorization: Bearer x"),
        ("GET /api/auth/me", b"Authorization: Basic YTpi"),
        ("GET /%2e%2e/%2e%2e/etc/passwd", b"X: y"),
        ("GET /docs/..%2f..%2fetc%2fpasswd", b"X: y"),
        ("GET /docs/../../../etc/passwd", b"X: y"),
        ("GET /redoc/%00", b"X: y"),
        ("GET //api//auth//me", b"X: y"),
        ("POST /api/auth/login", b"Content-Type: \xff\r\nContent-Length: 0"),
    ] {
        let answer = raw(head, header).await;
        assert_refusal(&answer, head);
        assert!(answer.contains("application/problem+json"), "{head}: {answer}");
    }
    let bearer = format!("Authorization: bEaReR {token}\r\nX-Request-Id: \u{e9}<script>");
    let answer = raw("GET /api/auth/me", bearer.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("script"), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let (app, token) = app_with_token().await;
    let body = json!({"video_url": MEDIA}).to_string();
    let request = format!(
        "POST /api/transcription HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len() + 10
    );
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    drop(stream);
    app.is_alive().await;
    assert_eq!(app.get("/api/transcription", &token).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_body_where_none_is_wanted_does_no_harm() {
    let (app, token) = app_with_token().await;
    let id = app.create(&token, MEDIA).await;
    let cancel = format!("/api/transcription/{id}/cancel");
    assert_eq!(app.post_text(&cancel, &token, "{nonsense").await.status, 200);
    refused(&app.post_text("/api/auth/me", &token, "x").await);
    app.is_alive().await;
}
