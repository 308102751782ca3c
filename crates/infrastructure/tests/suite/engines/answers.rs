//! What the engine's answers mean, but for submissions.

use application::ports::{PollAnswer, SpeechToText as _};
use chrono::TimeDelta;
use domain::FailureCode as Code;
use serde_json::{Value, json};
use testkit::assemblyai::{Endpoint, FakeAssemblyAi, Fault};

use super::{KEY, any_recording, engine, since, submitted};

fn status(code: u16, body: &str) -> Fault {
    Fault::Status { code, body: body.into(), retry_after: None }
}

/// A completed job, with one member replaced.
fn completed(name: &str, value: &Value) -> Value {
    let mut body = json!({
        "id": "job-1",
        "status": "completed",
        "text": "Hello there.",
        "words": [{ "text": "Hello", "start": 10, "end": 20, "confidence": 0.5, "speaker": null }],
        "utterances": null,
        "confidence": 0.5,
        "audio_duration": 3,
        "language_code": "en_us",
    });
    body[name] = value.clone();
    body
}

#[tokio::test]
async fn every_error_of_a_job_has_a_code() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    for (text, code) in [
        ("Download error, unable to download https://x.example/a.mp3", Code::SourceUnreachable),
        ("Download error, unable to access file at https://x.example", Code::SourceUnreachable),
        ("Download error to https://x.example, 403 Client Error", Code::SourceUnreachable),
        ("File does not appear to contain audio. File type is text/html", Code::NoAudio),
        ("Audio duration is too short.", Code::AudioTooShort),
        ("Audio speech threshold 0.1 is below the requested 0.5", Code::NotEnoughSpeech),
        (
            "language_detection cannot be performed on files with no spoken audio.",
            Code::NotEnoughSpeech,
        ),
        (
            "detected language 'en', confidence 0.1 is below the requested threshold",
            Code::LanguageUncertain,
        ),
        ("The following models are not available in this language: best", Code::OptionsUnsupported),
        ("Your current account balance is negative.", Code::ProviderPaymentRequired),
        ("Please top up your account.", Code::ProviderPaymentRequired),
        ("The channels of this file are out of balance", Code::ProviderRejected),
        ("Download error to https://x.example/work-life-balance.mp3", Code::SourceUnreachable),
        ("Server error, developers have been alerted.", Code::ProviderFailed),
        ("Internal Server Error", Code::ProviderFailed),
        ("Transcoding failed. Please try again.", Code::ProviderFailed),
        ("Something that nobody has seen before", Code::ProviderRejected),
    ] {
        fake.script(Endpoint::Create, Fault::JobError { text: text.into() });
        let id = submitted(&engine, any_recording()).await.provider_id;
        let polled = engine.poll(&id, 0, since(), 0.5).await.expect("an answer");
        let PollAnswer::Failed(error) = polled else { panic!("{text}: {polled:?}") };
        assert_eq!((error.code, error.detail.as_deref()), (code, Some(text)));
        assert_eq!(engine.result(&id, "").await, Err(error), "a failed job has no result");
    }
}

#[tokio::test]
async fn a_job_that_fails_without_a_word_failed_at_the_engine() {
    let fake = FakeAssemblyAi::start();
    fake.script(Endpoint::Get, Fault::answer(&json!({ "id": "job-1", "status": "error" })));
    let polled = engine(&fake).poll("job-1", 0, since(), 0.5).await;
    let Ok(PollAnswer::Failed(error)) = polled else { panic!("{polled:?}") };
    assert_eq!((error.code, error.detail), (Code::ProviderFailed, None));
}

