//! Rate limits counted in one process.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use application::ports::{Budget, Clock, PortFailure, RateLimiter, Taken};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Fixed windows in memory: exact under concurrency, forgotten with the process.
pub struct InProcessLimiter {
    clock: Arc<dyn Clock>,
    capacity: usize,
    tables: Mutex<HashMap<&'static str, Table>>,
}

impl InProcessLimiter {
    /// Most windows kept of one budget (some 8 MB). The table of a budget is its own, so that a
    /// flood on one cannot make another forget.
    pub const CAPACITY: usize = 50_000;

    /// Counts by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, Self::CAPACITY)
    }

    /// Keeps at most `capacity` windows of one budget; the oldest makes room for a new one.
    pub fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { clock, capacity: capacity.max(1), tables: Mutex::default() }
    }

    /// How many windows are kept, over all budgets.
    pub fn kept(&self) -> usize {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.values().map(|table| table.windows.len()).sum()
    }
}

#[async_trait]
impl RateLimiter for InProcessLimiter {
    async fn take(&self, budget: &Budget, key: &str) -> Result<Taken, PortFailure> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that instants and counts are in one order.
        let now = self.clock.now();
        Ok(tables.entry(budget.name).or_default().take(budget, key, now, self.capacity))
    }
}

/// The windows of one budget.
#[derive(Default)]
struct Table {
    windows: HashMap<Arc<str>, Window>,
    /// Every key of `windows` once, in the order in which they came.
    queue: VecDeque<Arc<str>>,
}

struct Window {
    opened_at: DateTime<Utc>,
    taken: u32,
}

impl Window {
    fn has_ended(&self, now: DateTime<Utc>, length: Duration) -> bool {
        (now - self.opened_at).to_std().is_ok_and(|age| age >= length)
    }
}

impl Table {
    fn take(&mut self, budget: &Budget, key: &str, now: DateTime<Utc>, capacity: usize) -> Taken {
        self.purge(now, budget.window);
        if !self.windows.contains_key(key) {
            self.open(key, now, capacity);
        }
        let window = self.windows.get_mut(key).expect("the window was just opened");
        if window.has_ended(now, budget.window) {
            *window = Window { opened_at: now, taken: 0 };
        } else if now < window.opened_at {
            // The machine's clock was set back: the count stays, the window begins again.
            window.opened_at = now;
        }
        let allowed = window.taken < budget.quota;
        window.taken += u32::from(allowed);
        let age = (now - window.opened_at).to_std().unwrap_or_default();
        Taken {
            allowed,
            remaining: budget.quota.saturating_sub(window.taken),
            reset_after: budget.window.saturating_sub(age),
        }
    }

    /// Drops windows that have ended. Each is dropped once, so a call pays for one on average.
    fn purge(&mut self, now: DateTime<Utc>, length: Duration) {
        while let Some(key) = self.queue.front() {
            if self.windows.get(key).is_some_and(|window| !window.has_ended(now, length)) {
                break;
            }
            self.drop_first();
        }
    }

    fn open(&mut self, key: &str, now: DateTime<Utc>, capacity: usize) {
        while self.queue.len() >= capacity {
            self.drop_first();
        }
        let key: Arc<str> = key.into();
        self.queue.push_back(Arc::clone(&key));
        self.windows.insert(key, Window { opened_at: now, taken: 0 });
    }

    fn drop_first(&mut self) {
        if let Some(key) = self.queue.pop_front() {
            self.windows.remove(&key);
        }
    }
}
