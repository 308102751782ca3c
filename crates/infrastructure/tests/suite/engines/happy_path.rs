//! What goes well.

use std::{io::Write as _, time::Duration};

use application::ports::{PollAnswer, SpeechToText as _};
use chrono::TimeDelta;
use domain::{Keyterms, Language, TranscriptionOptions};
use serde_json::json;
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, FakeOptions, Fault},
    fixtures,
};

use super::{any_recording, engine, order, since, submitted, uploaded};

#[tokio::test]
async fn every_recording_comes_back_with_its_words_and_their_times() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    for recording in fixtures::recordings() {
        let answer = submitted(&engine, recording).await;
        let polled = engine.poll(&answer.provider_id, 0, since(), 0.5).await;
        assert_eq!(polled, Ok(PollAnswer::Finished), "{}", recording.name);
        let transcript = engine.result(&answer.provider_id, "").await.expect("a result");
        assert_eq!(transcript.text, recording.text);
        assert_eq!(transcript.language, Some(Language::Tag("en".to_owned())));
        assert_eq!(transcript.duration_ms, Some(recording.duration_ms().div_ceil(1000) * 1000));
        let times = |words: &[domain::Word]| -> Vec<(String, u64, u64)> {
            words.iter().map(|w| (w.text.clone(), w.start_ms, w.end_ms)).collect()
        };
        assert_eq!(times(&transcript.words), times(&recording.words()));
        assert!(transcript.utterances.is_empty() && transcript.speakers().is_empty());
    }
    let accepted: Vec<_> = fake.ledger().into_iter().map(|job| job.sha256).collect();
    let sent: Vec<_> = fixtures::recordings().iter().map(|r| Some(r.sha256())).collect();
    assert_eq!(accepted, sent);
}

#[tokio::test]
async fn a_job_is_pending_until_the_engine_is_done() {
    let options = FakeOptions { processing: Duration::from_hours(1), ..FakeOptions::default() };
    let fake = FakeAssemblyAi::start_with(options).expect("a server");
    let engine = engine(&fake);
    let answer = submitted(&engine, any_recording()).await;
    assert_eq!(answer.check_after, TimeDelta::seconds(5));
    let polled = engine.poll(&answer.provider_id, 0, since(), 0.5).await;
    assert_eq!(polled, Ok(PollAnswer::Pending { check_after: TimeDelta::seconds(10) }));
    let old = since() - TimeDelta::minutes(10);
    let polled = engine.poll(&answer.provider_id, 20, old, 0.5).await;
    assert_eq!(polled, Ok(PollAnswer::Pending { check_after: TimeDelta::seconds(60) }));
}

#[tokio::test]
async fn an_automatic_language_is_asked_for_as_detection_and_nothing_else_is_sent() {
    let fake = FakeAssemblyAi::start();
    let answer = submitted(&engine(&fake), any_recording()).await;
    let accepted = fake.ledger().remove(0);
    assert_eq!(accepted.id, answer.provider_id);
    assert_eq!(
        serde_json::Value::Object(accepted.params),
        json!({
            "audio_url": accepted.audio_url,
            "speech_models": ["universal-3-pro", "universal-2"],
            "language_detection": true,
        })
    );
}

#[tokio::test]
async fn every_option_reaches_the_engine_and_speakers_come_back() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let url = uploaded(&engine, any_recording()).await;
    let options = TranscriptionOptions {
        language: Language::parse("en-us").expect("a tag"),
        speaker_labels: true,
        speakers_expected: Some(2),
        keyterms: Keyterms::parse(vec!["barrel".into()]).expect("terms"),
    };
    let answer = engine.submit(order(&url, &options)).await.expect("a submission");
    let mut params = fake.ledger().remove(0).params;
    assert_eq!(params.remove("language_code"), Some("en_us".into()));
    assert_eq!(params.remove("speaker_labels"), Some(true.into()));
    assert_eq!(params.remove("speakers_expected"), Some(2.into()));
    assert_eq!(params.remove("keyterms_prompt"), Some(json!(["barrel"])));
    assert!(!params.contains_key("language_detection"), "{params:?}");
    let transcript = engine.result(&answer.provider_id, "").await.expect("a result");
    assert_eq!(transcript.language, Some(Language::Tag("en-US".to_owned())));
    assert_eq!(transcript.speakers(), ["A"]);
    assert_eq!(transcript.utterances.len(), 1);
    assert_eq!(transcript.utterances[0].text, any_recording().text);
    assert!(transcript.words.iter().all(|word| word.speaker.as_deref() == Some("A")));
}

#[tokio::test]
async fn what_the_engine_does_not_report_stays_absent() {
    let fake = FakeAssemblyAi::start();
    fake.script(
        Endpoint::Get,
        Fault::answer(&json!({
            "id": "sparse", "status": "completed", "text": "", "words": [], "utterances": null,
            "confidence": null, "audio_duration": null, "language_code": null,
        })),
    );
    let transcript = engine(&fake).result("sparse", "").await.expect("a result");
    assert_eq!(
        (transcript.text.as_str(), transcript.confidence, transcript.duration_ms),
        ("", None, None)
    );
    assert!(transcript.language.is_none() && transcript.words.is_empty());
}

#[tokio::test]
async fn a_large_file_is_streamed_with_its_length_announced() {
    const BYTES: u64 = 40 * 1024 * 1024;
    let fake = FakeAssemblyAi::start();
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(BYTES - 1).expect("a sparse file");
    file.as_file_mut().write_all(b"not audio").expect("a file");
    file.as_file().set_len(BYTES).expect("a sparse file");
    engine(&fake).upload(file.path()).await.expect("an upload");
    let upload = fake.uploads().remove(0);
    assert_eq!((upload.bytes, upload.content_length), (BYTES, Some(BYTES)));
}

#[tokio::test]
async fn erasing_a_job_removes_its_text_and_is_free_to_repeat() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let id = submitted(&engine, any_recording()).await.provider_id;
    assert_eq!(engine.erase(&id).await, Ok(()));
    assert!(fake.is_deleted(&id));
    assert_eq!(engine.erase(&id).await, Ok(()), "again");
    assert_eq!(engine.erase("never-there").await, Ok(()));
    let gone = engine.result(&id, "").await.expect_err("no text");
    assert_eq!(gone.code, domain::FailureCode::ProviderJobMissing);
    let polled = engine.poll(&id, 3, since(), 0.5).await;
    assert_eq!(polled, Ok(PollAnswer::Failed(gone)));
}
