//! What every [`JobStore`](application::ports::JobStore) must do.

mod endings;
mod leases;
mod queue;
mod repeats;
mod submissions;
mod time;
mod uploads;

pub use endings::*;
pub use leases::*;
pub use queue::*;
pub use repeats::*;
pub use submissions::*;
pub use time::*;
pub use uploads::*;
