//! The job engine: claims jobs, moves them one stage at a time, and survives what goes wrong.
//!
//! One coordinator promotes, polls and claims; every claimed job runs in a task of its own under a
//! lease that one heartbeat keeps alive for all. A task that can no longer be sure of its lease
//! stops by itself, before another process may take the job over. While the speech engine works,
//! nobody waits: the job has no lease and no slot.

mod coordinator;
mod held;
mod housekeeping;
mod orphans;
mod pause;
mod poll;
mod progress;
mod reconcile;
mod run;
mod stages;
mod submit;
mod uploads;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{RetryPolicy, SettlePolicy, WorkerId};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Adapters,
    ports::{
        Capabilities, Clock, Entropy, EventBus, Ids, JobStore, MediaSource, ObjectStore,
        PortFailure, SpeechToText,
    },
};
use held::HeldLeases;
use pause::Stop;

/// How long each stage may take. Not scaled with the lease: a heartbeat alone must never keep a
/// hung stage alive.
#[derive(Debug, Clone, Copy)]
pub struct StageDeadlines {
    /// Bringing the audio here.
    pub fetch: Duration,
    /// Bringing it to the engine.
    pub upload: Duration,
    /// Asking the engine, answer included. Shorter than a drain, with some grace: a drain must not
    /// part a request from its answer.
    pub submit: Duration,
    /// Looking for a submission in the engine's list.
    pub find: Duration,
    /// Reading and storing the result.
    pub store: Duration,
}

impl Default for StageDeadlines {
    fn default() -> Self {
        Self {
            fetch: Duration::from_mins(30),
            upload: Duration::from_mins(20),
            submit: Duration::from_secs(18),
            find: Duration::from_mins(1),
            store: Duration::from_mins(1),
        }
    }
}

/// How the engine works.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Leased jobs at once in this process.
    pub slots: u32,
    /// Leased jobs of one user at once, over all processes.
    pub per_owner: u32,
    /// Jobs at a limited speech engine at once, over all processes.
    pub provider_cap: u32,
    /// How long a lease lasts without a heartbeat. Heartbeat, self-fence, intent age and the
    /// hold of a poll follow.
    pub lease: Duration,
    /// How long an idle engine sleeps at most.
    pub idle: Duration,
    /// How long a drain waits for what must finish.
    pub drain: Duration,
    /// Stage deadlines.
    pub deadlines: StageDeadlines,
    /// When to try again.
    pub retry: RetryPolicy,
    /// When to look for a submission whose answer was lost, and when to give it up.
    pub settle: SettlePolicy,
    /// Whether the engine's copy is erased once the transcript is stored.
    pub erase_after_store: bool,
    /// Whether no other process uses the stores: what an upload had left before this one began can
    /// then go at once.
    pub alone: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            slots: 4,
            per_owner: 4,
            provider_cap: 5,
            lease: Duration::from_mins(1),
            idle: Duration::from_secs(1),
            drain: Duration::from_secs(25),
            deadlines: StageDeadlines::default(),
            retry: RetryPolicy::default(),
            settle: SettlePolicy::default(),
            erase_after_store: true,
            alone: false,
        }
    }
}

impl EngineConfig {
    /// How often leases are prolonged.
    fn heartbeat(&self) -> Duration {
        self.lease / 4
    }

    /// How long after the last heartbeat a task may still act.
    fn fence(&self) -> Duration {
        self.lease * 2 / 3
    }

    /// Whether a request may still leave `since` its intent was begun, with `left` of the time in
    /// which the lease can be relied upon: an older intent may have been found by another holder,
    /// and an answer that comes after the lease is an answer lost.
    fn may_send(&self, since: Duration, left: Duration) -> bool {
        since < self.lease / 3 && left > self.lease / 6
    }

    /// How long two pollers keep out of each other's way, and thus how long a job waits for its
    /// next poll when its poller dies: no longer than for its next holder.
    fn poll_hold(&self) -> Duration {
        self.lease.min(Duration::from_mins(1))
    }

    /// How long one question may take: less than pollers keep apart.
    fn poll_timeout(&self) -> Duration {
        self.poll_hold() * 3 / 4
    }
}

/// Runs jobs.
pub struct Engine {
    jobs: Arc<dyn JobStore>,
    speech: Arc<dyn SpeechToText>,
    media: Arc<dyn MediaSource>,
    objects: Arc<dyn ObjectStore>,
    events: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    entropy: Arc<dyn Entropy>,
    config: EngineConfig,
    capabilities: Capabilities,
    worker: WorkerId,
    held: HeldLeases,
    tasks: TaskTracker,
    stopping: CancellationToken,
    wake: Notify,
    due: Mutex<Option<Instant>>,
    began: DateTime<Utc>,
    /// Something is to be erased at the speech engine.
    nudge: Notify,
    stop: Mutex<Stop>,
    /// When jobs were last looked for without a failure.
    turned: Mutex<Instant>,
}

