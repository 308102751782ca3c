//! How many instances share the limits.

use std::{
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use deadpool_redis::redis::Script;
use tokio::time::Instant;
use uuid::Uuid;

use super::link::{Redis, millis};

static ATTEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("attend.lua")));

/// How often an instance signs in.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long it counts afterwards.
const COUNTS: Duration = Duration::from_secs(30);

/// More than anybody runs: what Redis says is not believed beyond.
const MOST: u32 = 1_000;

/// Counts the instances that answer requests. One that is asked nothing, a worker above all, has
/// no part in the limits and does not sign in.
pub(super) struct Instances {
    redis: Redis,
    id: Uuid,
    count: Arc<AtomicU32>,
    next: Mutex<Option<Instant>>,
}

impl Instances {
    pub(super) fn new(redis: Redis, id: Uuid) -> Self {
        Self { redis, id, count: Arc::new(AtomicU32::new(1)), next: Mutex::default() }
    }

    /// How many there were when Redis was last heard; at least this one.
    pub(super) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Signs in behind the back of the caller, if it is time to.
    pub(super) fn attend(&self) {
        if self.redis.is_away() || !self.is_due() {
            return;
        }
        let (redis, count, id) = (self.redis.clone(), Arc::clone(&self.count), self.id);
        self.redis.home().spawn(async move {
            let mut call = ATTEND.prepare_invoke();
            call.key(redis.key(format_args!("instances"))).arg(id.to_string()).arg(millis(COUNTS));
            if let Ok(counted) = redis.script::<u32>(&call).await {
                count.store(counted.clamp(1, MOST), Ordering::Relaxed);
            }
        });
    }

    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.is_none_or(|next| next <= now);
        if due {
            *next = Some(now + INTERVAL);
        }
        due
    }
}
