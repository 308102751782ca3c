//! The binary `saas-ia`: settings, composition root, command line.

pub mod cli;
pub mod logging;
pub mod settings;
