//! Files that are handed in: kept for as long as they are needed, and no longer.

#![cfg(test)]

mod broken_off;

use std::{path::Path, sync::Arc, time::Duration};

use application::{
    ports::{ByteStream, ObjectStore, PollAnswer},
    uploads::UploadLimits,
};
use domain::{FailureCode, SourceFacts, UploadId};
use futures_util::{StreamExt, future, stream};
use infrastructure::objects::Objects;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::fakes::{fetch_error, speech_error};
use uuid::Uuid;

use crate::app::{Answer, TestApp, send};

pub(crate) const PATH: &str = "/api/transcription/upload";
pub(crate) const BOUNDARY: &str = "b0undary";

/// A form with one file and an option behind it.
pub(crate) fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let file = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: audio/wav\r\n\r\n"
    );
    let option = format!(
        "\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nfr\r\n\
         --{BOUNDARY}--\r\n"
    );
    [file.as_bytes(), content, option.as_bytes()].concat()
}

async fn upload(app: &TestApp, token: &str, body: Vec<u8>) -> Answer {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = app.request(Method::POST, PATH).header("content-type", kind).bearer_auth(token);
    send(request.body(body)).await
}

/// Hands in a file of four bytes and returns the id of its transcription.
async fn accepted(app: &TestApp, token: &str) -> String {
    let answer = upload(app, token, form("talk.wav", b"RIFF")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn rows(app: &TestApp, token: &str) -> usize {
    let page = app.get("/api/transcription?limit=100", token).await.ok();
    page["items"].as_array().unwrap().len()
}

/// The names in `folder`.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_file_is_transcribed_like_any_other_source_and_then_gone() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let facts = SourceFacts { title: Some("in the file".to_owned()), duration_ms: Some(2_500) };
    app.fakes.media.next_fetch(Ok(facts));
    let answer = upload(&app, &token, form("../Réunion\u{202e} 3.wav", b"RIFF")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/transcription/{id}"));
    let source = json!({"kind": "upload", "title": "Réunion 3.wav", "duration_seconds": 2.5});
    assert_eq!(created["source"], source);
    assert_eq!((&created["video_url"], &created["language"]), (&Value::Null, &json!("fr")));
    assert_eq!(app.fakes.objects.ids().len(), 1, "it is kept while it is needed");
    app.run_pending_jobs().await;
    let done = app.transcription(&token, id).await;
    assert_eq!((&done["status"], &done["source"]), (&json!("completed"), &source));
    assert_eq!(app.fakes.objects.ids(), []);
}

#[tokio::test]
async fn a_file_goes_however_its_transcription_ends() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    let path = |id: &str, rest: &str| format!("/api/transcription/{id}{rest}");

    let canceled = accepted(&app, &token).await;
    app.call(Method::POST, &path(&canceled, "/cancel"), &token).await.ok();
    assert_eq!(app.fakes.objects.ids(), [], "canceled");

    let deleted = accepted(&app, &token).await;
    assert_eq!(app.call(Method::DELETE, &path(&deleted, ""), &token).await.status, 204);
    assert_eq!(app.fakes.objects.ids(), [], "deleted");

    let unfetched = accepted(&app, &token).await;
    app.fakes.media.next_fetch(Err(fetch_error(FailureCode::NoAudio)));
    app.run_pending_jobs().await;
    assert_eq!(app.transcription(&token, &unfetched).await["status"], "failed");
    assert_eq!(app.fakes.objects.ids(), [], "failed here");

    let refused = accepted(&app, &token).await;
    app.fakes.speech.next_poll(Ok(PollAnswer::Failed(speech_error(FailureCode::NoAudio))));
    app.run_pending_jobs().await;
    assert_eq!(app.transcription(&token, &refused).await["status"], "failed");
    assert_eq!(app.fakes.objects.ids(), [], "failed at the engine");
}

#[tokio::test]
async fn what_is_no_recording_is_refused_and_not_kept() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    app.fakes.media.next_fetch(Err(fetch_error(FailureCode::NoAudio)));
    let answer = upload(&app, &token, form("talk.wav", b"<html>")).await;
    assert_eq!(answer.faults(), [("/file".to_owned(), "no_audio".to_owned())]);
    app.fakes.media.next_fetch(Err(fetch_error(FailureCode::LocalResource)));
    let answer = upload(&app, &token, form("talk.wav", b"RIFF")).await;
    answer.problem(503, "temporarily_unavailable");
    assert_eq!((app.fakes.objects.ids().len(), rows(&app, &token).await), (0, 0));
}

