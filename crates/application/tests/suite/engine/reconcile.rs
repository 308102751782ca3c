//! A submission whose answer was lost: looked for, waited for, and never sent again.

use application::ports::{JobStore, SpeechToText};
use chrono::TimeDelta;
use domain::{FailureCode, Stage, Status, SubmissionState, TranscriptionId};
use testkit::fakes::{SpeechCall, SpeechMethod, speech_error};

use super::{Bench, kill_when, stands_before};

impl Bench {
    /// Runs in steps short enough to meet every look at the list.
    pub(super) async fn minutes(&self, engine: &std::sync::Arc<application::Engine>, minutes: i64) {
        self.run_for(engine, TimeDelta::minutes(minutes), TimeDelta::seconds(5)).await;
    }

    pub(super) fn states(&self, id: TranscriptionId) -> Vec<SubmissionState> {
        self.fakes.store.submissions(id).iter().map(|s| s.state).collect()
    }

    pub(super) fn sent(&self) -> usize {
        self.fakes.speech.count(SpeechMethod::Submit)
    }

    fn looks(&self) -> usize {
        self.fakes.speech.count(SpeechMethod::Find)
    }

    /// Tells of the first job that the engine accepted, as its callback would, under `name`.
    async fn call_back(&self, name: &str) {
        let callback = self.fakes.speech.accepted()[0].callback;
        self.fakes.store.hear(&callback, Some(name)).await.unwrap().unwrap();
    }

    /// The engine does not answer, and has not accepted anything.
    pub(super) fn next_submit_unanswered(&self) {
        self.fakes.speech.next_submit(Err(speech_error(FailureCode::SubmissionUnknown)));
    }
}

#[tokio::test]
async fn a_job_whose_answer_was_lost_is_found_in_the_list_and_goes_on() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Processing);
    assert_eq!(bench.looks(), 0, "the list needs a moment");
    bench.fakes.clock.advance(TimeDelta::seconds(5));
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.states(id), [SubmissionState::Finished]);
    assert_eq!(bench.found(id).await.parts().retry_count, 0);
    assert_eq!((bench.sent(), bench.fakes.speech.accepted().len()), (1, 1));
}

#[tokio::test]
async fn a_list_that_lags_within_the_window_costs_time_and_nothing_else() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.minutes(&engine, 9).await;
    assert_eq!(bench.status(id).await, Status::Processing);
    assert_eq!((bench.sent(), bench.looks()), (1, 4));
    assert_eq!(bench.fakes.store.submissions(id)[0].clean_listings, 4);
    bench.fakes.speech.list_catches_up();
    bench.minutes(&engine, 2).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn what_the_list_lacks_after_the_window_is_uploaded_and_submitted_anew() {
    let bench = Bench::default().await;
    bench.next_submit_unanswered();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.run_for(&engine, TimeDelta::seconds(595), TimeDelta::seconds(5)).await;
    assert_eq!(bench.sent(), 1, "not before the window is over");
    bench.minutes(&engine, 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.states(id), [SubmissionState::Abandoned, SubmissionState::Finished]);
    let uploads: Vec<_> =
        bench.fakes.store.submissions(id).into_iter().map(|s| s.upload_url).collect();
    assert_ne!(uploads[0], uploads[1], "the two can be told apart for ever");
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
    assert_eq!(bench.fakes.store.duplicates().await.unwrap(), 0);
}

#[tokio::test]
async fn a_listing_that_fails_is_neither_counted_nor_the_jobs_fault() {
    let bench = Bench::default().await;
    bench.next_submit_unanswered();
    // The looks after 5 and 30 s, 2, 5 and 10 min; then every two and a half.
    for _ in 0..5 {
        bench.fakes.speech.next_find_fails(speech_error(FailureCode::ProviderUnavailable));
    }
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.minutes(&engine, 16).await;
    assert_eq!((bench.sent(), bench.looks()), (1, 7), "two complete listings are too few");
    bench.minutes(&engine, 3).await;
    assert_eq!(bench.sent(), 2);
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.found(id).await.parts().retry_count, 0);
}

