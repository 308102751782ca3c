//! The job engine on fakes: what it does, and above all what it never does twice.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod orphans;
mod pause;
mod progress;
mod reconcile;
mod unacknowledged;
mod zombies;

use std::{sync::Arc, time::Duration};

use application::{
    Adapters, Engine, EngineConfig,
    ports::{
        AudioFile, Capabilities, Clock, EventBus, FetchError, Hint, Ids, JobStore, MediaSource,
        PollAnswer, PortFailure, Progress, SpeechError, SpeechToText, SubmitAnswer, UserRepository,
    },
};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{
    Email, FailureCode, Metadata, PasswordDigest, Source, Stage, Status, SubmissionState,
    Transcription, TranscriptionId, TranscriptionOptions, TranscriptionState, User, UserId,
};
use testkit::fakes::{
    self, Fakes, Gate, ScriptedMedia, ScriptedSpeech, SpeechMethod, fetch_error, small_transcript,
    speech_error,
};

struct Bench {
    fakes: Fakes,
    owner: UserId,
}

impl Bench {
    async fn new(fakes: Fakes) -> Self {
        let owner = UserId::from_uuid(fakes.ids.next());
        let email = Email::parse("owner@example.com").unwrap();
        let user = User::register(owner, email, None, PasswordDigest::new("x"), fakes.clock.now());
        fakes.store.insert(&user).await.unwrap();
        Self { fakes, owner }
    }

    async fn default() -> Self {
        Self::new(fakes::adapters()).await
    }

    fn engine(&self) -> Arc<Engine> {
        engine_over(&self.fakes.adapters())
    }

    async fn enqueue(&self) -> TranscriptionId {
        let id = TranscriptionId::from_uuid(self.fakes.ids.next());
        let url = "https://example.com/speech.wav";
        let transcription = Transcription::request(
            id,
            self.owner,
            Some(url.to_owned()),
            Source::parse(url).unwrap(),
            TranscriptionOptions::default(),
            Metadata::default(),
            self.fakes.speech.name().to_owned(),
            self.fakes.clock.now(),
        );
        self.fakes.store.enqueue(&transcription).await.unwrap();
        id
    }

    /// Runs jobs while the clock goes on, for as long as anything could still happen.
    async fn run_for(&self, engine: &Arc<Engine>, total: TimeDelta, step: TimeDelta) {
        let mut passed = TimeDelta::zero();
        while passed <= total {
            engine.run_pending().await.unwrap();
            self.fakes.clock.advance(step);
            passed += step;
        }
    }

    async fn hours(&self, engine: &Arc<Engine>, hours: i64) {
        self.run_for(engine, TimeDelta::hours(hours), TimeDelta::minutes(2)).await;
    }

    async fn status(&self, id: TranscriptionId) -> Status {
        self.found(id).await.status()
    }

    async fn found(&self, id: TranscriptionId) -> Transcription {
        self.fakes
            .adapters()
            .transcriptions
            .find(self.owner, id)
            .await
            .unwrap()
            .unwrap()
            .transcription
    }

    async fn failure(&self, id: TranscriptionId) -> (FailureCode, Stage) {
        match &self.found(id).await.parts().state {
            TranscriptionState::Failed { failure, .. } => (failure.code(), failure.stage()),
            other => panic!("not failed: {other:?}"),
        }
    }
}

fn engine_over(adapters: &Adapters) -> Arc<Engine> {
    Engine::new(adapters, EngineConfig::default())
}

fn harmless() -> ScriptedSpeech {
    ScriptedSpeech::default().with_capabilities(Capabilities {
        needs_audio: false,
        resubmission_is_harmless: true,
        limited_concurrency: false,
    })
}

/// Waits until somebody comes to a gate, and fails if nobody does.
async fn stands_before(gate: &Gate) {
    let reached = tokio::time::timeout(Duration::from_secs(5), gate.reached()).await;
    assert!(reached.is_ok(), "nobody came");
}

