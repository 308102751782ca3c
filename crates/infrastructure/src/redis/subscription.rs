//! Listens to other instances, over a connection of its own.

use std::time::Duration;

use deadpool_redis::redis::{
    ErrorKind, RedisError, RedisResult,
    aio::{PubSubSink, PubSubStream},
};
use futures_util::StreamExt as _;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use uuid::Uuid;

use super::{
    link::{Redis, tell_of_refusal},
    news::{News, read},
    unavailable::is_refusal,
};

/// Longest time to connect and subscribe, or for a sign of life.
const DEADLINE: Duration = Duration::from_secs(1);

/// How often a sign of life is asked for: a connection that was cut in silence says nothing, too.
const ALIVE: Duration = Duration::from_secs(5);

/// How long to wait before connecting again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Takes what is heard.
pub(super) trait Audience: Send + Sync {
    /// Another instance tells this.
    fn hear(&self, news: News);

    /// Something may have been told while nobody listened.
    fn missed(&self);
}

/// Listens for as long as the task lives. `listening` says whether it does at this moment.
pub(super) async fn listen(
    redis: Redis,
    me: Uuid,
    audience: impl Audience,
    listening: watch::Sender<bool>,
) {
    let (mut pause, mut missed, mut refused) = (PAUSES.0, false, false);
    loop {
        let failure = match subscribe(&redis).await {
            Ok((sink, mut stream)) => {
                tracing::info!(event = "redis_subscribed", "other instances are heard");
                if missed {
                    audience.missed();
                }
                (pause, missed) = (PAUSES.0, false);
                listening.send_replace(true);
                let failure = hear(sink, &mut stream, me, &audience).await;
                listening.send_replace(false);
                failure
            }
            Err(failure) => failure,
        };
        if !missed {
            tracing::warn!(
                event = "redis_subscription_lost",
                error = %failure,
                "other instances are not heard: jobs are found by looking for them"
            );
        }
        missed = true;
        // That of the link is told by the link; a user may be refused the channel alone.
        if is_refusal(&failure) && !refused && !redis.is_away() {
            tell_of_refusal(&failure);
        }
        refused = is_refusal(&failure);
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn subscribe(redis: &Redis) -> RedisResult<(PubSubSink, PubSubStream)> {
    let subscribe = async {
        let (mut sink, stream) = redis.subscriber().await?.split();
        sink.subscribe(redis.channel(super::bus::CHANNEL)).await?;
        Ok((sink, stream))
    };
    timeout(DEADLINE, subscribe).await.unwrap_or_else(|_| Err(late()))
}

/// Passes on what is heard, until the connection is lost.
async fn hear(
    mut sink: PubSubSink,
    stream: &mut PubSubStream,
    me: Uuid,
    audience: &impl Audience,
) -> RedisError {
    let mut alive = interval(ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = stream.next() => {
                let Some(message) = message else { return lost() };
                let payload: Vec<u8> = message.get_payload().unwrap_or_default();
                for news in read(me, &payload) {
                    audience.hear(news);
                }
            }
            _ = alive.tick() => match timeout(DEADLINE, sink.ping::<()>()).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(_) => return late(),
            }
        }
    }
}

fn late() -> RedisError {
    (ErrorKind::Io, "no answer in time").into()
}

fn lost() -> RedisError {
    (ErrorKind::Io, "the connection was closed").into()
}
