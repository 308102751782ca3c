//! Guards over the workspace, and black-box suites against the real binary.

mod chaos;
mod confined;
mod db_migrate;
mod failures;
mod first_steps;
mod instances;
mod kill;
mod layers;
mod leftovers;
mod limits;
mod logs;
mod marks;
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
