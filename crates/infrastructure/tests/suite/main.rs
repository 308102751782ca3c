//! The adapters against the contracts of their ports, and against the world they adapt.

use std::{env, str::FromStr};

mod ambiguous;
mod contracts;
mod engines;
mod limits;
mod media;
mod objects;
mod persistence;
mod poisoned;
mod redis;
mod security;
mod sweep;

/// How much of it: what the environment says, or `otherwise`, which is little.
fn amount<T: FromStr>(variable: &str, otherwise: T) -> T {
    let Some(told) = env::var_os(variable) else { return otherwise };
    told.to_str().and_then(|told| told.parse().ok()).expect("a number")
}
