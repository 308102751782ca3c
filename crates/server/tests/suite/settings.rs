//! What an operator may write, and what is refused.

#![cfg(test)]

mod production;
mod redis;
mod sources;
mod values;

use std::collections::BTreeMap;

use server::settings::{Settings, SettingsError, Sources};

/// A key that passes every rule.
const GOOD_KEY: &str = "Vq3Zt8LmX1cRw6Yb0NnKs5HdUj2PgTe9AoIf7BxEyM4";

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn env(pairs: &[(&str, &str)]) -> Sources {
    Sources { env: map(pairs), ..Sources::default() }
}

fn load(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::load(&env(pairs))
}

/// The names of all faults, in the order in which they are reported.
fn faults(outcome: Result<Settings, SettingsError>) -> Vec<String> {
    outcome.map_or_else(|error| error.faults.into_iter().map(|f| f.name).collect(), |_| vec![])
}
