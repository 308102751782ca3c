//! Guards over the workspace, and black-box suites against the real binary.

mod confined;
mod db_migrate;
mod failures;
mod first_steps;
mod kill;
mod layers;
mod limits;
mod logs;
mod migrate;
mod paid;
mod pipeline;
mod redis;
mod roles;
mod settings;
mod source;
mod start;
mod stop;
mod transcribe;
mod uploads;
mod youtube;
