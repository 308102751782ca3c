//! A state of health that a test decides on.

use std::sync::Mutex;

use application::ports::{Check, HealthProbe};
use async_trait::async_trait;

use super::lock;

/// Reports the checks it was given.
#[derive(Debug)]
pub struct FixedHealth(Mutex<Vec<Check>>);

impl FixedHealth {
    /// Reports `checks`.
    pub fn new(checks: Vec<Check>) -> Self {
        Self(Mutex::new(checks))
    }

    /// Reports `checks` from now on.
    pub fn set(&self, checks: Vec<Check>) {
        *lock(&self.0) = checks;
    }
}

impl Default for FixedHealth {
    /// A database that is well, and required.
    fn default() -> Self {
        Self::new(vec![Check {
            name: "database",
            ok: true,
            required: true,
            detail: String::from("in memory"),
        }])
    }
}

#[async_trait]
impl HealthProbe for FixedHealth {
    async fn check(&self) -> Vec<Check> {
        lock(&self.0).clone()
    }
}