impl Engine {
    /// An engine over the given ports. Nothing runs before [`Engine::start`].
    pub fn new(adapters: &Adapters, config: EngineConfig) -> Arc<Self> {
        Arc::new(Self {
            jobs: Arc::clone(&adapters.jobs),
            speech: Arc::clone(&adapters.speech),
            media: Arc::clone(&adapters.media),
            objects: Arc::clone(&adapters.objects),
            events: Arc::clone(&adapters.events),
            clock: Arc::clone(&adapters.clock),
            ids: Arc::clone(&adapters.ids),
            entropy: Arc::clone(&adapters.entropy),
            capabilities: adapters.speech.capabilities(),
            worker: WorkerId::from_uuid(adapters.ids.next()),
            held: HeldLeases::new(config.fence()),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            wake: Notify::new(),
            due: Mutex::new(None),
            began: adapters.clock.now(),
            nudge: Notify::new(),
            stop: Mutex::default(),
            turned: Mutex::new(Instant::now()),
            config,
        })
    }

    /// Begins to work, until [`EngineHandle::drain`].
    pub fn start(self: &Arc<Self>) -> EngineHandle {
        let coordinator = tokio::spawn(Arc::clone(self).coordinate());
        let heartbeat = tokio::spawn(Arc::clone(self).beat());
        let housekeeping = tokio::spawn(Arc::clone(self).keep_house());
        let orphans = tokio::spawn(Arc::clone(self).watch_orphans());
        let background = [heartbeat, housekeeping, orphans];
        EngineHandle { engine: Arc::clone(self), coordinator, background }
    }

    /// How long ago jobs were last looked for without a failure, or the engine was made. An engine
    /// that can work looks about once a second.
    pub fn since_last_look(&self) -> Duration {
        self.turned.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn turned(&self) {
        *self.turned.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Runs whatever is due now to its end, once: for tests that move the clock by hand. Returns
    /// how many jobs were claimed or polled.
    ///
    /// # Errors
    /// [`PortFailure`] of the job store.
    pub async fn run_pending(self: &Arc<Self>) -> Result<usize, PortFailure> {
        let mut moved = 0;
        // Bounded: a job passes through no more than a few claims at one instant.
        for _ in 0..16 {
            let turn = self.turn().await?;
            self.tasks.close();
            self.tasks.wait().await;
            self.tasks.reopen();
            if let Some(failure) = turn.unticked {
                return Err(failure);
            }
            if turn.started == 0 {
                break;
            }
            moved += turn.started;
        }
        Ok(moved)
    }

    fn jittered(&self, duration: Duration, share: f64) -> Duration {
        duration.mul_f64(1.0 + share * (2.0 * self.entropy.unit() - 1.0))
    }

    /// Makes the coordinator look again no later than in `delay`.
    fn wake_in(&self, delay: Duration) {
        let at = Instant::now() + delay;
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.is_none_or(|seen| at < seen) {
            *due = Some(at);
            self.wake.notify_one();
        }
    }

    fn is_mock(&self) -> bool {
        !self.capabilities.needs_audio
    }
}

/// A running engine.
pub struct EngineHandle {
    engine: Arc<Engine>,
    coordinator: JoinHandle<()>,
    /// The heartbeat, which a drain still needs, the housekeeping and the watch for orphans.
    background: [JoinHandle<()>; 3],
}

impl EngineHandle {
    /// Ends when the engine has ended by itself, which it does not unless something is wrong; then
    /// its leases run out, and others take its jobs over. There is nothing left to drain.
    pub async fn ended(&mut self) {
        let [heartbeat, ..] = &mut self.background;
        let ended = tokio::select! {
            ended = &mut self.coordinator => ended,
            ended = heartbeat => ended,
        };
        tracing::error!(
            event = "engine_ended",
            panicked = ended.is_err(),
            "the job engine ended by itself"
        );
    }

    /// Stops: claims nothing more, hands fetches and uploads back, lets submissions and stores
    /// finish. Returns whether all ended in time; what did not is taken up again when its lease
    /// ends.
    pub async fn drain(self) -> bool {
        let Self { engine, coordinator, background } = self;
        engine.stopping.cancel();
        // The coordinator first: what it is claiming right now must become a task, not a lease
        // that nobody holds.
        let drained = async {
            let ended = coordinator.await;
            engine.tasks.close();
            engine.tasks.wait().await;
            ended.is_ok()
        };
        let clean = tokio::time::timeout(engine.config.drain, drained).await.unwrap_or(false);
        for handle in background {
            handle.abort();
        }
        tracing::info!(event = "engine_drained", clean, "job engine stopped");
        clean
    }
}

/// A delta as tokio counts it; a negative one is zero.
fn duration(delta: TimeDelta) -> Duration {
    delta.to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::EngineConfig;
    use std::time::Duration;

    #[test]
    fn a_drain_waits_for_every_answer_of_the_engine() {
        let EngineConfig { deadlines, drain, .. } = EngineConfig::default();
        assert!(deadlines.submit + super::submit::GRACE < drain);
    }

    #[test]
    fn a_request_leaves_only_under_a_young_intent_and_a_sure_lease() {
        let config = EngineConfig { lease: Duration::from_mins(1), ..EngineConfig::default() };
        for (since, left, verdict) in
            [(0, 40, true), (19, 11, true), (19, 10, false), (20, 40, false), (0, 0, false)]
        {
            let (since, left) = (Duration::from_secs(since), Duration::from_secs(left));
            assert_eq!(config.may_send(since, left), verdict, "{since:?} {left:?}");
        }
    }
}
