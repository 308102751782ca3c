//! Jobs at the engine that belong to nobody, and copies that nobody needs.

use std::{sync::Arc, time::Duration};

use application::{
    Engine, EngineConfig,
    ports::{EventBus, Hint, JobStore, SpeechToText},
};
use chrono::TimeDelta;
use domain::{FailureCode, Status, SubmissionState};
use testkit::fakes::{self, SpeechMethod, speech_error};

use super::{Bench, harmless};

fn erased(bench: &Bench) -> Vec<bool> {
    bench.fakes.speech.accepted().into_iter().map(|job| job.erased).collect()
}

async fn duplicates(bench: &Bench) -> u64 {
    bench.fakes.store.duplicates().await.unwrap()
}

#[tokio::test]
async fn a_list_that_lags_beyond_the_window_costs_twice_and_that_is_told() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.minutes(&engine, 15).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 2);
    assert_eq!((engine.reconcile_orphans().await.unwrap(), duplicates(&bench).await), (0, 0));
    bench.fakes.speech.list_catches_up();
    for found in [1, 0] {
        assert_eq!(engine.reconcile_orphans().await.unwrap(), found);
        assert_eq!(duplicates(&bench).await, 1, "counted once");
    }
    engine.erase().await.unwrap();
    assert_eq!(erased(&bench), [true, true]);
    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test]
async fn a_job_that_still_waits_takes_up_what_had_been_given_up() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    bench.fakes.speech.next_submit_lost();
    bench.next_submit_unanswered();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.minutes(&engine, 11).await;
    assert_eq!(bench.states(id), [SubmissionState::Abandoned, SubmissionState::Intent]);
    bench.fakes.speech.list_catches_up();
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 1);
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.states(id), [SubmissionState::Finished, SubmissionState::Abandoned]);
    assert_eq!((bench.fakes.speech.accepted().len(), duplicates(&bench).await), (1, 0));
}

#[tokio::test]
async fn what_turns_up_for_a_job_that_was_given_up_is_erased() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    bench.fakes.speech.next_submit_lost();
    bench.next_submit_unanswered();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.hours(&engine, 3).await;
    assert_eq!(bench.failure(id).await.0, FailureCode::SubmissionUnknown);
    bench.fakes.speech.list_catches_up();
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 1);
    engine.erase().await.unwrap();
    assert_eq!((erased(&bench), duplicates(&bench).await), (vec![true], 0));
}

#[tokio::test]
async fn what_is_called_off_or_deleted_with_an_open_intent_is_swept_up() {
    for delete in [false, true] {
        let bench = Bench::default().await;
        bench.fakes.speech.next_submit_lost();
        let id = bench.enqueue().await;
        let engine = bench.engine();
        engine.run_pending().await.unwrap();
        if delete {
            assert!(bench.fakes.store.delete(bench.owner, id).await.unwrap());
        } else {
            bench.fakes.store.cancel(bench.owner, id).await.unwrap().unwrap();
        }
        assert_eq!(engine.reconcile_orphans().await.unwrap(), 1, "deleted: {delete}");
        engine.erase().await.unwrap();
        assert_eq!((erased(&bench), duplicates(&bench).await), (vec![true], 0));
        assert_eq!(engine.reconcile_orphans().await.unwrap(), 0, "deleted: {delete}");
    }
}

#[tokio::test]
async fn one_walk_looks_for_many_and_one_that_fails_changes_nothing() {
    let bench = Bench::default().await;
    let engine = bench.engine();
    for _ in 0..3 {
        bench.fakes.speech.next_submit_lost();
        let id = bench.enqueue().await;
        engine.run_pending().await.unwrap();
        bench.fakes.store.cancel(bench.owner, id).await.unwrap().unwrap();
    }
    bench.fakes.speech.next_find_fails(speech_error(FailureCode::ProviderUnavailable));
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 0);
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 3);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Find), 2);
}

#[tokio::test]
async fn a_sweep_that_is_refused_for_the_key_stops_submissions() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.fakes.store.cancel(bench.owner, id).await.unwrap().unwrap();
    bench.fakes.speech.next_find_fails(speech_error(FailureCode::ProviderAuth));
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 0);
    assert!(bench.fakes.store.paused(bench.fakes.speech.name()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_given_up_two_days_ago_is_not_looked_for_any_more() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.fakes.store.cancel(bench.owner, id).await.unwrap().unwrap();
    bench.fakes.clock.advance(TimeDelta::hours(49));
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 0);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Find), 0);
}

#[tokio::test]
async fn an_engine_without_harm_has_no_orphans() {
    let mut fakes = fakes::adapters();
    fakes.speech = Arc::new(harmless());
    let bench = Bench::new(fakes).await;
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.fakes.store.cancel(bench.owner, id).await.unwrap().unwrap();
    assert_eq!(engine.reconcile_orphans().await.unwrap(), 0);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Find), 0);
}

#[tokio::test(start_paused = true)]
async fn a_running_engine_sweeps_by_itself() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.fakes.store.cancel(bench.owner, id).await.unwrap().unwrap();
    let handle = engine.start();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(erased(&bench), [true], "found, and erased");
    assert!(handle.drain().await);
}

#[tokio::test(start_paused = true)]
async fn the_copy_at_the_engine_goes_as_soon_as_its_transcript_is_stored() {
    let bench = Bench::default().await;
    let handle = bench.engine().start();
    // Past the first look at what is to be erased, and long before the next.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let id = bench.enqueue().await;
    bench.fakes.events.publish(Hint::Ready);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(erased(&bench), [true]);
    assert!(handle.drain().await);
}

#[tokio::test]
async fn the_copy_at_the_engine_stays_where_the_operator_wants_it() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    let config = EngineConfig { erase_after_store: false, ..EngineConfig::default() };
    let engine = Engine::new(&bench.fakes.adapters(), config);
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(engine.erase().await.unwrap(), 0);
    assert_eq!(erased(&bench), [false]);
}
