//! Well-formed requests with values that nobody wants.

use reqwest::Method;
use serde_json::{Value, json};

use super::{app_with_token, refused};
use crate::app::{MEDIA, send};

#[tokio::test]
async fn a_source_that_leads_inside_is_refused_before_a_job_exists() {
    let (app, token) = app_with_token().await;
    for source in [
        "/etc/passwd",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://media.example/a.wav",
        "gopher://media.example/",
        "data:audio/wav;base64,AAAA",
        "javascript:alert(1)",
        "http://169.254.169.254/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://10.0.0.1/",
        "http://192.168.0.1/",
        "http://100.64.0.1/",
        "http://user:password@media.example/a.wav",
        "http://media.example:22/a.wav",
        "http://8.8.8.8:8080/a.wav",
        "http://",
        "//media.example/a.wav",
        "-oProxyCommand=x",
        "--exec=x",
        "",
        " ",
        "https://www.youtube.com/playlist?list=PL0123456789",
        "https://www.youtube.com/@channel",
        "https://media.example/a\u{0}.wav",
        "https://media.example/a\nb.wav",
    ] {
        let answer = app.post("/api/transcription", &token, &json!({"video_url": source})).await;
        let body = answer.problem(422, "unsupported_source");
        assert_eq!(body["errors"][0]["pointer"], "/video_url", "{source:?}");
    }
    assert_eq!(app.get("/api/transcription", &token).await.ok()["items"], json!([]));
    assert_eq!((app.fakes.store.jobs().len(), app.fakes.media.calls().len()), (0, 0));
}

#[tokio::test]
async fn a_name_that_is_not_yet_resolved_is_accepted() {
    let (app, token) = app_with_token().await;
    for source in ["http://localhost/a.wav", "https://metadata.google.internal/"] {
        app.create(&token, source).await;
    }
    assert_eq!(app.fakes.media.calls(), [], "the job looks, not the request");
}

