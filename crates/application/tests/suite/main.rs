//! The use cases and the engine, on fakes.

mod accounts;
mod callbacks;
mod engine;
mod fake_contracts;
mod memory_contracts;
mod transcriptions;
mod uploads;
