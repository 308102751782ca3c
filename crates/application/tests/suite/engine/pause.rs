//! An engine that refuses our key, or wants to be paid: who waits, and how it is tried again.

use std::time::Duration;

use application::ports::{
    Clock, EventBus, Hint, JobStore, MediaSource, Pause, PollAnswer, SpeechError, SpeechToText,
};
use chrono::TimeDelta;
use domain::{FailureCode, Status};
use testkit::fakes::{SpeechMethod, fetch_error, speech_error};

use super::Bench;

#[tokio::test]
async fn jobs_wait_uncounted_while_the_key_is_refused() {
    let bench = Bench::default().await;
    for _ in 0..30 {
        bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderAuth)));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 10).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.found(id).await.parts().retry_count, 0);
}

#[tokio::test]
async fn nothing_new_is_fetched_while_the_key_is_refused() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_upload(Err(speech_error(FailureCode::ProviderAuth)));
    bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert!(bench.fakes.media.kept().await.unwrap().is_empty(), "no audio is hoarded meanwhile");
    let fetched = bench.fakes.media.fetches();
    let other = bench.enqueue().await;
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.media.fetches(), fetched);
    bench.hours(&engine, 1).await;
    assert_eq!(bench.status(other).await, Status::Completed);
}

#[tokio::test]
async fn an_upload_does_not_end_the_wait_for_a_payment() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderPaymentRequired)));
    bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 1);
    for _ in 0..3 {
        bench.enqueue().await;
    }
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 1);
}

#[tokio::test]
async fn a_result_that_is_paid_for_is_read_while_the_key_is_refused() {
    let bench = Bench::default().await;
    let check_after = TimeDelta::minutes(1);
    bench.fakes.speech.next_poll(Ok(PollAnswer::Pending { check_after }));
    let paid = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderAuth)));
    bench.enqueue().await;
    engine.run_pending().await.unwrap();
    bench.fakes.clock.advance(check_after);
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(paid).await, Status::Completed);
}

/// Four jobs that were refused together, and whose engine would take them again.
async fn refused(bench: &Bench) {
    for _ in 0..4 {
        bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderAuth)));
        bench.enqueue().await;
    }
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 4);
}

#[tokio::test]
async fn after_the_wait_one_job_is_tried_and_the_rest_follow_once_it_is_accepted() {
    let bench = Bench::default().await;
    refused(&bench).await;
    let engine = bench.engine();
    bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderPaymentRequired)));
    bench.fakes.clock.advance(TimeDelta::minutes(5));
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 5, "one job, and it was refused");
    bench.fakes.clock.advance(TimeDelta::minutes(5));
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.accepted().len(), 4);
    assert_eq!(bench.paused().await, None);
}

#[tokio::test]
async fn a_trial_is_not_joined_by_others_while_it_lasts() {
    let bench = Bench::default().await;
    refused(&bench).await;
    bench.fakes.clock.advance(TimeDelta::minutes(5));
    bench.fakes.speech.gate(SpeechMethod::Submit).close();
    let handle = bench.engine().start();
    bench.fakes.speech.gate(SpeechMethod::Submit).reached().await;
    for _ in 0..50 {
        bench.fakes.events.publish(Hint::Ready);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 5);
    bench.fakes.speech.gate(SpeechMethod::Submit).open();
    assert!(handle.drain().await);
}

#[tokio::test]
async fn a_trial_that_ends_without_a_word_of_the_engine_is_followed_by_another() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_upload(Err(speech_error(FailureCode::ProviderAuth)));
    let first = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    let second = bench.enqueue().await;
    bench.fakes.media.next_fetch(Err(fetch_error(FailureCode::SourceForbidden)));
    bench.fakes.clock.advance(TimeDelta::minutes(5));
    engine.run_pending().await.unwrap();
    let ended = [bench.status(first).await, bench.status(second).await];
    assert!(ended.contains(&Status::Failed) && ended.contains(&Status::Completed), "{ended:?}");
    assert_eq!(bench.paused().await, None);
}

#[tokio::test]
async fn a_refusal_holds_for_every_process_and_after_a_restart() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderAuth)));
    bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    let fetched = bench.fakes.media.fetches();
    bench.enqueue().await;
    assert_eq!(bench.engine().run_pending().await.unwrap(), 0);
    assert_eq!(bench.fakes.media.fetches(), fetched);
    assert_eq!(bench.paused().await.unwrap().code, FailureCode::ProviderAuth);
}

#[tokio::test]
async fn whatever_the_engine_refuses_for_the_key_stops_submissions() {
    let refused = || Err(speech_error(FailureCode::ProviderAuth));
    for method in [SpeechMethod::Poll, SpeechMethod::Result] {
        let bench = Bench::default().await;
        match method {
            SpeechMethod::Poll => bench.fakes.speech.next_poll(refused()),
            _ => bench.fakes.speech.next_result(Err(speech_error(FailureCode::ProviderAuth))),
        }
        bench.enqueue().await;
        let engine = bench.engine();
        engine.run_pending().await.unwrap();
        engine.erase().await.unwrap();
        assert!(bench.paused().await.is_some(), "{method:?}");
        let submits = bench.fakes.speech.count(SpeechMethod::Submit);
        bench.enqueue().await;
        engine.run_pending().await.unwrap();
        assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), submits, "{method:?}");
    }
}

#[tokio::test]
async fn a_copy_that_may_not_be_erased_stops_nothing() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_erase(Err(speech_error(FailureCode::ProviderAuth)));
    bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(engine.erase().await.unwrap(), 1);
    assert_eq!(bench.paused().await, None);
}

#[tokio::test]
async fn a_stop_is_never_longer_than_an_hour_whoever_asks_for_it() {
    let bench = Bench::default().await;
    let years = Some(TimeDelta::days(365));
    let refused = SpeechError { retry_after: years, ..speech_error(FailureCode::ProviderAuth) };
    bench.fakes.speech.next_submit(Err(refused));
    bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    let pause = bench.paused().await.unwrap();
    assert!(pause.until - bench.fakes.clock.now() <= TimeDelta::hours(1), "{pause:?}");
}

#[tokio::test]
async fn a_result_that_is_paid_for_is_asked_for_again_and_again() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    for _ in 0..20 {
        let away = speech_error(FailureCode::ProviderUnavailable);
        bench.fakes.speech.next_result(Err(away));
    }
    bench.hours(&bench.engine(), 2).await;
    assert_eq!(bench.status(id).await, Status::Completed);
}

impl Bench {
    async fn paused(&self) -> Option<Pause> {
        self.fakes.store.paused(self.fakes.speech.name()).await.unwrap()
    }
}
