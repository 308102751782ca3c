//! Media files from servers that behave, and from ones that do not.

mod fetching;
mod guard;
mod keeping;
mod probing;
mod world;
