//! Files that are handed in, as multipart forms in every state.

use actix_web::{
    http::{StatusCode, header},
    test::TestRequest,
};
use application::{limits::Quotas, uploads::UploadLimits};
use domain::FailureCode;

use super::{Answer, Api, bearer};
use crate::{ApiConfig, body::upload::OVERHEAD};

const PATH: &str = "/api/transcription/upload";
const BOUNDARY: &str = "b0undary";

/// A part: its name, the name of its file, its content.
type Part<'a> = (&'a str, Option<&'a str>, &'a str);

const WAV: Part<'_> = ("file", Some("talk.wav"), "RIFF, and so on");

fn option<'a>(name: &'a str, value: &'a str) -> Part<'a> {
    (name, None, value)
}

fn form(parts: &[Part<'_>]) -> String {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("Content-Disposition: form-data; name=\"{name}\"{file}");
        body.extend(["--", BOUNDARY, "\r\n", &head, "\r\n\r\n", content, "\r\n"]);
    }
    body + &format!("--{BOUNDARY}--\r\n")
}

fn request(body: impl Into<Vec<u8>>) -> TestRequest {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    TestRequest::post()
        .uri(PATH)
        .insert_header((header::CONTENT_TYPE, kind))
        .set_payload(body.into())
}

/// An API and the token of an account in it.
struct Signed {
    api: Api,
    token: String,
}

impl Signed {
    async fn new() -> Self {
        Self::within(UploadLimits::default()).await
    }

    async fn within(limits: UploadLimits) -> Self {
        let api = Api::within(Quotas::OFF, ApiConfig::default(), limits);
        let token = api.token("ada@example.com").await;
        Self { api, token }
    }

    async fn send(&self, request: TestRequest) -> Answer {
        self.api.send(bearer(request, &self.token)).await
    }

    /// Sends what must be refused, and looks whether anything of it stayed. Returns the status,
    /// the code, and the faults as `pointer code`.
    async fn refused(&self, request: TestRequest) -> (u16, String, Vec<String>) {
        let answer = self.send(request).await;
        let problem = answer.json();
        assert!(self.api.stub.files.lock().unwrap().is_empty(), "{problem}");
        assert!(self.api.stub.rows.lock().unwrap().is_empty(), "{problem}");
        let faults = problem["errors"].as_array().cloned().unwrap_or_default();
        let word = |fault: &serde_json::Value, name| fault[name].as_str().unwrap().to_owned();
        let faults = faults
            .iter()
            .map(|fault| format!("{} {}", word(fault, "pointer"), word(fault, "code")))
            .collect();
        let (status, code) = answer.said();
        (status, code, faults)
    }
}

