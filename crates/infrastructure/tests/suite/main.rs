//! The adapters against the contracts of their ports, and against the world they adapt.

mod engines;
mod media;
mod persistence;
mod security;
