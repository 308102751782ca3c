//! HTTP-level tests of the crate.
