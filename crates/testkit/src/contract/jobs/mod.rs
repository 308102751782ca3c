//! What every [`JobStore`](application::ports::JobStore) must do.

mod callbacks;
mod crowds;
mod endings;
mod found;
mod leases;
mod lost;
mod notes;
mod queue;
mod races;
mod repeats;
mod submissions;
mod time;
mod uploads;

pub use callbacks::*;
pub use crowds::*;
pub use endings::*;
pub use found::*;
pub use leases::*;
pub use lost::*;
pub use notes::*;
pub use queue::*;
pub use races::*;
pub use repeats::*;
pub use submissions::*;
pub use time::*;
pub use uploads::*;
