//! Media files from servers that behave, and from ones that do not.

#![expect(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

mod contract;
mod disk;
mod fetching;
mod guard;
mod keeping;
mod probing;
mod uploads;
mod world;
mod youtube;
