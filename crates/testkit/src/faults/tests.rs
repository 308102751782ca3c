use std::{sync::Arc, time::Duration};

use application::ports::{JobStore, MediaSource, SpeechToText, SubmitRequest};
use domain::{CallbackToken, FailureCode, Source, TranscriptionId, TranscriptionOptions};
use uuid::Uuid;

use super::{Faults, FaultyJobs, FaultyMedia, FaultySpeech, Mode, Point, Side};
use crate::{
    contract::{a_transcription, a_user},
    fakes::{self, Fakes},
};

fn at(point: &str, mode: Mode) -> Arc<Faults> {
    Arc::new(Faults::at(point.parse().expect("a point"), mode))
}

async fn submit(fakes: &Fakes, faults: Arc<Faults>) -> Option<FailureCode> {
    let request = SubmitRequest {
        upload_url: Some("https://upload.example.com/1"),
        options: &TranscriptionOptions::default(),
        callback: &CallbackToken::new([7; 32]),
        timeout: Duration::from_secs(1),
    };
    let answer = FaultySpeech::new(fakes.speech.clone(), faults).submit(request).await;
    answer.err().map(|error| error.code)
}

#[test]
fn a_point_reads_back() {
    let point = Point { operation: "jobs.claim".to_owned(), side: Side::After, nth: 3 };
    assert_eq!(point.to_string().parse(), Ok(point));
    for wrong in ["", "jobs.claim", "jobs.claim after", "jobs.claim later 1", "a after 1 2"] {
        assert!(wrong.parse::<Point>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_refused_submission_surely_did_not_leave_and_a_lost_one_did() {
    for (point, code, accepted) in [
        ("speech.submit before 1", FailureCode::ProviderUnavailable, 0),
        ("speech.submit after 1", FailureCode::SubmissionUnknown, 1),
    ] {
        let (fakes, faults) = (fakes::adapters(), at(point, Mode::Error));
        assert_eq!(submit(&fakes, faults.clone()).await, Some(code));
        assert_eq!(fakes.speech.accepted().len(), accepted, "{point}");
        assert!(faults.is_hit());
    }
}

#[tokio::test]
async fn only_the_named_call_fails() {
    let (fakes, faults) = (fakes::adapters(), at("speech.submit after 2", Mode::Error));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(submit(&fakes, faults.clone()).await);
    }
    assert_eq!(codes, [None, Some(FailureCode::SubmissionUnknown), None]);
    assert_eq!(faults.seen()[&("speech.submit".to_owned(), Side::After)], 3);
}

#[tokio::test]
async fn a_change_that_fails_before_is_not_made_and_one_that_fails_after_is() {
    for (point, stored) in [("jobs.enqueue before 1", false), ("jobs.enqueue after 1", true)] {
        let fakes = fakes::adapters();
        let user = a_user(fakes.adapters().clock.now());
        fakes.adapters().users.insert(&user).await.expect("it is stored");
        let wanted = a_transcription(user.parts().id, fakes.adapters().clock.now());
        let jobs = FaultyJobs::new(fakes.store.clone(), at(point, Mode::Error));
        jobs.enqueue(&wanted).await.expect_err("the fault");
        assert_eq!(!fakes.store.jobs().is_empty(), stored, "{point}");
    }
}

#[tokio::test]
async fn audio_whose_fetch_failed_is_not_kept() {
    let directory = std::env::temp_dir();
    let inner = Arc::new(fakes::ScriptedMedia::in_directory(directory));
    let media = FaultyMedia::new(inner.clone(), at("media.fetch after 1", Mode::Error));
    let job = TranscriptionId::from_uuid(Uuid::from_u128(0x5eed));
    let source = Source::parse("https://media.example.com/1.wav").expect("a source");
    let error = media.fetch(job, &source, &()).await.expect_err("the fault");
    assert_eq!(error.code, FailureCode::SourceUnreachable);
    assert!(inner.kept().await.expect("it is read").is_empty());
}

#[tokio::test]
async fn during_a_delay_every_call_of_the_process_stands_still() {
    let delay = Duration::from_millis(100);
    let (fakes, faults) = (fakes::adapters(), at("speech.submit before 1", Mode::Delay(delay)));
    let began = tokio::time::Instant::now();
    let jobs = FaultyJobs::new(fakes.store.clone(), faults.clone());
    let others = async {
        faults.hit().await;
        jobs.tick(1).await.expect("it is done");
        began.elapsed()
    };
    let (submitted, ticked) = tokio::join!(submit(&fakes, faults.clone()), others);
    assert_eq!(submitted, None);
    assert!(ticked >= delay, "{ticked:?}");
}