/// Runs an engine in a runtime of its own until `reached` ends, and kills it there.
async fn kill_when(engine: Arc<Engine>, reached: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move { engine.run_pending().await });
    reached.await;
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_job_passes_every_stage_and_is_paid_for_once() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    let found = bench.fakes.adapters().transcriptions.find(bench.owner, id).await.unwrap().unwrap();
    assert_eq!(found.transcription.status(), Status::Completed);
    assert_eq!(found.text, Some(small_transcript().text));
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
    assert!(bench.fakes.media.kept().await.unwrap().is_empty(), "local audio is removed");
    assert!(bench.fakes.store.jobs().is_empty(), "the job row is gone");
}

#[tokio::test]
async fn an_engine_that_needs_no_audio_is_given_none() {
    let mut fakes = fakes::adapters();
    fakes.speech = Arc::new(harmless());
    let bench = Bench::new(fakes).await;
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.media.fetches(), 0);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 0);
}

#[tokio::test]
async fn a_passing_fault_of_the_source_is_tried_again() {
    let bench = Bench::default().await;
    bench.fakes.media.next_fetch(Err(fetch_error(FailureCode::SourceUnreachable)));
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Processing, "never pending again");
    bench.hours(&engine, 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.found(id).await.parts().retry_count, 1);
}

#[tokio::test]
async fn a_source_that_stays_away_is_given_up() {
    let bench = Bench::default().await;
    for _ in 0..50 {
        bench.fakes.media.next_fetch(Err(fetch_error(FailureCode::SourceUnreachable)));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 20).await;
    assert_eq!(bench.failure(id).await, (FailureCode::SourceUnreachable, Stage::Fetching));
    assert_eq!(bench.fakes.media.fetches(), 8);
}

#[tokio::test]
async fn a_forbidden_source_fails_at_once_and_nothing_is_submitted() {
    let bench = Bench::default().await;
    bench.fakes.media.next_fetch(Err(fetch_error(FailureCode::SourceForbidden)));
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.failure(id).await, (FailureCode::SourceForbidden, Stage::Fetching));
    assert!(bench.fakes.speech.calls().is_empty());
}

#[tokio::test]
async fn an_engine_without_harm_is_asked_again_after_a_crash() {
    let mut fakes = fakes::adapters();
    fakes.speech = Arc::new(harmless());
    let bench = Bench::new(fakes).await;
    let id = bench.enqueue().await;
    let gate = bench.fakes.speech.gate(SpeechMethod::Submit);
    gate.close();
    kill_when(bench.engine(), gate.reached()).await;
    gate.open();
    bench.hours(&bench.engine(), 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.store.submissions(id).len(), 1, "the same intent is used");
}

#[tokio::test]
async fn a_crash_while_fetching_is_taken_up_again() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    kill_when(bench.engine(), bench.fakes.media.gate().reached()).await;
    bench.fakes.media.gate().open();
    bench.hours(&bench.engine(), 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn a_job_that_kills_its_process_three_times_is_given_up() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    for _ in 0..3 {
        bench.fakes.media.gate().close();
        kill_when(bench.engine(), bench.fakes.media.gate().reached()).await;
        bench.fakes.media.gate().left().await;
        bench.fakes.clock.advance(TimeDelta::minutes(2));
        bench.fakes.store.tick(10).await.unwrap();
    }
    assert_eq!(bench.failure(id).await.0, FailureCode::WorkerCrashLoop);
}

#[tokio::test]
async fn an_intent_written_too_late_is_withdrawn_and_nothing_is_sent() {
    let mut fakes = fakes::adapters();
    fakes.speech = Arc::new(harmless());
    let bench = Bench::new(fakes).await;
    let id = bench.enqueue().await;
    let lease = Duration::from_nanos(3);
    let hasty =
        Engine::new(&bench.fakes.adapters(), EngineConfig { lease, ..EngineConfig::default() });
    hasty.run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 0);
    let submissions = bench.fakes.store.submissions(id);
    assert!(submissions.iter().all(|s| s.state == SubmissionState::Error), "{submissions:?}");
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test]
async fn a_refusal_is_tried_again_under_a_new_submission() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderThrottled)));
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    let seqs: Vec<_> = bench.fakes.store.submissions(id).iter().map(|s| (s.seq, s.state)).collect();
    assert_eq!(seqs, [(1, SubmissionState::Error), (2, SubmissionState::Finished)]);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 1, "the upload is used again");
}

