//! Servers for tests: PostgreSQL and Redis, private to the test process, on free ports of the
//! loopback interface, in temporary folders, never as root.
//!
//! [`database()`] and [`redis()`] give a test its own part of a server that all tests of the process
//! share, or of the one that `TEST_DATABASE_URL` or `TEST_REDIS_URL` names. [`PostgresServer`] and
//! [`RedisServer`] are for tests that stop, kill or freeze theirs; they are always private.
//!
//! Nothing is skipped: where a server is missing, the test fails and says what to install. Nothing
//! stays: a server ends with the process that started it, even if that is killed.

mod database;
mod folder;
mod lifeline;
mod port;
mod postgres;
mod programs;
mod psql;
mod redis;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use aws_lc_rs::rand;

pub use database::{TestDatabase, database, empty_database};
pub use postgres::PostgresServer;
pub use redis::{RedisServer, TestRedis, redis};

/// A name that nobody can guess.
fn secret() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}
