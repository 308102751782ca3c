//! A process that was frozen and wakes up when its job is another's.

use std::{path::Path, sync::Arc};

use application::{
    Adapters, Engine, EngineConfig,
    ports::{
        Capabilities, JobStore, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest,
        Wanted,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Status, SubmissionState, Transcript};
use testkit::fakes::{Gate, ScriptedSpeech, SpeechMethod};
use tokio::task::JoinHandle;

use super::{Bench, stands_before};

/// How a process sees the engine that freezes while it submits.
struct Freezing {
    inner: Arc<ScriptedSpeech>,
    /// Between the last check and the request.
    before: Gate,
    /// Between the request and its answer.
    after: Gate,
}

#[async_trait]
impl SpeechToText for Freezing {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn upload(&self, audio: &Path) -> Result<String, SpeechError> {
        self.inner.upload(audio).await
    }

    async fn submit(&self, request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        self.before.pass().await;
        let answer = self.inner.submit(request).await;
        self.after.pass().await;
        answer
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        self.inner.find(wanted).await
    }

    async fn poll(
        &self,
        provider_id: &str,
        polls: u32,
        since: DateTime<Utc>,
        jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        self.inner.poll(provider_id, polls, since, jitter).await
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        self.inner.result(provider_id, video_url).await
    }

    async fn erase(&self, provider_id: &str) -> Result<(), SpeechError> {
        self.inner.erase(provider_id).await
    }
}

/// A process that stands still in the middle of a submission.
struct Zombie {
    speech: Arc<Freezing>,
    running: JoinHandle<()>,
}

impl Zombie {
    async fn freeze(bench: &Bench, gate: fn(&Freezing) -> &Gate) -> Self {
        let speech = Arc::new(Freezing {
            inner: bench.fakes.speech.clone(),
            before: Gate::default(),
            after: Gate::default(),
        });
        gate(&speech).close();
        let adapters = Adapters { speech: speech.clone(), ..bench.fakes.adapters() };
        let engine = Engine::new(&adapters, EngineConfig::default());
        let running = tokio::spawn(async move {
            engine.run_pending().await.unwrap();
        });
        gate(&speech).reached().await;
        // Nobody hears of it until its lease has ended.
        bench.fakes.clock.advance(TimeDelta::minutes(2));
        Self { speech, running }
    }

    async fn thaw(self) {
        self.speech.before.open();
        self.speech.after.open();
        self.running.await.unwrap();
    }
}

fn kept_copies(bench: &Bench) -> Vec<String> {
    let kept = bench.fakes.speech.accepted().into_iter().filter(|job| !job.erased);
    kept.map(|job| job.provider_id).collect()
}

#[tokio::test]
async fn an_answer_that_comes_after_the_job_was_found_changes_nothing() {
    let mut bench = Bench::default().await;
    bench.fakes.speech =
        Arc::new(ScriptedSpeech::default().with_check_after(TimeDelta::seconds(5)));
    let id = bench.enqueue().await;
    let zombie = Zombie::freeze(&bench, |speech| &speech.after).await;
    let engine = Engine::new(
        &bench.fakes.adapters(),
        EngineConfig { erase_after_store: false, ..EngineConfig::default() },
    );
    engine.run_pending().await.unwrap();
    assert_eq!(bench.status(id).await, Status::Completed, "found in the list");
    zombie.thaw().await;
    engine.erase().await.unwrap();
    assert_eq!(kept_copies(&bench), ["provider-1"]);
    assert_eq!(bench.states(id), [SubmissionState::Finished]);
    assert_eq!(bench.fakes.store.duplicates().await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_comes_while_the_list_still_lags_is_taken_up() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    let id = bench.enqueue().await;
    let zombie = Zombie::freeze(&bench, |speech| &speech.after).await;
    let engine = bench.engine();
    engine.run_pending().await.unwrap();
    assert_eq!(bench.states(id), [SubmissionState::Intent]);
    // Having told of the answer, it goes on like any other process.
    zombie.thaw().await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.count(SpeechMethod::Find), 1, "adopted without the list");
    assert_eq!((bench.sent(), bench.fakes.store.duplicates().await.unwrap()), (1, 0));
}

#[tokio::test]
async fn an_answer_that_comes_while_another_holds_the_job_tells_it_where_to_look() {
    let bench = Bench::default().await;
    bench.fakes.speech.list_lags();
    let id = bench.enqueue().await;
    let zombie = Zombie::freeze(&bench, |speech| &speech.after).await;
    let looking = bench.fakes.speech.gate(SpeechMethod::Find);
    looking.close();
    let engine = bench.engine();
    let other = tokio::spawn({
        let engine = engine.clone();
        async move { engine.run_pending().await }
    });
    stands_before(looking).await;
    zombie.thaw().await;
    looking.open();
    other.await.unwrap().unwrap();
    // The list never catches up.
    bench.minutes(&engine, 15).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!((bench.sent(), bench.fakes.store.duplicates().await.unwrap()), (1, 0));
}

#[tokio::test]
async fn a_request_that_leaves_after_the_window_is_counted_and_its_copy_erased() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    let zombie = Zombie::freeze(&bench, |speech| &speech.before).await;
    let engine = bench.engine();
    bench.minutes(&engine, 15).await;
    assert_eq!(bench.status(id).await, Status::Completed);
    assert_eq!(bench.fakes.speech.accepted().len(), 1);
    engine.erase().await.unwrap();
    zombie.thaw().await;
    assert_eq!(kept_copies(&bench), ["provider-2"], "nothing keeps a request from being late");
    assert_eq!(bench.fakes.store.duplicates().await.unwrap(), 1, "and it is told");
    engine.erase().await.unwrap();
    assert!(kept_copies(&bench).is_empty());
    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test]
async fn an_answer_for_a_job_that_was_called_off_meanwhile_is_erased() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    let zombie = Zombie::freeze(&bench, |speech| &speech.after).await;
    bench.fakes.store.delete(bench.owner, id).await.unwrap();
    zombie.thaw().await;
    bench.engine().erase().await.unwrap();
    assert!(kept_copies(&bench).is_empty());
    assert_eq!(bench.fakes.store.duplicates().await.unwrap(), 0);
}
