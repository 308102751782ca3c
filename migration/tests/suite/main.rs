//! The schema on every database: the same cases over SQLite and over PostgreSQL.

mod place;
mod postgres;
mod races;
mod refusals;
mod steps;
