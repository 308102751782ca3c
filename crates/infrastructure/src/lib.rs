//! The adapters behind the ports: persistence, engines, media, security.
//!
//! Invariants of absence: no actix, no OpenAPI, no environment; each adapter takes its own small
//! configuration and knows no other adapter's tables.

pub mod cache;
pub mod confinement;
pub mod engines;
pub mod events;
pub mod limits;
pub mod media;
pub mod objects;
pub mod persistence;
pub mod redis;
pub mod security;
pub mod system;
