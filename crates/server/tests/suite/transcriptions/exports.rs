//! Downloading a transcript in another format.

use domain::SourceFacts;
use reqwest::Method;

use super::{path, slow};
use crate::app::{Answer, MEDIA, TestApp};

const FORMATS: [&str; 6] = ["txt", "srt", "vtt", "json", "md", "tsv"];

/// The path of a completed transcription of a recording with a title.
async fn completed(app: &TestApp, token: &str) -> String {
    let facts = SourceFacts { title: Some("A/été \"1\"".to_owned()), duration_ms: Some(1_000) };
    app.fakes.media.next_fetch(Ok(facts));
    let id = app.create(token, MEDIA).await;
    app.run_pending_jobs().await;
    path(&id)
}

fn text(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    &answer.text
}

#[tokio::test]
async fn every_format_is_a_file_of_its_kind_named_by_the_title() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let at = completed(&app, &token).await;
    for (format, kind, body) in [
        ("txt", "text/plain; charset=utf-8", "Hello world.\n".to_owned()),
        (
            "srt",
            "application/x-subrip; charset=utf-8",
            "1\n00:00:00,000 --> 00:00:01,000\nHello world.\n\n".to_owned(),
        ),
        (
            "vtt",
            "text/vtt; charset=utf-8",
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello world.\n".to_owned(),
        ),
        (
            "md",
            "text/markdown; charset=utf-8",
            "# A/été \"1\"\n\n- Language: en\n- Duration: 00:00:01\n\n**00:00:00** Hello world.\n"
                .to_owned(),
        ),
        (
            "tsv",
            "text/tab-separated-values; charset=utf-8",
            "start_ms\tend_ms\tspeaker\ttext\n0\t1000\t\tHello world.\n".to_owned(),
        ),
        ("json", "application/json", app.get(&(at.clone() + "/transcript"), &token).await.text),
    ] {
        let answer = app.get(&format!("{at}/export/{format}"), &token).await;
        assert_eq!(text(&answer), body);
        assert_eq!(answer.header("content-type"), kind);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let names = format!(
            "attachment; filename=\"A _t_ 1.{format}\"; filename*=UTF-8''A%20%C3%A9t%C3%A9%201.{format}"
        );
        assert_eq!(answer.header("content-disposition"), names);
        let head = app.call(Method::HEAD, &format!("{at}/export/{format}"), &token).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), body.len().to_string());
    }
}

#[tokio::test]
async fn captions_are_shaped_as_asked_for() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let at = completed(&app, &token).await;
    let narrow = app.get(&format!("{at}/export/srt?chars_per_line=10"), &token).await;
    assert!(text(&narrow).contains("\nHello\nworld.\n"));
    let one = format!("{at}/export/srt?chars_per_line=10&lines=1&min_seconds=0&speakers=false");
    assert_eq!(text(&app.get(&one, &token).await).matches("-->").count(), 2);
}

#[tokio::test]
async fn settings_that_break_rules_are_named_at_once() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let at = completed(&app, &token).await;
    let wrong = app.get(&format!("{at}/export/vtt?lines=0&max_second=5&speakers=1"), &token).await;
    let expected = [
        ("/lines", "out_of_range"),
        ("/max_second", "unknown_parameter"),
        ("/speakers", "unknown_value"),
    ];
    assert_eq!(wrong.faults(), expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    let doubled = app.get(&format!("{at}/export/vtt?lines=1&lines=2"), &token).await;
    doubled.problem(400, "duplicate_parameter");
}

#[tokio::test]
async fn there_is_nothing_to_export_until_it_is_completed() {
    let app = slow();
    let token = app.token("a@example.com").await;
    let at = path(&app.create(&token, MEDIA).await);
    for format in FORMATS {
        let early = app.get(&format!("{at}/export/{format}"), &token).await;
        early.problem(409, "transcription_not_completed");
    }
}

#[tokio::test]
async fn an_unknown_format_is_not_there() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let at = completed(&app, &token).await;
    for format in ["SRT", "docx", "srt.", "%00", "s%20rt"] {
        let unknown = app.get(&format!("{at}/export/{format}"), &token).await;
        unknown.problem(404, "unknown_format");
    }
}
