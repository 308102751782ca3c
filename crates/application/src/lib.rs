//! What the service does, in which order: the use cases, the job engine, and the ports behind
//! which the outside world stands.
//!
//! Invariants of absence: no HTTP, no SQL, no serde, no environment. Decisions are the domain's,
//! the how is the adapters'.

pub mod accounts;
mod adapters;
pub mod callbacks;
pub mod engine;
mod error;
pub mod limits;
pub mod ports;
pub mod transcriptions;
pub mod uploads;

pub use accounts::Accounts;
pub use adapters::{Adapters, Services};
pub use callbacks::Callbacks;
pub use engine::{Engine, EngineConfig, EngineHandle};
pub use error::{ErrorKind, UseCaseError, causes};
pub use limits::{BudgetName, Limits};
pub use transcriptions::Transcriptions;
pub use uploads::Uploads;