#[tokio::test]
async fn a_job_that_is_lost_twice_is_given_up_and_paid_for_no_more() {
    let bench = Bench::default().await;
    bench.next_submit_unanswered();
    bench.next_submit_unanswered();
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 3).await;
    assert_eq!(bench.failure(id).await, (FailureCode::SubmissionUnknown, Stage::Submitting));
    assert_eq!(bench.sent(), 2);
    assert_eq!(bench.states(id), [SubmissionState::Abandoned; 2]);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_for_a_day_leaves_the_job_unknown_and_not_retriable() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    for _ in 0..999 {
        bench.fakes.speech.next_find_fails(speech_error(FailureCode::ProviderProtocol));
    }
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.hours(&engine, 23).await;
    assert_eq!(bench.status(id).await, Status::Processing);
    bench.hours(&engine, 2).await;
    assert_eq!(bench.failure(id).await.0, FailureCode::SubmissionUnknown);
    assert_eq!(bench.sent(), 1);
    assert_eq!(bench.states(id), [SubmissionState::Abandoned]);
}

#[tokio::test]
async fn a_list_that_refuses_the_key_stops_submissions_and_costs_the_job_nothing() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    bench.fakes.speech.next_find_fails(speech_error(FailureCode::ProviderAuth));
    let id = bench.enqueue().await;
    let engine = bench.engine();
    bench.minutes(&engine, 1).await;
    let paused = bench.fakes.store.paused(bench.fakes.speech.name()).await.unwrap();
    assert_eq!(paused.unwrap().code, FailureCode::ProviderAuth);
    assert_eq!(bench.fakes.store.submissions(id)[0].clean_listings, 0);
    bench.minutes(&engine, 10).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.found(id).await.parts().retry_count, 0);
    assert_eq!(bench.sent(), 1);
}

#[tokio::test]
async fn a_crash_between_intent_and_request_is_settled_by_the_list() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    let gate = bench.fakes.speech.gate(SpeechMethod::Submit);
    gate.close();
    kill_when(bench.engine(), gate.reached()).await;
    gate.left().await;
    gate.open();
    let engine = bench.engine();
    bench.minutes(&engine, 9).await;
    assert_eq!(bench.sent(), 1, "the call that died is not repeated");
    bench.minutes(&engine, 5).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.states(id), [SubmissionState::Abandoned, SubmissionState::Finished]);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn a_callback_leads_to_a_job_that_the_list_lacks() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.call_back("provider-1").await;
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed, "at once, and without the list");
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn a_callback_that_names_the_job_of_another_is_not_believed() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    for _ in 0..2 {
        bench.fakes.speech.next_submit_lost();
    }
    let ids = [bench.enqueue().await, bench.enqueue().await];
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    bench.call_back("provider-2").await;
    engine.run_pending().await.unwrap();
    assert_eq!(bench.looks(), 1);
    for id in ids {
        assert_eq!(bench.states(id), [SubmissionState::Intent]);
    }
    bench.fakes.speech.list_catches_up();
    bench.minutes(&engine, 1).await;
    let mut names = Vec::new();
    for id in ids {
        assert_eq!(bench.status(id).await, Status::Completed);
        names.extend(bench.fakes.store.submissions(id).remove(0).provider_id);
    }
    let uploads: Vec<_> = bench.fakes.speech.accepted().into_iter().map(|j| j.upload_url).collect();
    let first = bench.fakes.store.submissions(ids[0]).remove(0);
    let place = uploads.iter().position(|url| *url == first.upload_url).unwrap();
    assert_eq!(first.provider_id, Some(format!("provider-{}", place + 1)));
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_the_list() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit_lost();
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    bench.fakes.clock.advance(TimeDelta::seconds(5));
    bench.fakes.speech.gate(SpeechMethod::Find).close();
    let handle = bench.engine().start();
    stands_before(bench.fakes.speech.gate(SpeechMethod::Find)).await;
    assert!(handle.drain().await);
    assert_eq!(bench.states(id), [SubmissionState::Intent]);
    bench.fakes.speech.gate(SpeechMethod::Find).open();
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test]
async fn only_the_digest_of_the_token_is_kept_and_each_submission_has_its_own() {
    let bench = Bench::default().await;
    bench.next_submit_unanswered();
    let id = bench.enqueue().await;
    bench.minutes(&bench.engine(), 12).await;
    let kept: Vec<_> =
        bench.fakes.store.submissions(id).into_iter().map(|s| s.callback.unwrap()).collect();
    assert_eq!(kept.len(), 2);
    assert_ne!(kept[0], kept[1]);
    assert_eq!(bench.fakes.speech.accepted()[0].callback, kept[1]);
    let calls = bench.fakes.speech.calls();
    assert!(calls.contains(&SpeechCall::Find { wanted: 1 }));
}
