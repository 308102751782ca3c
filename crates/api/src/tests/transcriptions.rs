//! Transcriptions.

use actix_web::{
    http::{Method, header},
    test::TestRequest,
};
use application::ports::Found;
use domain::{CompletedFacts, Failure, FailureCode, Language, Stage, Transcript, Word};
use serde_json::{Value, json};

use super::{Api, bearer, method, stubs::noon};

const URL: &str = r#"{"video_url":"https://youtu.be/dQw4w9WgXcQ"}"#;

async fn created(api: &Api, token: &str) -> String {
    let answer = api.post_as(token, "/api/transcription", URL).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn change(api: &Api, at: usize, change: impl FnOnce(&mut Found)) {
    change(&mut api.stub.rows.lock().unwrap()[at]);
}

#[actix_web::test]
async fn a_new_transcription_is_the_contracts_object() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let body = r#"{"video_url":" https://youtu.be/dQw4w9WgXcQ","language":"pt-br","speaker_labels":true,
        "speakers_expected":2,"keyterms":["SaaS-IA"],"metadata":{"project":"demo"}}"#;
    let answer = api.post_as(&token, "/api/transcription/", body).await;
    let mut shown = answer.json();
    let id = shown["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/api/transcription/{id}"));
    shown["user_id"].take();
    let expected = json!({
        "id": id, "user_id": null, "video_url": " https://youtu.be/dQw4w9WgXcQ",
        "source": {"kind": "youtube", "id": "dQw4w9WgXcQ"}, "language": "pt-BR",
        "language_detected": null, "status": "pending", "stage": null, "progress": null,
        "text": null, "confidence": null, "duration_seconds": null, "engine": "stub",
        "error": null, "retry_count": 0, "metadata": {"project": "demo"},
        "created_at": "2026-01-01T12:00:00.123456Z", "updated_at": "2026-01-01T12:00:00.123456Z",
        "started_at": null, "completed_at": null,
        "links": {
            "self": format!("/api/transcription/{id}"),
            "transcript": format!("/api/transcription/{id}/transcript"),
            "exports": format!("/api/transcription/{id}/export/{{format}}"),
            "cancel": format!("/api/transcription/{id}/cancel"),
        },
    });
    assert_eq!(shown, expected);
}

