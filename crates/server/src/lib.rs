//! The binary `saas-ia`: settings, composition root, command line.

<<<<<<< HEAD
pub mod bootstrap;
pub mod cli;
pub mod commands;
pub mod logging;
mod probe;
pub mod serve;
=======
pub mod cli;
pub mod logging;
>>>>>>> wt-e
pub mod settings;