#[actix_web::test]
async fn a_file_with_every_option_becomes_a_transcription() {
    let options = [
        option("language", "fr"),
        option("speaker_labels", "true"),
        option("speakers_expected", "2"),
        option("keyterms", r#"["SaaS-IA","entrée"]"#),
        option("metadata", r#"{"project":"démo"}"#),
    ];
    for at in 0..=options.len() {
        let signed = Signed::new().await;
        let mut parts = options.to_vec();
        parts.insert(at, ("file", Some("C:/Users/ada/Réunion.wav"), "RIFF"));
        parts[..at].reverse();
        let answer = signed.send(request(form(&parts))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{at} {:?}", answer.body);
        let body = answer.json();
        let id = body["id"].as_str().unwrap();
        assert_eq!(answer.header("location"), format!("/api/transcription/{id}"));
        assert_eq!(body["source"]["kind"], "upload");
        assert_eq!(body["source"]["title"], "Réunion.wav");
        assert_eq!(body["source"]["duration_seconds"], 1.5);
        assert!(body["video_url"].is_null() && body["source"].get("id").is_none());
        assert_eq!((&body["language"], &body["status"]), (&"fr".into(), &"pending".into()));
        assert_eq!(body["metadata"]["project"], "démo");
        let rows = signed.api.stub.rows.lock().unwrap();
        let asked = &rows[0].transcription.parts().options;
        assert_eq!((asked.speaker_labels, asked.speakers_expected), (true, Some(2)));
        assert_eq!(asked.keyterms.as_slice(), ["SaaS-IA", "entrée"]);
        assert_eq!(signed.api.stub.files.lock().unwrap().values().copied().sum::<u64>(), 4);
    }
}

#[actix_web::test]
async fn fields_that_are_not_filled_in_are_absent() {
    let signed = Signed::new().await;
    let empty = ["language", "speaker_labels", "speakers_expected", "keyterms", "metadata"];
    let mut parts: Vec<Part<'_>> = empty.iter().map(|name| option(name, "")).collect();
    parts.push(("file", None, "RIFF"));
    let answer = signed.send(request(form(&parts))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    assert_eq!(answer.json()["language"], "auto");
    assert!(answer.json()["source"].get("title").is_none(), "it was not called anything");
}

#[actix_web::test]
async fn every_broken_rule_is_said_at_its_part() {
    let labels = option("speaker_labels", "true");
    let cases: &[(&[Part<'_>], &[&str])] = &[
        (&[], &["/file required"]),
        (&[labels], &["/file required"]),
        (&[option("langage", "fr")], &["/file required", "/langage unknown_member"]),
        (&[("file", Some("a"), "")], &["/file empty"]),
        (&[("file", Some(""), ""), option("x", "")], &["/file empty", "/x unknown_member"]),
        (&[WAV, WAV], &["/file duplicate_member"]),
        (&[WAV, labels, ("file", None, "")], &["/file duplicate_member"]),
        (&[labels, WAV, labels], &["/speaker_labels duplicate_member"]),
        (&[labels, labels, WAV], &["/speaker_labels duplicate_member"]),
        (&[WAV, option("video_url", "x")], &["/video_url unknown_member"]),
        (&[option("video_url", "x"), WAV], &["/video_url unknown_member"]),
        (&[WAV, option("speaker_labels", "yes")], &["/speaker_labels wrong_type"]),
        (&[option("speaker_labels", "\"true\""), WAV], &["/speaker_labels wrong_type"]),
        (&[labels, option("speakers_expected", "two"), WAV], &["/speakers_expected wrong_type"]),
        (&[labels, option("speakers_expected", "31"), WAV], &["/speakers_expected out_of_range"]),
        (&[option("speakers_expected", "2"), WAV], &["/speakers_expected speaker_labels_required"]),
        (&[WAV, option("keyterms", "SaaS-IA")], &["/keyterms wrong_type"]),
        (&[WAV, option("keyterms", "[1]")], &["/keyterms/0 wrong_type"]),
        (&[WAV, option("keyterms", "[")], &["/keyterms wrong_type"]),
        (&[WAV, option("keyterms", "[\" \"]")], &["/keyterms empty"]),
        (&[WAV, option("metadata", "[]")], &["/metadata wrong_type"]),
        (&[WAV, option("metadata", "{\"a\":1}")], &["/metadata/a wrong_type"]),
        (
            &[WAV, option("metadata", "{\"a\":\"1\",\"a\":\"2\"}")],
            &["/metadata/a duplicate_member"],
        ),
        (&[option("language", "klingonese"), WAV], &["/language invalid_language"]),
    ];
    let signed = Signed::new().await;
    for (parts, expected) in cases {
        let (status, _, faults) = signed.refused(request(form(parts))).await;
        assert_eq!((status, faults), (422, expected.iter().map(ToString::to_string).collect()));
    }
}

#[actix_web::test]
async fn there_are_no_more_parts_than_there_are_options() {
    let signed = Signed::new().await;
    let names = ["language", "speaker_labels", "speakers_expected", "keyterms", "metadata", "more"];
    let mut parts: Vec<Part<'_>> = names.iter().map(|name| option(name, "")).collect();
    for at in [0, 6] {
        parts.insert(at, WAV);
        let (status, code, faults) = signed.refused(request(form(&parts))).await;
        assert_eq!((status, code.as_str()), (422, "unknown_member"), "{at}");
        assert_eq!(faults, ["/more unknown_member"]);
        parts.remove(at);
    }
}

#[actix_web::test]
async fn what_is_no_form_is_refused_as_what_it_is() {
    let signed = Signed::new().await;
    let whole = form(&[WAV]);
    let part = |head: &str| format!("--{BOUNDARY}\r\n{head}\r\n\r\nRIFF\r\n--{BOUNDARY}--\r\n");
    let head = "Content-Disposition: form-data";
    let long = |size| part(&format!("{head}; name=\"file\"\r\nX-Long: {}", "x".repeat(size)));
    let cases = [
        (whole[..whole.len() - 20].to_owned(), 400, "incomplete_body"),
        (whole[..30].to_owned(), 400, "incomplete_body"),
        (String::new(), 400, "incomplete_body"),
        ("no form at all".to_owned(), 400, "incomplete_body"),
        (whole.replace("name=\"file\"", "size=1"), 400, "malformed_form"),
        (part(head), 400, "malformed_form"),
        (part("Content-Type: audio/wav"), 400, "malformed_form"),
        (part("no header"), 400, "malformed_form"),
        (part(&format!("{head}; name=\"file\"\r\nContent-Length: 9")), 400, "malformed_form"),
        (long(9_000), 400, "malformed_form"),
        (long(70_000), 413, "body_too_large"),
        (form(&[option("keyterms", &"x".repeat(65_537)), WAV]), 413, "body_too_large"),
        (form(&[option("x", &"x".repeat(65_537)), WAV]), 413, "body_too_large"),
    ];
    for (body, status, code) in cases {
        let shown: String = body.chars().take(120).collect();
        let said = signed.refused(request(body)).await;
        assert_eq!((said.0, said.1.as_str()), (status, code), "{shown}");
    }
}

#[actix_web::test]
async fn a_body_of_another_kind_is_not_read() {
    let signed = Signed::new().await;
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-type", "multipart/mixed; boundary=b0undary"),
        ("content-type", "audio/wav"),
        ("content-type", "multipart/form-data; boundary=b0undary; charset=latin1"),
        ("content-encoding", "gzip"),
    ] {
        let said = signed.refused(request(form(&[WAV])).insert_header((name, value))).await;
        assert_eq!((said.0, said.1.as_str()), (415, "unsupported_media_type"), "{name} {value}");
    }
    let none = request(form(&[WAV])).insert_header(("content-type", "multipart/form-data"));
    assert_eq!(signed.refused(none).await.1, "malformed_form");
    let nobody = signed.api.send(request(form(&[WAV]))).await;
    assert_eq!(nobody.said(), (401, "invalid_token".to_owned()));
}

#[actix_web::test]
async fn a_file_may_be_as_large_as_allowed_and_no_larger() {
    let size = WAV.2.len() as u64;
    let limits = |max_bytes| UploadLimits { max_bytes, ..UploadLimits::default() };
    let exact = Signed::within(limits(size)).await;
    assert_eq!(exact.send(request(form(&[WAV]))).await.status, StatusCode::CREATED);
    let less = Signed::within(limits(size - 1)).await;
    let too_large = (413, "source_too_large".to_owned(), Vec::new());
    assert_eq!(less.refused(request(form(&[WAV]))).await, too_large);
    // Announced, and not even begun.
    let announced = request("").insert_header(("content-length", size + OVERHEAD));
    assert_eq!(less.refused(announced).await, too_large);
}

#[actix_web::test]
async fn what_is_in_work_counts_against_the_quota() {
    let size = WAV.2.len() as u64;
    let quota_bytes = Some(2 * size - 1);
    let signed = Signed::within(UploadLimits { quota_bytes, ..UploadLimits::default() }).await;
    assert_eq!(signed.send(request(form(&[WAV]))).await.status, StatusCode::CREATED);
    let second = signed.send(request(form(&[WAV]))).await;
    assert_eq!(second.said(), (409, "upload_quota_exceeded".to_owned()));
    assert_eq!(signed.api.stub.files.lock().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_file_without_sound_is_a_fault_of_its_part() {
    let signed = Signed::new().await;
    for (code, status, said) in [
        (FailureCode::NoAudio, 422, "no_audio"),
        (FailureCode::SourceTooLong, 422, "source_too_long"),
        (FailureCode::LocalResource, 503, "temporarily_unavailable"),
        (FailureCode::StageTimeout, 503, "temporarily_unavailable"),
    ] {
        *signed.api.stub.unusable.lock().unwrap() = Some(code);
        let refused = signed.refused(request(form(&[WAV]))).await;
        assert_eq!((refused.0, refused.1.as_str()), (status, said));
        let faults = if status == 422 { vec![format!("/file {said}")] } else { Vec::new() };
        assert_eq!(refused.2, faults);
    }
}

#[actix_web::test]
async fn where_there_is_no_room_is_said_with_when_to_come_back() {
    let signed = Signed::new().await;
    *signed.api.stub.full.lock().unwrap() = true;
    let answer = signed.send(request(form(&[WAV]))).await;
    assert_eq!(answer.said(), (503, "storage_full".to_owned()));
    assert_eq!(answer.header("retry-after"), "60");
}
