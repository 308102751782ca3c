//! The settings, and the service as the binary puts it together.

mod accounts;
mod app;
mod bad_inputs;
mod callbacks;
mod failing_parts;
mod guards;
mod limits;
mod real_input;
mod restart;
mod settings;
mod transcriptions;
mod uploads;
