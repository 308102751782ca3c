//! Databases. One store keeps accounts, transcriptions and jobs, because they change together.
//!
//! Invariants: every change is one transaction, on rows that nobody else changes meanwhile; what a
//! change means is decided by the domain, on rows loaded in that transaction; no entity leaves this
//! module.

#[expect(
    unreachable_pub,
    reason = "the derives of an entity need its types to be nominally public"
)]
mod entities;
mod fault;
mod jobs;
mod postgres;
mod rows;
mod sqlite;
mod store;
mod transcriptions;
mod users;

pub use postgres::{InvalidAddress, PostgresConfig, TimeSource};
pub use sqlite::SqliteConfig;
pub use store::{DatabaseConfig, OpenError, Store};
