//! Submissions: which outcomes are certain, and which are not. Money hangs on this.

use std::time::Duration;

use application::ports::{SpeechError, SpeechToText as _, SubmitRequest};
use chrono::TimeDelta;
use domain::{FailureCode, TranscriptionOptions};
use serde_json::json;
use testkit::assemblyai::{Endpoint, FakeAssemblyAi, Fault};

use super::{BRIEF, any_recording, config, engine, engine_with, order, uploaded};

/// Uploads, lets the submission meet `fault`, and returns its error with the number of jobs that
/// the server accepted. Whatever happens, one request is made and no more.
async fn refused(fault: Fault) -> (SpeechError, usize) {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let url = uploaded(&engine, any_recording()).await;
    fake.script(Endpoint::Create, fault.clone());
    let options = TranscriptionOptions::default();
    let mut request = order(&url, &options);
    if matches!(fault, Fault::Hang(_)) {
        request.timeout = BRIEF * 2;
    }
    let answer = engine.submit(request).await;
    assert_eq!(fake.requests(Endpoint::Create), 1, "{fault:?}");
    (answer.expect_err("a refusal"), fake.ledger().len())
}

#[tokio::test]
async fn whatever_may_have_been_accepted_is_an_unknown_submission() {
    let status = |code, body: &str| Fault::Status { code, body: body.into(), retry_after: None };
    for (fault, accepted) in [
        (Fault::AcceptThenCut, 1),
        (Fault::Cut, 0),
        (Fault::Hang(Duration::from_secs(5)), 1),
        (Fault::EmptyBody504 { accepted: true }, 1),
        (Fault::EmptyBody504 { accepted: false }, 0),
        (Fault::Html { accepted: true }, 1),
        (Fault::Html { accepted: false }, 0),
        (Fault::TruncatedJson, 1),
        (Fault::CutBody, 1),
        (Fault::refusal(500, "Server error, developers have been alerted."), 0),
        (status(503, "upstream connect error"), 0),
        (status(302, ""), 0),
        (status(408, ""), 0),
        (status(499, ""), 0),
        (status(200, ""), 0),
        (status(204, ""), 0),
        (Fault::answer(&json!({})), 0),
        (Fault::answer(&json!({ "id": null, "status": "queued" })), 0),
        (Fault::answer(&json!({ "id": "", "status": "queued" })), 0),
        (Fault::answer(&json!({ "id": "../v2/other", "status": "queued" })), 0),
    ] {
        let (error, ledger) = refused(fault.clone()).await;
        assert_eq!(error.code, FailureCode::SubmissionUnknown, "{fault:?}");
        assert_eq!(ledger, accepted, "{fault:?}");
    }
}

#[tokio::test]
async fn a_clean_refusal_is_certain_and_says_what_it_is() {
    use FailureCode as Code;
    for (status, words, code) in [
        (
            400,
            "The following models are not available in this language: universal-3-pro",
            Code::OptionsUnsupported,
        ),
        (400, "\"keyterms_prompt\" is not supported by this model", Code::OptionsUnsupported),
        (400, "Invalid language_code: xx", Code::OptionsUnsupported),
        (400, "\"audio_url\" should be a valid URL", Code::ProviderRejected),
        (400, "\"work-life balance\" is no term", Code::ProviderRejected),
        (401, "Authentication error, API token missing/invalid", Code::ProviderAuth),
        (402, "Payment required", Code::ProviderPaymentRequired),
        (403, "Cannot access uploaded file", Code::ProviderUploadLost),
        (400, "Cannot access uploaded file", Code::ProviderUploadLost),
        (403, "Forbidden", Code::ProviderAuth),
        (404, "Not found", Code::ProviderProtocol),
        (422, "Unprocessable", Code::ProviderRejected),
        (429, "Too Many Requests", Code::ProviderThrottled),
    ] {
        let (error, ledger) = refused(Fault::refusal(status, words)).await;
        assert_eq!((error.code, ledger), (code, 0), "{status} {words}");
        assert_eq!(error.detail.as_deref(), Some(words));
    }
    let (error, ledger) = refused(Fault::NegativeBalance).await;
    assert_eq!((error.code, ledger), (Code::ProviderPaymentRequired, 0));
}

#[tokio::test]
async fn a_balance_told_in_plain_text_is_understood_too() {
    let body = "Your current account balance is negative".to_owned();
    let (error, _) = refused(Fault::Status { code: 400, body, retry_after: None }).await;
    assert_eq!(error.code, FailureCode::ProviderPaymentRequired);
}

#[tokio::test]
async fn a_refusal_that_says_nothing_is_no_verdict_on_the_recording() {
    for body in ["", "<html>Bad Request</html>", "{}", "[]", "{\"error\":"] {
        let fault = Fault::Status { code: 400, body: body.into(), retry_after: None };
        let (error, ledger) = refused(fault).await;
        assert_eq!((error.code, ledger), (FailureCode::ProviderProtocol, 0), "{body}");
        assert_eq!(error.detail.as_deref(), Some("HTTP 400"));
    }
}

#[tokio::test]
async fn a_throttled_submission_says_when_to_come_back() {
    let body = json!({ "error": "Too Many Requests" }).to_string();
    let (error, _) = refused(Fault::Status { code: 429, body, retry_after: Some(17) }).await;
    assert_eq!(error.retry_after, Some(TimeDelta::seconds(17)));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_surely_accepted_nothing() {
    let fake = FakeAssemblyAi::start();
    let mut unreachable = config(&fake);
    // Nobody listens there: the listener is gone before the call.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    unreachable.base_url.set_port(Some(port)).expect("a port");
    // Speaks HTTP where TLS is expected, so that no request can be written.
    let mut unencrypted = config(&fake);
    unencrypted.base_url.set_scheme("https").expect("a scheme");
    for config in [unreachable, unencrypted] {
        let options = TranscriptionOptions::default();
        let request = order("https://cdn.assemblyai.com/upload/1", &options);
        let error = engine_with(config).submit(request).await.expect_err("nobody there");
        assert_eq!(error.code, FailureCode::ProviderUnavailable);
    }
    assert_eq!((fake.ledger().len(), fake.requests(Endpoint::Create)), (0, 0));
}

#[tokio::test]
async fn a_submission_without_audio_is_never_sent() {
    let fake = FakeAssemblyAi::start();
    let options = TranscriptionOptions::default();
    let request = SubmitRequest { upload_url: None, ..order("", &options) };
    let error = engine(&fake).submit(request).await.expect_err("no audio");
    assert_eq!((error.code, fake.requests(Endpoint::Create)), (FailureCode::Internal, 0));
}

#[tokio::test]
async fn after_a_clean_refusal_the_same_upload_can_be_submitted() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let url = uploaded(&engine, any_recording()).await;
    fake.script(Endpoint::Create, Fault::refusal(429, "Too Many Requests"));
    let options = TranscriptionOptions::default();
    engine.submit(order(&url, &options)).await.expect_err("throttled");
    let answer = engine.submit(order(&url, &options)).await.expect("accepted");
    let ledger = fake.ledger();
    assert_eq!((ledger.len(), &ledger[0].id), (1, &answer.provider_id));
}