#[actix_web::test]
async fn a_request_that_breaks_rules_names_them_all() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    for (body, code) in [
        ("{}", "required"),
        (r#"{"video_url":null}"#, "required"),
        (r#"{"video_url":"/etc/passwd"}"#, "unsupported_source"),
        (r#"{"video_url":"file:///etc/passwd"}"#, "unsupported_source"),
        (r#"{"video_url":"http://x/\u0000"}"#, "unsupported_source"),
        (r#"{"video_url":"https://youtu.be/dQw4w9WgXcQ","status":"completed"}"#, "unknown_member"),
        (r#"{"video_url":"a","video_url":"https://youtu.be/dQw4w9WgXcQ"}"#, "duplicate_member"),
        (
            r#"{"video_url":"https://youtu.be/dQw4w9WgXcQ","speakers_expected":2}"#,
            "speaker_labels_required",
        ),
        (r#"{"video_url":"https://youtu.be/dQw4w9WgXcQ","language":"fr_FR"}"#, "invalid_language"),
        (r#"{"video_url":1,"speaker_labels":"yes","keyterms":[1],"metadata":[]}"#, "wrong_type"),
        (r#"{"video_url":"x","metadata":{"":""}}"#, "validation_failed"),
        ("[]", "wrong_type"),
    ] {
        let answer = api.post_as(&token, "/api/transcription", body).await;
        assert_eq!(answer.said(), (422, code.to_owned()), "{body}");
    }
    for url in ["http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/a.wav"] {
        let body = json!({ "video_url": url }).to_string();
        let answer = api.post_as(&token, "/api/transcription", &body).await;
        assert_eq!(answer.status, 422, "{url}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/video_url");
    }
    assert!(api.stub.rows.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn bodies_are_bounded_in_size_depth_and_kind() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let large = format!(r#"{{"video_url":"{}"}}"#, "x".repeat(64 * 1024));
    let deep = "[".repeat(60_000);
    for (body, status, code) in [
        (large.as_str(), 413, "body_too_large"),
        (deep.as_str(), 413, "json_too_complex"),
        ("", 400, "malformed_json"),
        ("{\"video_url\":\"\\ud800\"}", 400, "malformed_json"),
    ] {
        let answer = api.post_as(&token, "/api/transcription", body).await;
        assert_eq!(answer.said(), (status, code.to_owned()));
    }
    let plain = TestRequest::post().uri("/api/transcription").set_payload(URL);
    let answer = api.send(bearer(plain, &token)).await;
    assert_eq!(answer.said(), (415, "unsupported_media_type".to_owned()));
    let packed = bearer(super::json("/api/transcription", URL), &token)
        .insert_header((header::CONTENT_ENCODING, "gzip"));
    assert_eq!(api.send(packed).await.status, 415);
}

#[actix_web::test]
async fn a_body_in_another_charset_is_a_415() {
    let api = Api::new();
    for (parameters, status) in [
        ("", 422),
        ("; charset=utf-8", 422),
        (";Charset=\"UTF-8\"", 422),
        ("; profile=x; charset = utf8", 422),
        ("; charset=utf-16", 415),
        ("; charset=\"utf-16\"", 415),
        (";CHARSET=iso-8859-1", 415),
        ("; charset=utf-8; charset=utf-16", 415),
        ("; charset=", 415),
    ] {
        for (media, body) in
            [("application/json", "{}"), ("application/x-www-form-urlencoded", "a=b")]
        {
            let content_type = format!("{media}{parameters}");
            let request = TestRequest::post()
                .uri("/api/auth/login")
                .insert_header((header::CONTENT_TYPE, content_type.clone()))
                .set_payload(body);
            assert_eq!(api.send(request).await.status, status, "{content_type}");
        }
    }
}

#[actix_web::test]
async fn a_completed_one_shows_its_facts_and_answers_304_when_seen() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let id = created(&api, &token).await;
    change(&api, 0, |row| {
        row.transcription.start(noon()).unwrap();
        let facts = CompletedFacts {
            language_detected: Language::parse("en").ok(),
            confidence: None,
            duration_ms: Some(1_500),
        };
        row.transcription.complete(facts, noon()).unwrap();
        row.text = Some("hello".to_owned());
    });
    let path = format!("/api/transcription/{id}");
    let answer = api.get_as(&token, &path).await;
    let shown = answer.json();
    assert_eq!((&shown["text"], &shown["status"]), (&json!("hello"), &json!("completed")));
    assert_eq!((&shown["confidence"], &shown["duration_seconds"]), (&Value::Null, &json!(1.5)));
    let tag = answer.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let seen = |tag: &str| {
        bearer(TestRequest::get().uri(&path), &token)
            .insert_header((header::IF_NONE_MATCH, tag.to_owned()))
    };
    let again = api.send(seen(&tag)).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), tag);
    assert_eq!(api.send(seen("W/\"other\"")).await.status, 200);
    change(&api, 0, |row| row.text = Some("changed".to_owned()));
    assert_eq!(api.send(seen(&tag)).await.status, 200);
}

#[actix_web::test]
async fn a_failure_is_shown_as_the_transcriptions_not_the_calls() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let id = created(&api, &token).await;
    change(&api, 0, |row| {
        let failure = Failure::new(FailureCode::SourceForbidden, Stage::Fetching);
        row.transcription.fail(failure, noon()).unwrap();
    });
    let answer = api.get_as(&token, &format!("/api/transcription/{id}")).await;
    assert_eq!(answer.status, 200);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "source_forbidden");
    assert_eq!((&error["stage"], &error["retriable"]), (&json!("fetching"), &json!(false)));
    let cancel = api.post_as(&token, &format!("/api/transcription/{id}/cancel"), "").await;
    assert_eq!(cancel.said(), (409, "transcription_already_ended".to_owned()));
}

#[actix_web::test]
async fn anothers_is_as_absent_as_a_missing_one_or_no_id() {
    let api = Api::new();
    let ada = api.token("ada@example.com").await;
    let bob = api.token("bob@example.com").await;
    let id = created(&api, &ada).await;
    let mut answers = Vec::new();
    let missing = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192".to_owned();
    let simple = id.replace('-', "");
    for name in [id.clone(), missing, "nonsense".into(), "%00".into(), simple, "{id}".into()] {
        let path = format!("/api/transcription/{}", name.replace('{', "%7B").replace('}', "%7D"));
        let answer = api.get_as(&bob, &path).await;
        assert_eq!(answer.said(), (404, "transcription_not_found".to_owned()), "{name}");
        let mut body = answer.json();
        body["request_id"].take();
        answers.push(body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[actix_web::test]
async fn a_transcript_is_a_conflict_until_it_is_there() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let id = created(&api, &token).await;
    let path = format!("/api/transcription/{id}/transcript");
    let early = api.get_as(&token, &path).await;
    assert_eq!(early.said(), (409, "transcription_not_completed".to_owned()));
    let word = Word {
        text: "hi".into(),
        start_ms: 10,
        end_ms: 20,
        confidence: None,
        speaker: Some("A".into()),
    };
    *api.stub.transcript.lock().unwrap() = Some(Transcript {
        text: "hi".into(),
        language: None,
        confidence: None,
        duration_ms: Some(30),
        words: vec![word],
        utterances: Vec::new(),
    });
    let expected = json!({
        "language": null, "duration_ms": 30, "utterances": [], "speakers": ["A"],
        "words": [{"text": "hi", "start_ms": 10, "end_ms": 20, "confidence": null, "speaker": "A"}],
    });
    assert_eq!(api.get_as(&token, &path).await.json(), expected);
}

#[actix_web::test]
async fn text_without_times_is_exported_as_text_and_refused_as_captions() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let id = created(&api, &token).await;
    *api.stub.transcript.lock().unwrap() = Some(Transcript {
        text: "Hi there.".into(),
        language: None,
        confidence: None,
        duration_ms: None,
        words: Vec::new(),
        utterances: Vec::new(),
    });
    for (format, body) in [
        ("txt", "Hi there.\n"),
        ("md", "# Transcript\n\nHi there.\n"),
        ("tsv", "start_ms\tend_ms\tspeaker\ttext\n\t\t\tHi there.\n"),
    ] {
        let answer = api.get_as(&token, &format!("/api/transcription/{id}/export/{format}")).await;
        let named = answer.header("content-disposition");
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, body.as_bytes()));
        let name = format!("filename=\"transcript-{id}.{format}\"");
        assert!(named.contains(&name), "{named}");
    }
    for format in ["srt", "vtt"] {
        let answer = api.get_as(&token, &format!("/api/transcription/{id}/export/{format}")).await;
        assert_eq!(answer.said(), (409, "transcript_without_times".to_owned()));
    }
}

#[actix_web::test]
async fn canceling_and_deleting_say_what_they_did() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let id = created(&api, &token).await;
    let cancel = api.post_as(&token, &format!("/api/transcription/{id}/cancel"), "").await;
    assert_eq!((cancel.status.as_u16(), &cancel.json()["status"]), (200, &json!("canceled")));
    let delete = || bearer(method(Method::DELETE, &format!("/api/transcription/{id}")), &token);
    let gone = api.send(delete()).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    assert_eq!(api.send(delete()).await.status, 404);
}

#[actix_web::test]
async fn following_the_links_visits_every_item_once() {
    let api = Api::new();
    let token = api.token("ada@example.com").await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, created(&api, &token).await);
    }
    let mut path = "/api/transcription?limit=2&include=total&skip=0".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = api.get_as(&token, &path).await;
        let page = answer.json();
        assert_eq!(page["total"], 5);
        for item in page["items"].as_array().unwrap() {
            assert!(item.get("text").is_none());
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
        let link = answer.header("link").to_owned();
        assert_eq!(page["has_more"], !link.is_empty());
        let Some(next) = link.strip_suffix(">; rel=\"next\"") else { break };
        let cursor = page["next_cursor"].as_str().unwrap();
        assert!(next.ends_with(&format!("limit=2&include=total&cursor={cursor}")), "{next}");
        path = next.trim_start_matches('<').to_owned();
    }
    assert_eq!(seen, expected);
    let plain = api.get_as(&token, "/api/transcription").await.json();
    assert!(plain.get("total").is_none());
}
