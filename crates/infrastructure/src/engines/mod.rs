//! Speech engines: [`assemblyai`], which recognises speech, and [`mock`], which pretends to.

pub mod assemblyai;
pub mod mock;
