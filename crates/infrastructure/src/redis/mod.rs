//! What instances share through a Redis: rate limits, hints, and the news that an account changed.
//!
//! Invariants: the truth is never here. Every command has a deadline; a Redis that is away, frozen
//! or emptied is an error of no call, and costs one deadline, not one a call: while it is away
//! nothing is asked of it, and a look once a second, of which no caller knows, tells when it is
//! back. What it says is taken for a stranger's word: what cannot be read is not there.

mod breaker;
mod bus;
mod connections;
mod instances;
mod limiter;
mod link;
mod news;
mod outbox;
mod subscription;
mod unavailable;

pub use bus::RedisBus;
pub use limiter::RedisLimiter;
pub use link::{Redis, RedisConfig, RedisConfigError};
pub use unavailable::Unavailable;