#[tokio::test]
async fn a_job_that_waits_for_a_day_is_given_up() {
    let bench = Bench::default().await;
    for _ in 0..999 {
        bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderPaymentRequired)));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 30).await;
    assert_eq!(bench.failure(id).await.0, FailureCode::DeadlineExceeded);
}

#[tokio::test]
async fn a_failure_of_the_engine_is_submitted_once_more_and_no_oftener() {
    let bench = Bench::default().await;
    for _ in 0..9 {
        let failed = PollAnswer::Failed(speech_error(FailureCode::ProviderFailed));
        bench.fakes.speech.next_poll(Ok(failed));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 5).await;
    assert_eq!(bench.failure(id).await, (FailureCode::ProviderFailed, Stage::Transcribing));
    let uploads: Vec<_> = bench.fakes.speech.accepted().into_iter().map(|j| j.upload_url).collect();
    assert_eq!(uploads.len(), 2);
    assert_ne!(uploads[0], uploads[1], "the upload may be what it failed at");
}

#[tokio::test]
async fn a_failure_that_lies_in_the_recording_is_final_and_keeps_the_engines_words() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_poll(Ok(PollAnswer::Failed(SpeechError {
        detail: Some("Audio duration is too short.".to_owned()),
        ..speech_error(FailureCode::AudioTooShort)
    })));
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    match &bench.found(id).await.parts().state {
        TranscriptionState::Failed { failure, .. } => {
            assert_eq!(failure.code(), FailureCode::AudioTooShort);
            assert!(failure.message().contains("Audio duration is too short."));
            assert!(!failure.retriable());
        }
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_asked_again_and_nothing_is_resubmitted() {
    let bench = Bench::default().await;
    for _ in 0..40 {
        bench.fakes.speech.next_poll(Err(speech_error(FailureCode::ProviderUnavailable)));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 4).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn an_engine_that_never_finishes_is_given_up_after_six_hours() {
    let bench = Bench::default().await;
    for _ in 0..999 {
        let check_after = TimeDelta::minutes(1);
        bench.fakes.speech.next_poll(Ok(PollAnswer::Pending { check_after }));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 7).await;
    assert_eq!(bench.failure(id).await, (FailureCode::ProviderTimeout, Stage::Transcribing));
}

#[tokio::test]
async fn an_upload_that_the_engine_lost_is_made_once_more() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderUploadLost)));
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 2);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn an_upload_that_the_engine_loses_again_and_again_is_given_up() {
    let bench = Bench::default().await;
    for _ in 0..9 {
        bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderUploadLost)));
    }
    let id = bench.enqueue().await;
    bench.hours(&bench.engine(), 2).await;
    assert_eq!(bench.failure(id).await.0, FailureCode::ProviderRejected);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 2);
}

#[tokio::test]
async fn an_upload_too_old_to_be_relied_upon_is_made_anew() {
    let bench = Bench::default().await;
    for _ in 0..999 {
        bench.fakes.speech.next_submit(Err(speech_error(FailureCode::ProviderAuth)));
    }
    bench.enqueue().await;
    bench.hours(&bench.engine(), 23).await;
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Upload), 2);
}

#[tokio::test]
async fn what_is_canceled_while_it_is_fetched_is_never_submitted() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    let engine = bench.engine();
    let running = tokio::spawn(async move { engine.run_pending().await });
    bench.fakes.media.gate().reached().await;
    bench.fakes.store.cancel(bench.owner, id).await.unwrap();
    bench.fakes.media.gate().open();
    running.await.unwrap().unwrap();
    assert_eq!(bench.status(id).await, Status::Canceled);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Submit), 0);
    assert!(bench.fakes.media.kept().await.unwrap().is_empty(), "local audio is removed");
}

