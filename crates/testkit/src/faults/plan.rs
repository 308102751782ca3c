//! Where a run meets a fault, and which.

use std::{
    collections::BTreeMap,
    fmt, process,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// Whether a fault comes before a call had any effect, or after it had all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Nothing was done.
    Before,
    /// All was done, and the caller was not told.
    After,
}

impl Side {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A moment of a run. Written and read as `operation side nth`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Which call, such as `jobs.commit.submitted`.
    pub operation: String,
    /// On which side of it.
    pub side: Side,
    /// The how manyeth, from 1.
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.operation, self.side.as_str(), self.nth)
    }
}

/// A text that names no [`Point`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a point is written as: operation, before or after, number")]
pub struct NotAPoint;

impl FromStr for Point {
    type Err = NotAPoint;

    fn from_str(text: &str) -> Result<Self, NotAPoint> {
        let [operation, side, nth] = text.split(' ').collect::<Vec<_>>()[..] else {
            return Err(NotAPoint);
        };
        let side = [Side::Before, Side::After].into_iter().find(|known| known.as_str() == side);
        Ok(Self {
            operation: operation.to_owned(),
            side: side.ok_or(NotAPoint)?,
            nth: nth.parse().map_err(|_| NotAPoint)?,
        })
    }
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The process dies, without any clearing up.
    Abort,
    /// The caller gets the error that the port provides for it.
    Error,
    /// Every call of this process stands still for this long, as in a process that is stopped and
    /// goes on later.
    Delay(Duration),
}

/// Counts the calls of one process, and lets one of them meet a fault.
#[derive(Debug)]
pub struct Faults {
    plan: Option<(Point, Mode)>,
    seen: Mutex<BTreeMap<(String, Side), u32>>,
    thaw: Mutex<Option<Instant>>,
    hit: watch::Sender<bool>,
}

impl Faults {
    /// Only counts.
    pub fn recording() -> Self {
        Self::new(None)
    }

    /// Meets `mode` at `point`.
    pub fn at(point: Point, mode: Mode) -> Self {
        Self::new(Some((point, mode)))
    }

    fn new(plan: Option<(Point, Mode)>) -> Self {
        let (seen, thaw) = (Mutex::default(), Mutex::default());
        Self { plan, seen, thaw, hit: watch::Sender::new(false) }
    }

    /// How often each side of each operation was passed.
    pub fn seen(&self) -> BTreeMap<(String, Side), u32> {
        lock(&self.seen).clone()
    }

    /// Whether the point was reached.
    pub fn is_hit(&self) -> bool {
        *self.hit.borrow()
    }

    /// Ends when the point is reached.
    pub async fn hit(&self) {
        // The sender is `self`: it outlives the wait.
        let _ = self.hit.subscribe().wait_for(|hit| *hit).await;
    }

    /// Makes the call `operation`, whose effects are `work`. `refused` is the error of a call that
    /// did nothing, `lost` that of one that did all.
    pub(super) async fn around<T, E>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, E>>,
        refused: impl FnOnce() -> E,
        lost: impl AsyncFnOnce() -> E,
    ) -> Result<T, E> {
        if self.pass(operation, Side::Before).await {
            return Err(refused());
        }
        let done = work.await;
        if self.pass(operation, Side::After).await {
            return Err(lost().await);
        }
        done
    }

    /// Whether the caller gets an error here.
    async fn pass(&self, operation: &str, side: Side) -> bool {
        self.thawed().await;
        let nth = {
            let mut seen = lock(&self.seen);
            let count = seen.entry((operation.to_owned(), side)).or_default();
            *count += 1;
            *count
        };
        let met = self.plan.as_ref().filter(|(point, _)| {
            (point.operation.as_str(), point.side, point.nth) == (operation, side, nth)
        });
        let Some((_, mode)) = met else { return false };
        self.hit.send_replace(true);
        match mode {
            Mode::Abort => process::abort(),
            Mode::Error => true,
            Mode::Delay(delay) => {
                *lock(&self.thaw) = Some(Instant::now() + *delay);
                self.thawed().await;
                false
            }
        }
    }

    async fn thawed(&self) {
        let thaw = *lock(&self.thaw);
        if let Some(thaw) = thaw {
            tokio::time::sleep_until(thaw).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
