//! The engine that pretends.

use std::{sync::Arc, time::Duration};

use application::ports::{PollAnswer, SpeechToText, SubmitRequest};
use chrono::TimeDelta;
use domain::{FailureCode, Language, TranscriptionOptions};
use infrastructure::engines::mock::MockEngine;

use super::{HandClock, since};

const VIDEO: &str = "https://www.youtube.com/watch?v=dQw4w9WgXcQ";

fn mock(clock: &Arc<HandClock>) -> MockEngine {
    MockEngine::new(Duration::from_secs(2), clock.clone())
}

async fn submit(engine: &MockEngine) -> application::ports::SubmitAnswer {
    let options = TranscriptionOptions::default();
    let request = SubmitRequest {
        callback: &domain::CallbackToken::new([7; 32]),
        upload_url: None,
        options: &options,
        timeout: Duration::MAX,
    };
    engine.submit(request).await.expect("a submission")
}

#[tokio::test]
async fn it_is_done_when_its_delay_is_over_and_not_before() {
    let clock = HandClock::at("2026-11-22T14:36:27.945568Z");
    let engine = mock(&clock);
    let answer = submit(&engine).await;
    assert_eq!(answer.check_after, TimeDelta::seconds(2));
    clock.advance(TimeDelta::milliseconds(500));
    let polled = engine.poll(&answer.provider_id, 0, since(), 0.0).await;
    assert_eq!(polled, Ok(PollAnswer::Pending { check_after: TimeDelta::milliseconds(1500) }));
    clock.advance(TimeDelta::milliseconds(1500));
    let polled = engine.poll(&answer.provider_id, 1, since(), 0.0).await;
    assert_eq!(polled, Ok(PollAnswer::Finished));
}

#[tokio::test]
async fn its_jobs_outlive_the_process() {
    let clock = HandClock::at("2026-11-22T14:36:27.945568Z");
    let answer = submit(&mock(&clock)).await;
    clock.advance(TimeDelta::seconds(1));
    // A restarted process may have another delay; the job keeps its own due time.
    let restarted = MockEngine::new(Duration::from_hours(1), clock.clone());
    let polled = restarted.poll(&answer.provider_id, 0, since(), 0.0).await;
    assert_eq!(polled, Ok(PollAnswer::Pending { check_after: TimeDelta::seconds(1) }));
    clock.advance(TimeDelta::seconds(1));
    let polled = restarted.poll(&answer.provider_id, 1, since(), 0.0).await;
    assert_eq!(polled, Ok(PollAnswer::Finished));
    let first = restarted.result(&answer.provider_id, VIDEO).await;
    clock.advance(TimeDelta::days(1));
    assert_eq!(first, mock(&clock).result(&answer.provider_id, VIDEO).await, "the same again");
}

#[tokio::test]
async fn its_text_is_that_of_the_original_service() {
    let clock = HandClock::at("2026-11-22T14:36:25.945568Z");
    let engine = mock(&clock);
    let transcript = engine.result(&submit(&engine).await.provider_id, VIDEO).await;
    let transcript = transcript.expect("a result");
    // The original's lines are indented by eight blanks, its empty ones too.
    let expected = "Ceci est une transcription SIMULÉE pour le test.
~
~URL de la vidéo : https://www.youtube.com/watch?v=dQw4w9WgXcQ
~
~Cette transcription est générée en mode MOCK car aucune clé API Assembly AI réelle n'est configurée.
~
~Pour utiliser Assembly AI réellement :
~1. Obtenez une clé API sur https://www.assemblyai.com/
~2. Modifiez .env : ASSEMBLYAI_API_KEY=votre-clé-réelle
~3. Redémarrez le backend
~
~En mode MOCK, vous pouvez tester toutes les fonctionnalités de l'API sans consommer de crédits Assembly AI.
~
~Timestamp : 2026-11-22T14:36:27.945568"
        .replace('~', "        ");
    assert_eq!(transcript.text, expected);
    assert_eq!(transcript.language, Some(Language::Tag("fr".to_owned())));
    assert_eq!((transcript.confidence, transcript.duration_ms), (Some(0.95), Some(180_000)));
}

#[tokio::test]
async fn its_timestamp_has_no_fraction_on_a_whole_second() {
    let clock = HandClock::at("2026-11-22T14:36:25Z");
    let engine = mock(&clock);
    let transcript = engine.result(&submit(&engine).await.provider_id, VIDEO).await;
    assert!(transcript.expect("a result").text.ends_with("Timestamp : 2026-11-22T14:36:27"));
}

#[tokio::test]
async fn its_words_are_those_of_the_text_one_after_the_other() {
    let clock = HandClock::at("2026-11-22T14:36:25Z");
    let engine = mock(&clock);
    let transcript = engine.result(&submit(&engine).await.provider_id, VIDEO).await;
    let transcript = transcript.expect("a result");
    let words: Vec<&str> = transcript.words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(words, transcript.text.split_whitespace().collect::<Vec<_>>());
    assert!(transcript.words.iter().all(|word| word.start_ms < word.end_ms));
    assert!(transcript.words.is_sorted_by(|a, b| a.end_ms <= b.start_ms));
    assert_eq!(transcript.words.last().map(|word| word.end_ms), transcript.duration_ms);
}

#[tokio::test]
async fn a_name_that_it_did_not_give_is_no_job_of_its() {
    let engine = mock(&HandClock::at("2026-11-22T14:36:25Z"));
    for name in [
        "",
        "mock-",
        "mock-1",
        "mock-1-2",
        "mock-1-2-",
        "mock-1-2-x",
        "mock-2-1-0",
        "mock-1-99999999999999999999-0",
        "abc-1-2-0",
    ] {
        let error = engine.result(name, VIDEO).await.expect_err(name);
        assert_eq!(error.code, FailureCode::ProviderJobMissing, "{name}");
        let polled = engine.poll(name, 0, since(), 0.0).await;
        assert_eq!(polled, Ok(PollAnswer::Failed(error)), "{name}");
    }
    assert_eq!(engine.erase("mock-1-2-0").await, Ok(()));
}

#[tokio::test]
async fn a_delay_without_end_never_comes_due() {
    let clock = HandClock::at("2026-11-22T14:36:25Z");
    let engine = MockEngine::new(Duration::MAX, clock.clone());
    let answer = submit(&engine).await;
    clock.advance(TimeDelta::days(36_500));
    let polled = engine.poll(&answer.provider_id, 0, since(), 0.0).await;
    assert!(matches!(polled, Ok(PollAnswer::Pending { .. })), "{polled:?}");
}

#[test]
fn it_needs_no_audio_and_may_be_asked_twice() {
    let engine = mock(&HandClock::at("2026-11-22T14:36:25Z"));
    let can = engine.capabilities();
    assert_eq!(engine.name(), "mock");
    assert!(!can.needs_audio && can.resubmission_is_harmless && !can.limited_concurrency);
}
