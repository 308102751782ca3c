//! What instances share through Redis, and what each keeps to itself without one.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use application::ports::{Clock, EventBus, Ids, RateLimiter, UserRepository};
use infrastructure::{
    cache::CachedUsers,
    events::LocalBus,
    limits::InProcessLimiter,
    redis::{Redis, RedisBus, RedisLimiter},
};

use crate::settings::Settings;

/// How long an account may be remembered: what is changed in the database itself is in force after
/// that.
const USER_CACHE: Duration = Duration::from_secs(1);

/// The adapters that are others with Redis than without.
pub(crate) struct Shared {
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) limiter: Arc<dyn RateLimiter>,
    pub(crate) events: Arc<dyn EventBus>,
    pub(crate) redis: Option<Redis>,
}

/// Connects what instances share.
///
/// # Errors
/// When `REDIS_URL` cannot be used. That Redis is away is no error.
pub(crate) fn shared(
    settings: &Settings,
    users: Arc<dyn UserRepository>,
    clock: &Arc<dyn Clock>,
    ids: &dyn Ids,
) -> anyhow::Result<Shared> {
    let users = CachedUsers::new(users, USER_CACHE);
    let alone = InProcessLimiter::new(Arc::clone(clock));
    let Some(config) = &settings.redis.config else {
        return Ok(Shared {
            users: Arc::new(users),
            limiter: Arc::new(alone),
            events: Arc::new(LocalBus::new()),
            redis: None,
        });
    };
    let redis = Redis::open(config).context("REDIS_URL")?;
    tokio::spawn(tell_of_redis(redis.clone()));
    let instance = ids.next();
    let bus = Arc::new(RedisBus::start(redis.clone(), instance));
    Ok(Shared {
        users: Arc::new(users.sharing(bus.clone())),
        limiter: Arc::new(RedisLimiter::new(redis.clone(), alone, instance)),
        events: bus,
        redis: Some(redis),
    })
}

/// Says in the log that Redis is there; that it is not, the link says itself.
async fn tell_of_redis(redis: Redis) {
    if redis.ping().await.is_ok() {
        tracing::info!(event = "redis_ready", "limits and hints are shared through Redis");
    }
}
