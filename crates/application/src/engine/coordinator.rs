//! The loop that looks for work, and the heartbeat.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{FailureCode, Stage, TranscriptionId};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep, timeout},
};

use super::{Engine, duration, pause::Admission};
use crate::{
    causes,
    ports::{ClaimRequest, Hint, Hints, PortFailure},
};

/// How many rows one look takes at most.
const BATCH: u32 = 64;

/// The shortest pause between two looks: whatever the store says, the loop never spins.
const BREATH: Duration = Duration::from_millis(20);

/// How long jobs of other processes may hold up those of this one: what they need done is not what
/// ours wait for.
const TICK: Duration = Duration::from_secs(8);

/// What one look found.
pub(super) struct Turn {
    /// Jobs claimed and polls begun.
    pub(super) started: usize,
    /// How long until something is known to be due.
    next: Option<Duration>,
    /// Why jobs were neither promoted nor taken from the dead, where they were not.
    pub(super) unticked: Option<PortFailure>,
}

impl Engine {
    /// Promotes, reaps, polls and claims, once. What is due already is polled and claimed even where
    /// the rest cannot be done.
    ///
    /// # Errors
    /// [`PortFailure`] where nothing could be polled or claimed.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn, PortFailure> {
        let ticked = self.tick().await;
        let polls = self.jobs.due_polls(BATCH, self.config.poll_hold()).await?;
        let mut started = polls.len();
        for due in polls {
            self.tasks.spawn(Arc::clone(self).poll(due));
        }
        started += self.claim().await?;
        let (due, unticked) = match ticked {
            Ok(due) => (due, None),
            Err(failure) => (None, Some(failure)),
        };
        let now = self.clock.now();
        Ok(Turn { started, next: due.map(|due| duration(due - now)), unticked })
    }

    /// Promotes and reaps; returns when the next job is due.
    async fn tick(&self) -> Result<Option<DateTime<Utc>>, PortFailure> {
        let report = timeout(TICK, self.jobs.tick(BATCH))
            .await
            .unwrap_or_else(|slow| Err(PortFailure::transient("jobs.tick", slow)))?;
        if report.reaped > 0 {
            tracing::warn!(
                event = "jobs_reaped",
                reaped = report.reaped,
                "took jobs from holders that died"
            );
        }
        for (job, code) in report.ended {
            self.given_up(job, code).await;
        }
        Ok(report.next_due)
    }

    /// A job was called off, says a hint: its holder is told at once, and what nobody holds leaves
    /// no audio. The store decides whether that is so: whoever may send hints could otherwise
    /// destroy what waiting jobs still need.
    async fn let_end(&self, job: TranscriptionId) {
        if self.held.holds(job) {
            self.beat_once().await;
        } else if self.has_ended(job).await {
            self.discard(job).await;
        }
        self.nudge.notify_one();
    }

    /// A job ended without a holder.
    async fn given_up(&self, job: TranscriptionId, code: FailureCode) {
        tracing::error!(
            event = "transcription_failed",
            job.id = %job,
            error.code = code.as_str(),
            "gave up"
        );
        self.discard(job).await;
        self.events.publish(Hint::Changed(job));
    }

    /// Fills the free slots.
    async fn claim(self: &Arc<Self>) -> Result<usize, PortFailure> {
        let busy = u32::try_from(self.held.count()).unwrap_or(u32::MAX);
        let slots = self.config.slots.saturating_sub(busy);
        if slots == 0 || self.stopping.is_cancelled() {
            return Ok(0);
        }
        let cap = self.capabilities.limited_concurrency.then_some(self.config.provider_cap);
        match self.admission().await? {
            Admission::Any => Ok(self.take(slots, cap).await?.len()),
            // What the engine has finished is stored all the same.
            Admission::None => Ok(self.take(slots, Some(0)).await?.len()),
            Admission::One => {
                let stored = self.take(slots, Some(0)).await?.len();
                let left = slots.saturating_sub(u32::try_from(stored).unwrap_or(u32::MAX));
                let tried = self.take(left.min(1), cap).await?;
                for (job, _) in tried.iter().filter(|(_, stage)| *stage != Stage::Storing) {
                    self.try_with(*job);
                }
                Ok(stored + tried.len())
            }
        }
    }

    /// Claims and starts up to `slots` jobs; returns which, and at which stage.
    async fn take(
        self: &Arc<Self>,
        slots: u32,
        provider_cap: Option<u32>,
    ) -> Result<Vec<(TranscriptionId, Stage)>, PortFailure> {
        if slots == 0 {
            return Ok(Vec::new());
        }
        let asked = Instant::now();
        let request = ClaimRequest {
            worker: self.worker,
            slots,
            lease: self.config.lease,
            per_owner: self.config.per_owner,
            provider_cap,
        };
        let mut taken = Vec::new();
        for claimed in self.jobs.claim(&request).await? {
            let job = claimed.lease.job;
            taken.push((job, claimed.job.parts().stage));
            let fence = self.held.hold(job, claimed.lease.epoch, asked);
            self.tasks.spawn(Arc::clone(self).run(claimed, fence));
        }
        Ok(taken)
    }

    /// Looks for work until the engine stops.
    pub(super) async fn coordinate(self: Arc<Self>) {
        let mut hints = self.events.subscribe();
        let mut failures = 0_u32;
        while !self.stopping.is_cancelled() {
            let (next, failure) = match self.turn().await {
                Ok(turn) => (turn.next, turn.unticked),
                Err(failure) => (None, Some(failure)),
            };
            let next = if let Some(failure) = failure {
                failures = (failures + 1).min(5);
                tracing::error!(
                    event = "job_store_unavailable",
                    error = %failure,
                    causes = causes(&failure),
                    "cannot look for jobs"
                );
                Some(self.config.idle * failures)
            } else {
                failures = 0;
                self.turned();
                next
            };
            let idle = self.jittered(self.config.idle, 0.2);
            let pause =
                if failures > 0 { next.unwrap_or(idle) } else { next.unwrap_or(idle).min(idle) };
            self.rest(pause, &mut hints).await;
        }
    }

    /// Waits for `pause`, or until a hint, a freed slot or a known due time comes first.
    async fn rest(&self, pause: Duration, hints: &mut Hints) {
        let until = Instant::now() + pause.max(BREATH);
        loop {
            let due = *self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let wake_at = due.map_or(until, |due| due.min(until));
            tokio::select! {
                () = tokio::time::sleep_until(wake_at) => break,
                () = self.stopping.cancelled() => break,
                () = self.wake.notified() => {}
                hint = hints.recv() => match hint {
                    Ok(Hint::Ready) | Err(RecvError::Lagged(_)) => break,
                    Ok(Hint::Changed(_)) => {}
                    Ok(Hint::Ended(job)) => self.let_end(job).await,
                    Err(RecvError::Closed) => { sleep(pause).await; break; }
                },
            }
        }
        *self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// Prolongs all leases until the process ends; a drain still needs them.
    pub(super) async fn beat(self: Arc<Self>) {
        loop {
            sleep(self.jittered(self.config.heartbeat(), 0.1)).await;
            self.beat_once().await;
        }
    }

    /// Prolongs all leases; those that were lost are let go of. A heartbeat that fails changes
    /// nothing: the fence of each task runs on.
    async fn beat_once(&self) {
        let held = self.held.list();
        if held.is_empty() {
            return;
        }
        let sent = Instant::now();
        let beat = self.jobs.heartbeat(self.worker, &held, self.config.lease);
        match timeout(self.config.heartbeat(), beat).await {
            Ok(Ok(kept)) => self.held.renew(&held, &kept, sent),
            Ok(Err(failure)) => tracing::warn!(
                           event = "heartbeat_failed",
                           error = %failure,
            causes = causes(&failure),
                           "leases were not prolonged"
                       ),
            Err(_) => {
                tracing::warn!(event = "heartbeat_failed", "leases were not prolonged in time");
            }
        }
    }
}
