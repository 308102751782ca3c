//! Lets a few heavy computations run at once, a bounded number wait, and turns the rest away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use application::ports::{HashError, PortFailure};
use tokio::{sync::Semaphore, task};

/// The gate before the blocking pool.
pub(super) struct Gate {
    permits: usize,
    /// Held by those that run.
    running: Arc<Semaphore>,
    /// Held by those that run or wait.
    places: Arc<Semaphore>,
    queue: usize,
    /// How long one computation takes, in microseconds: a moving average.
    typical_micros: Arc<AtomicU64>,
}

impl Gate {
    /// `permits` at once, `queue` waiting; `typical` is the first guess of how long one takes.
    pub(super) fn new(permits: usize, queue: usize, typical: Duration) -> Self {
        let permits = permits.max(1);
        Self {
            permits,
            running: Arc::new(Semaphore::new(permits)),
            places: Arc::new(Semaphore::new(permits + queue)),
            queue,
            typical_micros: Arc::new(AtomicU64::new(micros(typical))),
        }
    }

    /// Runs `work` on the blocking pool. A caller that goes away frees its place; what already
    /// runs keeps its permit until it ends, because it keeps its core until then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(HashError::Overloaded { retry_after: self.estimate() });
        };
        let failed = |error| HashError::Failed(PortFailure::permanent("hasher.run", error));
        let permit = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|error| failed(error.into()))?;
        let typical = Arc::clone(&self.typical_micros);
        task::spawn_blocking(move || {
            let _held = (place, permit);
            let begun = Instant::now();
            let result = work();
            let known = typical.load(Ordering::Relaxed);
            let next = known - known / 8 + micros(begun.elapsed()) / 8;
            typical.store(next, Ordering::Relaxed);
            result
        })
        .await
        .map_err(|error| failed(Box::<dyn std::error::Error + Send + Sync>::from(error)))
    }

    /// How long until a full queue has drained.
    fn estimate(&self) -> Duration {
        let rounds = u64::try_from(self.queue / self.permits + 1).unwrap_or(u64::MAX);
        let wait = self.typical_micros.load(Ordering::Relaxed).saturating_mul(rounds);
        Duration::from_micros(wait).max(Duration::from_secs(1))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use application::ports::HashError;
    use futures_util::FutureExt;
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    /// A gate whose only permit is taken until the sender is dropped.
    async fn busy(queue: usize) -> (Arc<Gate>, mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
        let gate = Arc::new(Gate::new(1, queue, Duration::from_millis(250)));
        let (release, wait) = mpsc::channel::<()>();
        let (begun, running) = tokio::sync::oneshot::channel();
        let holder = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move {
                let work = move || {
                    begun.send(()).unwrap();
                    let _ = wait.recv();
                };
                gate.run(work).await.unwrap();
            }
        });
        running.await.unwrap();
        (gate, release, holder)
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_with_a_true_delay() {
        let (gate, release, holder) = busy(0).await;
        let refused = gate.run(|| ()).await;
        let Err(HashError::Overloaded { retry_after }) = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, Duration::from_secs(1));
        drop(release);
        holder.await.unwrap();
        assert!(gate.run(|| ()).await.is_ok());
    }

    #[tokio::test]
    async fn no_more_than_the_queue_holds_wait() {
        let (gate, release, holder) = busy(64).await;
        let mut waiting = Vec::new();
        for _ in 0..200 {
            let mut call = Box::pin(gate.run(|| ()));
            match call.as_mut().now_or_never() {
                None => waiting.push(call),
                Some(outcome) => assert!(matches!(outcome, Err(HashError::Overloaded { .. }))),
            }
        }
        assert_eq!(waiting.len(), 64);
        drop(release);
        for call in waiting {
            assert!(call.await.is_ok());
        }
        holder.await.unwrap();
    }

    #[tokio::test]
    async fn callers_that_go_away_leave_their_places() {
        let (gate, release, holder) = busy(8).await;
        for _ in 0..100 {
            assert!(gate.run(|| ()).now_or_never().is_none());
        }
        // The one that runs is given up too, and still keeps its core.
        holder.abort();
        let _ = holder.await;
        let mut next = Box::pin(gate.run(|| ()));
        assert!(next.as_mut().now_or_never().is_none());
        drop(release);
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_that_gives_its_permit_back() {
        let gate = Gate::new(1, 0, Duration::from_millis(1));
        let outcome = gate.run(|| panic!("on purpose")).await;
        assert!(matches!(outcome, Err(HashError::Failed(_))));
        assert!(gate.run(|| ()).await.is_ok());
    }
}