#[tokio::test]
async fn every_refusal_of_a_question_says_whether_to_ask_again() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    for (fault, code) in [
        (
            Fault::refusal(401, "Authentication error, API token missing/invalid."),
            Code::ProviderAuth,
        ),
        (Fault::refusal(403, "Forbidden"), Code::ProviderAuth),
        (
            Fault::refusal(403, "Your current account balance is negative."),
            Code::ProviderPaymentRequired,
        ),
        // A wall in between explains itself; what it says is no verdict on the recording.
        (Fault::refusal(403, "File does not appear to contain audio."), Code::ProviderAuth),
        (Fault::refusal(403, "Download error, unable to download"), Code::ProviderAuth),
        (Fault::refusal(403, "Cannot access uploaded file"), Code::ProviderAuth),
        (Fault::refusal(403, "Load balancer: balance exceeded"), Code::ProviderAuth),
        (Fault::NegativeBalance, Code::ProviderPaymentRequired),
        (Fault::refusal(400, "The balance of this file"), Code::ProviderProtocol),
        (Fault::refusal(400, "Something new"), Code::ProviderProtocol),
        (status(404, "<html>nothing here</html>"), Code::ProviderProtocol),
        (status(302, ""), Code::ProviderProtocol),
        (Fault::refusal(429, "Too Many Requests"), Code::ProviderThrottled),
        (Fault::refusal(500, "Internal Server Error"), Code::ProviderUnavailable),
        (status(503, ""), Code::ProviderUnavailable),
        (Fault::EmptyBody504 { accepted: false }, Code::ProviderUnavailable),
        (Fault::Cut, Code::ProviderUnavailable),
        (Fault::AcceptThenCut, Code::ProviderUnavailable),
        (Fault::CutBody, Code::ProviderUnavailable),
        (Fault::Html { accepted: false }, Code::ProviderProtocol),
        (Fault::TruncatedJson, Code::ProviderProtocol),
        (Fault::answer(&json!({})), Code::ProviderProtocol),
        (Fault::answer(&completed("status", &"paused".into())), Code::ProviderProtocol),
        (Fault::answer(&completed("id", &"another-job".into())), Code::ProviderProtocol),
    ] {
        let id = submitted(&engine, any_recording()).await.provider_id;
        fake.script(Endpoint::Get, fault.clone());
        fake.script(Endpoint::Get, fault.clone());
        let error = engine.poll(&id, 0, since(), 0.5).await.expect_err("no answer");
        assert_eq!(error.code, code, "{fault:?}");
        let error = engine.result(&id, "").await.expect_err("no result");
        assert_eq!(error.code, code, "{fault:?}");
        assert_eq!(engine.poll(&id, 1, since(), 0.5).await, Ok(PollAnswer::Finished));
    }
}

#[tokio::test]
async fn a_job_that_the_engine_does_not_know_is_missing_for_good() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let polled = engine.poll("unheard-of", 0, since(), 0.5).await;
    let Ok(PollAnswer::Failed(error)) = polled else { panic!("{polled:?}") };
    assert_eq!(error.code, Code::ProviderJobMissing);
    assert_eq!(error.detail.as_deref(), Some("Transcript lookup error, transcript id not found"));
    assert_eq!(engine.result("unheard-of", "").await, Err(error));
    let asked = fake.requests(Endpoint::Get);
    let missing = engine.result("../../v2/upload", "").await.expect_err("no such name");
    assert_eq!((missing.code, fake.requests(Endpoint::Get)), (Code::ProviderJobMissing, asked));
}

#[tokio::test]
async fn a_proxy_that_does_not_know_the_path_is_no_proof_that_a_job_is_gone() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let id = submitted(&engine, any_recording()).await.provider_id;
    let echo = format!("/v2/transcript/{id} was not found on this server");
    for fault in [
        status(404, "404 page not found\n"),
        Fault::refusal(404, "Not found"),
        status(404, &echo),
        Fault::refusal(404, &echo),
        Fault::refusal(400, &echo),
        Fault::refusal(422, &format!("transcript {id} not found")),
    ] {
        fake.script(Endpoint::Get, fault.clone());
        fake.script(Endpoint::Get, fault.clone());
        fake.script(Endpoint::Delete, fault.clone());
        let error = engine.poll(&id, 0, since(), 0.5).await.expect_err("no answer");
        assert_eq!(error.code, Code::ProviderProtocol, "{fault:?}");
        assert_eq!(engine.result(&id, "").await, Err(error.clone()), "{fault:?}");
        assert_eq!(engine.erase(&id).await, Err(error), "{fault:?}");
    }
    assert!(!fake.is_deleted(&id));
    assert_eq!(engine.poll(&id, 1, since(), 0.5).await, Ok(PollAnswer::Finished));
}

#[tokio::test]
async fn the_engines_own_words_about_an_unknown_job_count_with_any_refusal() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    for (code, words) in [
        (400, "Transcript lookup error, transcript id not found"),
        (404, "Transcript lookup error, transcript id not found"),
        (404, "Transcript ID not found."),
        (400, "transcript lookup error"),
    ] {
        let fault = Fault::refusal(code, words);
        fake.script(Endpoint::Get, fault.clone());
        fake.script(Endpoint::Get, fault.clone());
        fake.script(Endpoint::Delete, fault.clone());
        let polled = engine.poll("job-1", 0, since(), 0.5).await;
        let Ok(PollAnswer::Failed(error)) = polled else { panic!("{fault:?}: {polled:?}") };
        assert_eq!(error.code, Code::ProviderJobMissing, "{fault:?}");
        assert_eq!(engine.result("job-1", "").await, Err(error), "{fault:?}");
        assert_eq!(engine.erase("job-1").await, Ok(()), "{fault:?}");
    }
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_a_fault_of_the_protocol() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    for body in [
        completed("text", &Value::Null),
        completed("words", &Value::Null),
        completed("words", &json!([{ "text": "Hello", "start": -1, "end": 20 }])),
        completed("words", &json!([{ "text": "Hello", "start": 1e300, "end": 1e300 }])),
        completed("words", &json!([{ "text": "Hello", "start": "0:01", "end": 2 }])),
        completed("audio_duration", &json!(-1)),
        completed("status", &"processing".into()),
    ] {
        fake.script(Endpoint::Get, Fault::answer(&body));
        let error = engine.result("job-1", "").await.expect_err("unreadable");
        assert_eq!(error.code, Code::ProviderProtocol, "{body}");
    }
}

