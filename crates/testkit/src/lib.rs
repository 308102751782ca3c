//! For tests of this service, and of adapters written by others: in-memory fakes of every port,
//! the contract suite of every port, and a server that speaks AssemblyAI's protocol.

pub mod assemblyai;
pub mod contract;
pub mod fakes;
pub mod faults;
pub mod fixtures;
pub mod memory;