#[tokio::test]
async fn what_is_canceled_while_it_is_submitted_is_erased_at_the_engine() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.speech.gate(SpeechMethod::Submit).close();
    let engine = bench.engine();
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.run_pending().await }
    });
    bench.fakes.speech.gate(SpeechMethod::Submit).reached().await;
    bench.fakes.store.cancel(bench.owner, id).await.unwrap();
    bench.fakes.speech.gate(SpeechMethod::Submit).open();
    running.await.unwrap().unwrap();
    assert_eq!(bench.status(id).await, Status::Canceled);
    engine.erase().await.unwrap();
    assert!(bench.fakes.speech.accepted().iter().all(|job| job.erased));
}

#[tokio::test]
async fn a_running_engine_lets_go_of_a_canceled_job_at_once() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    let handle = bench.engine().start();
    bench.fakes.media.gate().reached().await;
    bench.fakes.store.cancel(bench.owner, id).await.unwrap();
    bench.fakes.events.publish(Hint::Ended(id));
    // The gate stays closed: the fetch itself is dropped.
    // Long before the next heartbeat would tell.
    let left = tokio::time::timeout(Duration::from_secs(5), bench.fakes.media.gate().left()).await;
    assert!(left.is_ok());
    assert!(handle.drain().await);
}

#[tokio::test]
async fn what_is_deleted_while_nobody_holds_it_leaves_no_audio() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_upload(Err(speech_error(FailureCode::ProviderUnavailable)));
    let id = bench.enqueue().await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.media.kept().await.unwrap(), [id], "kept for the retry");
    let handle = engine.start();
    tokio::task::yield_now().await;
    bench.fakes.store.delete(bench.owner, id).await.unwrap();
    let gone = async {
        while !bench.fakes.media.kept().await.unwrap().is_empty() {
            bench.fakes.events.publish(Hint::Ended(id));
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), gone).await.is_ok());
    assert!(handle.drain().await);
}

#[tokio::test]
async fn a_hint_alone_ends_no_job_that_waits() {
    let bench = Bench::default().await;
    for _ in 0..2 {
        bench.fakes.speech.next_upload(Err(speech_error(FailureCode::ProviderUnavailable)));
    }
    let (waiting, deleted) = (bench.enqueue().await, bench.enqueue().await);
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.media.kept().await.unwrap().len(), 2, "kept for the retry");
    let handle = engine.start();
    bench.fakes.store.delete(bench.owner, deleted).await.unwrap();
    let gone = async {
        // Hints are heard in their order: with the second, the first has been dealt with.
        while bench.fakes.media.kept().await.unwrap().contains(&deleted) {
            bench.fakes.events.publish(Hint::Ended(waiting));
            bench.fakes.events.publish(Hint::Ended(deleted));
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), gone).await.is_ok());
    assert_eq!(bench.fakes.media.kept().await.unwrap(), [waiting]);
    assert!(handle.drain().await);
}

#[tokio::test]
async fn a_drain_hands_a_fetch_back_uncounted() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    let handle = bench.engine().start();
    bench.fakes.media.gate().reached().await;
    assert!(handle.drain().await);
    assert_eq!(bench.found(id).await.parts().retry_count, 0);
    let job = bench.fakes.store.job(id).unwrap();
    assert_eq!((job.parts().failures, job.parts().crashes), (0, 0));
    bench.fakes.media.gate().open();
    bench.engine().run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test]
async fn a_drain_lets_a_submission_finish() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.speech.gate(SpeechMethod::Submit).close();
    let handle = bench.engine().start();
    bench.fakes.speech.gate(SpeechMethod::Submit).reached().await;
    let drained = tokio::spawn(handle.drain());
    tokio::task::yield_now().await;
    bench.fakes.speech.gate(SpeechMethod::Submit).open();
    assert!(drained.await.unwrap());
    let submissions = bench.fakes.store.submissions(id);
    assert_eq!(submissions[0].state, SubmissionState::Accepted);
}