#[tokio::test]
async fn a_result_is_kept_as_it_is_but_for_what_cannot_be() {
    let fake = FakeAssemblyAi::start();
    let mut body = completed("audio_duration", &json!(12.7));
    body["confidence"] = json!(1.5);
    body["language_code"] = json!("??");
    body["words"] = json!([
        { "text": "there", "start": 30, "end": 20, "confidence": null },
        { "text": "Hello", "start": 10, "end": 20, "confidence": 0.25, "speaker": "B" },
    ]);
    fake.script(Endpoint::Get, Fault::answer(&body));
    let transcript = engine(&fake).result("job-1", "").await.expect("a result");
    assert_eq!((transcript.confidence, transcript.language), (None, None));
    assert_eq!(transcript.duration_ms, Some(12_700));
    let words: Vec<_> = transcript
        .words
        .iter()
        .map(|w| (w.text.as_str(), w.start_ms, w.end_ms, w.confidence, w.speaker.as_deref()))
        .collect();
    assert_eq!(words, [("Hello", 10, 20, Some(0.25), Some("B")), ("there", 30, 30, None, None)]);
}

#[tokio::test]
async fn a_wish_to_be_asked_later_is_passed_on() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    for code in [429, 503] {
        fake.script(
            Endpoint::Get,
            Fault::Status { code, body: String::new(), retry_after: Some(u32::MAX) },
        );
        let error = engine.poll("job-1", 0, since(), 0.5).await.expect_err("later");
        assert_eq!(error.retry_after, Some(TimeDelta::seconds(i64::from(u32::MAX))));
        fake.script(Endpoint::Get, status(code, ""));
        let error = engine.poll("job-1", 0, since(), 0.5).await.expect_err("later");
        assert_eq!(error.retry_after, None);
    }
}

#[tokio::test]
async fn erasing_fails_only_if_the_copy_may_still_be_there() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let id = submitted(&engine, any_recording()).await.provider_id;
    for (fault, code) in [
        (Fault::refusal(401, "Authentication error"), Code::ProviderAuth),
        (Fault::refusal(403, "Cannot access uploaded file"), Code::ProviderAuth),
        (Fault::refusal(429, "Too Many Requests"), Code::ProviderThrottled),
        (Fault::refusal(500, "Internal Server Error"), Code::ProviderUnavailable),
        (Fault::EmptyBody504 { accepted: true }, Code::ProviderUnavailable),
        (Fault::Cut, Code::ProviderUnavailable),
        (Fault::Html { accepted: false }, Code::ProviderProtocol),
        (Fault::answer(&json!({ "id": "another-job" })), Code::ProviderProtocol),
        (Fault::refusal(400, "This transcript cannot be deleted"), Code::ProviderProtocol),
    ] {
        fake.script(Endpoint::Delete, fault.clone());
        let error = engine.erase(&id).await.expect_err("not erased");
        assert_eq!(error.code, code, "{fault:?}");
    }
    let asked = fake.requests(Endpoint::Delete);
    assert_eq!(engine.erase("../upload").await, Ok(()), "no such name is ever given");
    assert_eq!(fake.requests(Endpoint::Delete), asked);
}

#[tokio::test]
async fn the_words_of_the_engine_are_tamed_and_never_repeat_the_key() {
    let fake = FakeAssemblyAi::start();
    let said = format!("Bad \u{1b}[31mkey {KEY}!\n{}", "x".repeat(999));
    fake.script(Endpoint::Get, Fault::refusal(401, &said));
    let error = engine(&fake).poll("job-1", 0, since(), 0.5).await.expect_err("refused");
    let detail = error.detail.expect("a detail");
    assert!(detail.starts_with("Bad  [31mkey [key]! xxx"), "{detail}");
    assert!(detail.chars().count() <= 300, "{detail}");
}
