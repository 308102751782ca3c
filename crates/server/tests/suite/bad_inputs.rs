//! Being written.

#![cfg(test)]