#[tokio::test]
async fn a_quota_is_what_is_in_work_and_is_free_again_after_it() {
    let limits = UploadLimits { quota_bytes: Some(7), ..UploadLimits::default() };
    let app = TestApp::builder().config(|config| config.uploads = limits).start();
    let (token, other) = (app.token("a@example.com").await, app.token("b@example.com").await);
    accepted(&app, &token).await;
    let second = upload(&app, &token, form("talk.wav", b"RIFF")).await;
    second.problem(409, "upload_quota_exceeded");
    accepted(&app, &other).await;
    assert_eq!(app.fakes.objects.ids().len(), 2, "what was refused is not kept");
    app.run_pending_jobs().await;
    accepted(&app, &token).await;
}

#[tokio::test]
async fn a_hundred_files_at_once_keep_within_the_quota() {
    let directory = tempfile::tempdir().unwrap();
    let limits = UploadLimits { quota_bytes: Some(3 * 4 + 3), at_once: 100, max_bytes: 1_000 };
    let app = TestApp::builder().config(|config| config.uploads = limits);
    let app = app.over_sqlite(directory.path()).await.start();
    let token = app.token("a@example.com").await;
    let uploads = (0..100).map(|_| upload(&app, &token, form("talk.wav", b"RIFF")));
    let (mut kept, mut refused) = (0, 0);
    for answer in future::join_all(uploads).await {
        if answer.status == 201 {
            kept += 1;
        } else {
            answer.problem(409, "upload_quota_exceeded");
            refused += 1;
        }
    }
    assert_eq!((kept, refused), (3, 97));
    assert_eq!((rows(&app, &token).await, app.fakes.objects.ids().len()), (3, 3));
}

#[tokio::test]
async fn what_nobody_needs_is_swept_once_it_cannot_be_under_way() {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    accepted(&app, &token).await;
    let needed = app.fakes.objects.ids();
    let orphan = UploadId::from_uuid(Uuid::from_u128(7));
    let body: ByteStream<'_> = stream::iter([Ok("half".into())]).boxed();
    app.fakes.objects.put(orphan, body, 9).await.unwrap();
    assert_eq!(app.engine().sweep_uploads().await.unwrap(), 0, "it may be under way");
    app.advance(3_601);
    assert_eq!(app.engine().sweep_uploads().await.unwrap(), 1);
    assert_eq!(app.fakes.objects.ids(), needed);
}

#[tokio::test]
async fn what_a_killed_process_left_half_stored_is_swept() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("uploads");
    let objects = Arc::new(Objects::in_folder(&folder, 0).unwrap());
    let staged = folder.join(format!("{}#1", Uuid::from_u128(7)));
    std::fs::write(&staged, "half").unwrap();
    let two_hours_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    std::fs::File::options()
        .write(true)
        .open(&staged)
        .unwrap()
        .set_modified(two_hours_ago)
        .unwrap();
    let app = TestApp::builder().with(|adapters, _| adapters.objects = objects).start();
    // Files have the time of the machine.
    app.fakes.clock.set(chrono::DateTime::from(std::time::SystemTime::now()));
    assert_eq!(app.engine().sweep_uploads().await.unwrap(), 1);
    assert_eq!(names(&folder), Vec::<String>::new());
}
