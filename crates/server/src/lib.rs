//! The binary `saas-ia`: settings, composition root, command line.

pub mod bootstrap;
pub mod cli;
pub mod commands;
pub mod confined;
pub mod database;
pub mod logging;
mod probe;
mod readiness;
pub mod serve;
pub mod settings;
mod sharing;
mod transcribe;
