//! The adapters against the contracts of their ports, and against the world they adapt.

mod ambiguous;
mod contracts;
mod engines;
mod limits;
mod media;
mod objects;
mod persistence;
mod poisoned;
mod redis;
mod security;
mod sweep;
