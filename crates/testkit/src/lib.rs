//! For tests of this service, and of adapters written by others: in-memory fakes of every port,
//! the contract suite of every port, a server that speaks AssemblyAI's protocol, and private servers
//! of PostgreSQL and Redis.

pub mod assemblyai;
pub mod contract;
pub mod fakes;
pub mod faults;
pub mod fixtures;
pub mod memory;
#[cfg(unix)]
pub mod servers;