#[tokio::test]
async fn a_holder_that_slept_past_its_lease_changes_nothing() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    let sleeper = bench.engine();
    let sleeping = tokio::spawn(async move { sleeper.run_pending().await });
    bench.fakes.media.gate().reached().await;
    bench.fakes.clock.advance(TimeDelta::minutes(2));
    let other = Engine::new(
        &Adapters { media: Arc::new(ScriptedMedia::default()), ..bench.fakes.adapters() },
        EngineConfig::default(),
    );
    other.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    bench.fakes.media.gate().open();
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
}

#[tokio::test]
async fn a_job_of_another_engine_waits_for_it() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    let other = Arc::new(ScriptedSpeech::default().named("other"));
    let adapters = Adapters { speech: other.clone(), ..bench.fakes.adapters() };
    bench.hours(&engine_over(&adapters), 1).await;
    assert_eq!(bench.status(id).await, Status::Processing);
    assert!(other.calls().is_empty());
    bench.hours(&bench.engine(), 1).await;
    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test]
async fn local_audio_of_jobs_that_ended_is_swept_away() {
    let bench = Bench::default().await;
    let alive = bench.enqueue().await;
    let dead = TranscriptionId::from_uuid(bench.fakes.ids.next());
    let source = Source::parse("https://example.com/a.wav").unwrap();
    for id in [alive, dead] {
        bench.fakes.media.fetch(id, &source, &()).await.unwrap();
    }
    let engine = bench.engine();
    assert_eq!(engine.sweep().await.unwrap(), 0, "it may be about to be put in the queue");
    bench.fakes.clock.advance(TimeDelta::hours(2));
    assert_eq!(engine.sweep().await.unwrap(), 1);
    assert_eq!(bench.fakes.media.kept().await.unwrap(), [alive]);
}

#[tokio::test]
async fn no_more_jobs_are_at_the_engine_than_may_be() {
    let mut fakes = fakes::adapters();
    fakes.speech = Arc::new(ScriptedSpeech::default().with_check_after(TimeDelta::hours(1)));
    let bench = Bench::new(fakes).await;
    for _ in 0..20 {
        bench.enqueue().await;
    }
    let engine = Engine::new(
        &bench.fakes.adapters(),
        EngineConfig { provider_cap: 3, ..EngineConfig::default() },
    );
    engine.run_pending().await.unwrap();
    assert_eq!(bench.fakes.speech.accepted().len(), 3);
}

/// A source that is a mistake of ours.
struct Panics;

#[async_trait]
impl MediaSource for Panics {
    async fn fetch(
        &self,
        _: TranscriptionId,
        _: &Source,
        _: &dyn Progress,
    ) -> Result<AudioFile, FetchError> {
        panic!("a mistake");
    }

    async fn discard(&self, _: TranscriptionId) -> Result<(), PortFailure> {
        Ok(())
    }

    async fn kept(&self) -> Result<Vec<TranscriptionId>, PortFailure> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_panic_costs_the_job_and_not_the_process() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    let adapters = Adapters { media: Arc::new(Panics), ..bench.fakes.adapters() };
    bench.hours(&engine_over(&adapters), 2).await;
    assert_eq!(bench.failure(id).await, (FailureCode::Internal, Stage::Fetching));
}

#[tokio::test]
async fn an_answer_in_time_is_stored_under_the_engines_name_for_the_job() {
    let bench = Bench::default().await;
    bench.fakes.speech.next_submit(Ok(SubmitAnswer {
        provider_id: "abc".to_owned(),
        check_after: TimeDelta::seconds(5),
    }));
    let id = bench.enqueue().await;
    bench.engine().run_pending().await.unwrap();
    let submission = bench.fakes.store.submissions(id).remove(0);
    assert_eq!(submission.provider_id.as_deref(), Some("abc"));
    assert_eq!(submission.state, SubmissionState::Accepted);
}