#[tokio::test]
async fn members_are_known_single_and_of_their_type() {
    let (app, token) = app_with_token().await;
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let pairs: serde_json::Map<String, Value> =
        (0..21).map(|n| (n.to_string(), json!("x"))).collect();
    let with = |name: &str, value: Value| json!({"video_url": MEDIA, name: value}).to_string();
    let doubled = format!(r#"{{"video_url":"{MEDIA}","video_url":"{MEDIA}"}}"#);
    for (body, pointer, code) in [
        (with("Video_url", json!(1)), "/Video_url", "unknown_member"),
        (with("user_id", json!("x")), "/user_id", "unknown_member"),
        (with("a/b~c", json!(1)), "/a~1b~0c", "unknown_member"),
        (doubled, "/video_url", "duplicate_member"),
        (with("speaker_labels", json!("true")), "/speaker_labels", "wrong_type"),
        (with("speaker_labels", json!(1)), "/speaker_labels", "wrong_type"),
        (with("speakers_expected", json!(1.5)), "/speakers_expected", "wrong_type"),
        (with("speakers_expected", json!(u64::MAX)), "/speakers_expected", "wrong_type"),
        (with("speakers_expected", json!(2)), "/speakers_expected", "speaker_labels_required"),
        (with("language", json!(["en"])), "/language", "wrong_type"),
        (with("language", json!("x".repeat(5_000))), "/language", "invalid_language"),
        (with("language", json!("en\u{0}")), "/language", "invalid_language"),
        (with("keyterms", json!("one")), "/keyterms", "wrong_type"),
        (with("keyterms", json!([1])), "/keyterms/0", "wrong_type"),
        (with("keyterms", json!(many)), "/keyterms", "too_many"),
        (with("keyterms", json!([""])), "/keyterms", "empty"),
        (with("keyterms", json!(["a\u{0}b"])), "/keyterms", "control_character"),
        (with("metadata", json!({"k": 1})), "/metadata/k", "wrong_type"),
        (with("metadata", json!({"k": "a\u{0}b"})), "/metadata", "control_character"),
        (with("metadata", json!({"": "x"})), "/metadata", "empty"),
        (with("metadata", Value::Object(pairs)), "/metadata", "too_many"),
        (json!({"video_url": 1}).to_string(), "/video_url", "wrong_type"),
        (json!({"video_url": null}).to_string(), "/video_url", "required"),
        (
            json!({"video_url": format!("{MEDIA}?{}", "x".repeat(2_048))}).to_string(),
            "/video_url",
            "too_long",
        ),
        ("{}".to_owned(), "/video_url", "required"),
        ("[]".to_owned(), "", "wrong_type"),
        ("null".to_owned(), "", "wrong_type"),
        ("\"text\"".to_owned(), "", "wrong_type"),
    ] {
        let answer = app.post_text("/api/transcription", &token, body.clone()).await;
        assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{body:.200}");
    }
    assert_eq!(app.fakes.store.jobs().len(), 0);
}

#[tokio::test]
async fn a_nul_is_nowhere_a_fault_of_the_service() {
    let (app, token) = app_with_token().await;
    for (path, body) in [
        ("/api/auth/register", json!({"email": "a\0b@example.com", "password": "long enough"})),
        (
            "/api/auth/register",
            json!({"email": "c@example.com", "password": "x\0", "full_name": "\0"}),
        ),
        ("/api/auth/login", json!({"username": "\0", "password": "\0"})),
        ("/api/transcription", json!({"video_url": "\0"})),
        ("/api/transcription", json!({"\0": "\0"})),
    ] {
        refused(&app.post(path, &token, &body).await);
    }
    for path in ["/%00", "/api/transcription/%00", "/api/transcription/%00/transcript"] {
        assert_eq!(app.get(path, &token).await.any_problem()["status"], 404);
    }
    app.is_alive().await;
}

#[tokio::test]
async fn a_query_is_judged_as_a_whole() {
    let (app, token) = app_with_token().await;
    for (query, status, code) in [
        ("skip=9223372036854775808", 422, "out_of_range"),
        ("skip=-1", 422, "out_of_range"),
        ("skip=1e3", 422, "out_of_range"),
        ("limit=0", 422, "out_of_range"),
        ("limit=101", 422, "out_of_range"),
        ("limit=999999999999999999999999", 422, "out_of_range"),
        ("limit=%00", 422, "out_of_range"),
        ("status=Pending", 422, "unknown_value"),
        ("status=%ff", 422, "unknown_value"),
        ("include=all", 422, "unknown_value"),
        ("created_after=2026", 422, "invalid_instant"),
        ("created_before=99999-01-01T00:00:00Z", 422, "invalid_instant"),
        ("limit=0&skip=-1&status=x", 422, "validation_failed"),
        ("cursor=", 400, "malformed_cursor"),
        ("cursor=x", 400, "malformed_cursor"),
        ("cursor=%00", 400, "malformed_cursor"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400, "malformed_cursor"),
        ("limit=5&limit=5", 400, "duplicate_parameter"),
        ("x=1&x=2", 400, "duplicate_parameter"),
    ] {
        let answer = app.get(&format!("/api/transcription?{query}"), &token).await;
        answer.problem(status, code);
    }
    let all = app.get("/api/transcription?limit=0&skip=-1&status=x", &token).await.faults();
    assert_eq!(all.len(), 3, "{all:?}");
}

#[tokio::test]
async fn a_cursor_that_was_changed_is_refused() {
    let (app, token) = app_with_token().await;
    app.create(&token, MEDIA).await;
    app.create(&token, MEDIA).await;
    let page = app.get("/api/transcription?limit=1", &token).await.ok();
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    app.get(&format!("/api/transcription?cursor={cursor}"), &token).await.ok();
    let swapped = if cursor.ends_with('A') { 'B' } else { 'A' };
    let changed = format!("{}{swapped}", &cursor[..cursor.len() - 1]);
    for bad in [changed, format!("{cursor}="), cursor[1..].to_owned(), cursor.repeat(100)] {
        let answer = app.get(&format!("/api/transcription?cursor={bad}"), &token).await;
        answer.problem(400, "malformed_cursor");
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let (app, token) = app_with_token().await;
    let body = json!({"video_url": MEDIA}).to_string();
    for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "x", "json"]
    {
        for path in ["/api/transcription", "/api/auth/register"] {
            let request = app.request(Method::POST, path).header("content-type", kind);
            let answer = send(request.bearer_auth(&token).body(body.clone())).await;
            answer.problem(415, "unsupported_media_type");
        }
    }
    let bare = app.request(Method::POST, "/api/transcription").bearer_auth(&token);
    send(bare.body(body.clone())).await.problem(415, "unsupported_media_type");
    let zipped = app.request(Method::POST, "/api/transcription").bearer_auth(&token);
    let zipped =
        zipped.header("content-type", "application/json").header("content-encoding", "gzip");
    send(zipped.body(body.clone())).await.problem(415, "unsupported_media_type");
    let charset = app.request(Method::POST, "/api/transcription").bearer_auth(&token);
    let charset = charset.header("content-type", "Application/JSON; charset=utf-8").body(body);
    assert_eq!(send(charset).await.status, 201);
}
