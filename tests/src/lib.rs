//! For tests of the service from outside: the real binary is started as a process, spoken to over
//! HTTP, stopped and killed. Nothing here knows a crate of the service.

pub mod binary;
pub mod chance;
pub mod client;
pub mod media;
pub mod service;
pub mod workspace;

pub use binary::binary;
pub use chance::Chance;
pub use client::{Account, Answer, Client};
pub use media::MediaServer;
pub use service::{Ended, Service, Setup};
