//! Adapters that fail on purpose, at one point of a run: around any other adapter of the port.
//!
//! A [`Point`] is a call (its operation, and the how manyeth of that operation) and a [`Side`] of
//! it. A run with [`Faults::recording`] tells which points there are; one with [`Faults::at`]
//! meets one of them. Operations are told apart as finely as a caller must tell them apart after a
//! crash: a commit by its step and its effects, an answer that is settled by what it says.
//!
//! ```
//! # use std::sync::Arc;
//! # use application::{Adapters, ports::JobStore};
//! # use testkit::{fakes, faults::{Faults, FaultyJobs, FaultySpeech, Mode, Point}};
//! let fakes = fakes::adapters();
//! let point: Point = "jobs.commit.submitted after 1".parse().expect("a point");
//! let faults = Arc::new(Faults::at(point, Mode::Error));
//! let faulty = Adapters {
//!     jobs: Arc::new(FaultyJobs::new(fakes.store.clone(), faults.clone())),
//!     speech: Arc::new(FaultySpeech::new(fakes.speech.clone(), faults.clone())),
//!     ..fakes.adapters()
//! };
//! ```

mod jobs;
mod media;
mod objects;
mod plan;
mod speech;
#[cfg(test)]
mod tests;

pub use jobs::FaultyJobs;
pub use media::FaultyMedia;
pub use objects::FaultyObjects;
pub use plan::{Faults, Mode, NotAPoint, Point, Side};
pub use speech::FaultySpeech;
