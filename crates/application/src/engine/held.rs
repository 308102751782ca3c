//! The leases that this process holds, and the fence around what is done under them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{Epoch, TranscriptionId};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// The leases held, by job.
pub(super) struct HeldLeases {
    fence: Duration,
    held: Mutex<HashMap<TranscriptionId, Held>>,
}

struct Held {
    epoch: Epoch,
    lost: CancellationToken,
    renewed: watch::Sender<Instant>,
}

/// Tells one task whether it may still act.
pub(super) struct Fence {
    after: Duration,
    lost: CancellationToken,
    renewed: watch::Receiver<Instant>,
}

impl HeldLeases {
    pub(super) fn new(fence: Duration) -> Self {
        Self { fence, held: Mutex::new(HashMap::new()) }
    }

    /// Takes up a lease that was asked for at `asked`.
    pub(super) fn hold(&self, job: TranscriptionId, epoch: Epoch, asked: Instant) -> Fence {
        let (renewed, watch) = watch::channel(asked);
        let lost = CancellationToken::new();
        let fence = Fence { after: self.fence, lost: lost.clone(), renewed: watch };
        let replaced = self.lock().insert(job, Held { epoch, lost, renewed });
        // Claimed again by this very process: the former task must not go on beside the new one.
        if let Some(former) = replaced {
            former.lost.cancel();
        }
        fence
    }

    /// Lets a lease go, unless the job is held under a later epoch by now.
    pub(super) fn release(&self, job: TranscriptionId, epoch: Epoch) {
        let mut held = self.lock();
        if held.get(&job).is_some_and(|h| h.epoch == epoch) {
            held.remove(&job);
        }
    }

    /// Releases a lease when it is dropped.
    pub(super) fn guard(&self, job: TranscriptionId, epoch: Epoch) -> impl Drop + use<'_> {
        struct Guard<'a>(&'a HeldLeases, TranscriptionId, Epoch);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.release(self.1, self.2);
            }
        }
        Guard(self, job, epoch)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn holds(&self, job: TranscriptionId) -> bool {
        self.lock().contains_key(&job)
    }

    pub(super) fn list(&self) -> Vec<(TranscriptionId, Epoch)> {
        self.lock().iter().map(|(job, held)| (*job, held.epoch)).collect()
    }

    /// Takes in the answer to a heartbeat that was sent at `sent` for `asked`.
    pub(super) fn renew(
        &self,
        asked: &[(TranscriptionId, Epoch)],
        kept: &[TranscriptionId],
        sent: Instant,
    ) {
        let held = self.lock();
        for (job, epoch) in asked {
            let Some(lease) = held.get(job).filter(|lease| lease.epoch == *epoch) else { continue };
            if kept.contains(job) {
                lease.renewed.send_replace(sent);
            } else {
                lease.lost.cancel();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TranscriptionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fence {
    /// Ends when the lease is lost, or can no longer be relied upon.
    pub(super) async fn broken(&self) {
        tokio::select! {
            () = self.lost.cancelled() => {}
            () = self.ran_out() => {}
        }
    }

    /// How long the lease can still be relied upon.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    fn deadline(&self) -> Instant {
        *self.renewed.borrow() + self.after
    }

    async fn ran_out(&self) {
        loop {
            let deadline = self.deadline();
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{Epoch, TranscriptionId};
    use tokio::time::{Instant, timeout};
    use uuid::Uuid;

    use super::HeldLeases;

    const FENCE: Duration = Duration::from_secs(40);
    const JOB: TranscriptionId = TranscriptionId::from_uuid(Uuid::from_u128(1));

    fn one() -> (HeldLeases, Epoch) {
        (HeldLeases::new(FENCE), Epoch::new(1))
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_heartbeat_the_fence_falls_by_itself() {
        let (leases, epoch) = one();
        let fence = leases.hold(JOB, epoch, Instant::now());
        let still = timeout(FENCE.saturating_sub(Duration::from_millis(1)), fence.broken()).await;
        assert!(still.is_err());
        fence.broken().await;
        assert!(fence.remaining().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_counts_from_when_it_was_sent() {
        let (leases, epoch) = one();
        let fence = leases.hold(JOB, epoch, Instant::now());
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(30)).await;
        leases.renew(&[(JOB, epoch)], &[JOB], sent);
        assert_eq!(fence.remaining(), Duration::from_secs(10));
        leases.renew(&[(JOB, epoch)], &[JOB], Instant::now());
        assert_eq!(fence.remaining(), FENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_missing_from_the_answer_breaks_the_fence_at_once() {
        let (leases, epoch) = one();
        let fence = leases.hold(JOB, epoch, Instant::now());
        leases.renew(&[(JOB, epoch)], &[], Instant::now());
        let broken = timeout(Duration::from_millis(1), fence.broken()).await;
        assert!(broken.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_claimed_again_ends_its_former_task() {
        let (leases, epoch) = one();
        let former = leases.hold(JOB, epoch, Instant::now());
        let fence = leases.hold(JOB, epoch.next(), Instant::now());
        assert!(timeout(Duration::from_millis(1), former.broken()).await.is_ok());
        assert!(timeout(Duration::from_millis(1), fence.broken()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_for_an_older_claim_says_nothing_of_the_newer_one() {
        let (leases, epoch) = one();
        let fence = leases.hold(JOB, epoch.next(), Instant::now());
        leases.renew(&[(JOB, epoch)], &[], Instant::now());
        leases.release(JOB, epoch);
        assert!(leases.holds(JOB));
        assert!(timeout(Duration::from_millis(1), fence.broken()).await.is_err());
    }
}
