//! Which budgets there are, and how large they are.

use std::{sync::Arc, time::Duration};

use crate::ports::{Budget, PortFailure, RateLimiter, Taken};

/// A budget that calls are counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BudgetName {
    /// Whatever has no budget of its own.
    Default,
    /// The health routes.
    Health,
    /// The description and the pages that show it.
    Docs,
    /// Registration.
    AuthRegister,
    /// Signing in.
    AuthLogin,
    /// Reading one's own account.
    AuthMe,
    /// Creating a transcription.
    TranscriptionCreate,
    /// Listing transcriptions.
    TranscriptionList,
    /// Reading one transcription.
    TranscriptionGet,
    /// Canceling and deleting.
    TranscriptionDelete,
    /// Reading a transcript in another format.
    TranscriptionExport,
}

impl BudgetName {
    /// Every budget with its name and its default number of calls a minute.
    pub const TABLE: [(Self, &'static str, u32); 11] = [
        (Self::Default, "default", 100),
        (Self::Health, "health", 100),
        (Self::Docs, "docs", 50),
        (Self::AuthRegister, "auth_register", 5),
        (Self::AuthLogin, "auth_login", 5),
        (Self::AuthMe, "auth_me", 20),
        (Self::TranscriptionCreate, "transcription_create", 10),
        (Self::TranscriptionList, "transcription_list", 20),
        (Self::TranscriptionGet, "transcription_get", 30),
        (Self::TranscriptionDelete, "transcription_delete", 10),
        (Self::TranscriptionExport, "transcription_export", 30),
    ];

    /// Reads a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::TABLE.iter().find(|(_, name, _)| *name == word).map(|(budget, ..)| *budget)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        Self::TABLE[self as usize].1
    }
}

/// The budgets in force; absent ones are off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas([Option<u32>; BudgetName::TABLE.len()]);

impl Quotas {
    /// How long every window lasts.
    pub const WINDOW: Duration = Duration::from_mins(1);

    /// No limits at all.
    pub const OFF: Self = Self([None; BudgetName::TABLE.len()]);

    /// Sets the calls a minute of one budget, or turns it off.
    pub fn set(&mut self, name: BudgetName, quota: Option<u32>) {
        self.0[name as usize] = quota;
    }

    /// The budget in force, if it is on.
    pub fn get(&self, name: BudgetName) -> Option<Budget> {
        let quota = self.0[name as usize]?;
        Some(Budget { name: name.as_str(), quota, window: Self::WINDOW })
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self(BudgetName::TABLE.map(|(_, _, quota)| Some(quota)))
    }
}

/// Counts calls against the budgets in force.
pub struct Limits {
    limiter: Arc<dyn RateLimiter>,
    quotas: Quotas,
}

impl Limits {
    /// Limits by `quotas`, counted by `limiter`.
    pub fn new(limiter: Arc<dyn RateLimiter>, quotas: Quotas) -> Self {
        Self { limiter, quotas }
    }

    /// Counts one call of `key`; `None` where the budget is off.
    ///
    /// # Errors
    /// [`PortFailure`] when nothing can count.
    pub async fn take(
        &self,
        name: BudgetName,
        key: &str,
    ) -> Result<Option<(Budget, Taken)>, PortFailure> {
        match self.quotas.get(name) {
            None => Ok(None),
            Some(budget) => {
                self.limiter.take(&budget, key).await.map(|taken| Some((budget, taken)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BudgetName, Quotas};

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (at, (budget, name, quota)) in BudgetName::TABLE.into_iter().enumerate() {
            assert_eq!(budget as usize, at);
            assert_eq!(BudgetName::from_word(name), Some(budget));
            assert_eq!(Quotas::default().get(budget).map(|b| b.quota), Some(quota));
            assert_eq!(Quotas::OFF.get(budget), None);
        }
    }
}
