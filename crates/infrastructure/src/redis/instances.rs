//! How many instances share the limits.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use deadpool_redis::redis::{Script, cmd};
use tokio::time::Instant;
use uuid::Uuid;

use super::link::{Redis, millis};

static ATTEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("attend.lua")));

/// How often an instance signs in.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long it counts afterwards.
const COUNTS: Duration = Duration::from_secs(30);

/// How many counts are remembered: those of the time for which an instance counts. When Redis was
/// emptied the instances sign in one after the other, and the first counts itself alone.
const REMEMBERED: usize = 4;

/// More than anybody runs: what Redis says is not believed beyond.
const MOST: u32 = 1_000;

/// Counts the instances that answer requests. One that is asked nothing, a worker above all, has
/// no part in the limits and does not sign in.
pub(super) struct Instances {
    redis: Redis,
    id: Uuid,
    counts: Arc<Counts>,
    next: Mutex<Option<Instant>>,
}

impl Instances {
    pub(super) fn new(redis: Redis, id: Uuid) -> Self {
        Self { redis, id, counts: Arc::default(), next: Mutex::default() }
    }

    /// The most there were in the last of the time in which Redis was heard; at least this one.
    pub(super) fn count(&self) -> u32 {
        self.counts.highest()
    }

    /// Signs in behind the back of the caller, if it is time to.
    pub(super) fn attend(&self) {
        if self.redis.is_away() || !self.is_due() {
            return;
        }
        let (redis, counts, id) = (self.redis.clone(), Arc::clone(&self.counts), self.id);
        self.redis.home().spawn(async move {
            let mut call = ATTEND.prepare_invoke();
            call.key(redis.key(format_args!("instances"))).arg(id.to_string()).arg(millis(COUNTS));
            if let Ok(counted) = redis.script::<u32>(&call).await {
                counts.hear(counted);
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

impl Drop for Instances {
    /// Signs off, if that can still be done: others would reckon with this one for a while.
    fn drop(&mut self) {
        let next = self.next.get_mut().unwrap_or_else(PoisonError::into_inner);
        if next.is_none() || self.redis.is_away() {
            return;
        }
        let (redis, id) = (self.redis.clone(), self.id);
        self.redis.home().spawn(async move {
            let key = redis.key(format_args!("instances"));
            let _ = redis.query::<()>(cmd("ZREM").arg(key).arg(id.to_string())).await;
        });
    }
}

/// The last counts that were heard. They do not age while none is heard: whoever was there when
/// Redis went is still there.
#[derive(Debug, Default)]
struct Counts(Mutex<VecDeque<u32>>);

impl Counts {
    fn hear(&self, count: u32) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.truncate(REMEMBERED - 1);
        heard.push_front(count.clamp(1, MOST));
    }

    fn highest(&self) -> u32 {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().copied().max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, MOST};

    #[test]
    fn of_the_counts_of_the_last_half_minute_the_highest_holds() {
        let counts = Counts::default();
        assert_eq!(counts.highest(), 1);
        // Redis is emptied after the first.
        for (heard, highest) in [(3, 3), (1, 3), (2, 3), (2, 3), (2, 2), (1, 2)] {
            counts.hear(heard);
            assert_eq!(counts.highest(), highest, "{heard}");
        }
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let counts = Counts::default();
        counts.hear(0);
        assert_eq!(counts.highest(), 1);
        counts.hear(u32::MAX);
        assert_eq!(counts.highest(), MOST);
    }
}
