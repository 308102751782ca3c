//! Rate limits counted for all instances together.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use application::{
    limits::BudgetName,
    ports::{Budget, Clock, PortFailure, RateLimiter, Taken},
};
use async_trait::async_trait;
use deadpool_redis::redis::Script;
use uuid::Uuid;

use super::{
    instances::Instances,
    link::{Redis, millis},
};
use crate::limits::InProcessLimiter;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// Fixed windows in Redis: exact over all instances, and kept over restarts. While Redis is away
/// this instance counts by itself, and grants its share of each quota.
///
/// Health is always asked of one instance, and counted by it alone: one that looks at many
/// instances from one address would find all of them ill once they count it together.
pub struct RedisLimiter {
    redis: Redis,
    alone: InProcessLimiter,
    instances: Instances,
    clock: Option<Arc<dyn Clock>>,
}

impl RedisLimiter {
    /// Counts in `redis` by the clock of its server, and in `alone` while it is away. `instance`
    /// tells this process from others.
    pub fn new(redis: Redis, alone: InProcessLimiter, instance: Uuid) -> Self {
        let instances = Instances::new(redis.clone(), instance);
        Self { redis, alone, instances, clock: None }
    }

    /// Counts by `clock` instead, which all instances must share: for tests that move time.
    #[must_use]
    pub fn timed_by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How many instances shared the limits when Redis was last heard, this one included.
    pub fn instances(&self) -> u32 {
        self.instances.count()
    }

    /// The part of a quota that one of `instances` grants by itself: rounded up, so that all
    /// together never grant less than the whole.
    fn share(&self, budget: &Budget) -> Budget {
        Budget { quota: budget.quota.div_ceil(self.instances()), ..*budget }
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn take(&self, budget: &Budget, key: &str) -> Result<Taken, PortFailure> {
        self.instances.attend();
        if budget.name == BudgetName::Health.as_str() {
            return self.alone.take(budget, key).await;
        }
        let now = self.clock.as_ref().map(|clock| clock.now().timestamp_millis().to_string());
        let mut call = TAKE.prepare_invoke();
        call.key(self.redis.key(format_args!("limit:{}:{key}", budget.name)));
        call.arg(budget.quota).arg(millis(budget.window)).arg(now.unwrap_or_default());
        match self.redis.script::<(bool, u32, u64)>(&call).await {
            Ok((allowed, remaining, left)) => Ok(Taken {
                allowed,
                remaining,
                reset_after: Duration::from_millis(left).min(budget.window),
            }),
            // The link has told the log, once.
            Err(_) => self.alone.take(&self.share(budget), key).await,
        }
    }
}
