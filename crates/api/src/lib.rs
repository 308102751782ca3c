//! What the service says over HTTP: routes, wire types, problem details, the `OpenAPI` description.
//!
//! Invariants of absence: no SQL, no adapter, no rule of the domain. Requests become domain types
//! or problems; answers are made of wire types only. Every route stands in one table
//! (module `routes`), from which budgets, `Allow`, the router and the guard tests are derived.

mod app;
mod body;
mod cursor;
mod disposition;
mod flood;
mod middleware;
mod openapi;
mod problem;
mod query;
mod routes;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

pub use app::app;
pub use body::pace::UploadPace;
pub use openapi::openapi;
pub use routes::exports::transcript_json;
pub use server::{health_server, server};
pub use state::{ApiConfig, ApiState, FloodLimit};
