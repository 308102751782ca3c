//! Why a value from outside was refused.

use std::borrow::Cow;

/// A value that breaks a rule: a stable `code` for programs and a sentence for people.
///
/// The refused value itself is never part of it, so that it can be shown and logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    code: &'static str,
    detail: Cow<'static, str>,
}

impl Invalid {
    /// Names the broken rule. `detail` is lower case, without a full stop.
    pub fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The stable code of the rule.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What a person can do about it.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}
