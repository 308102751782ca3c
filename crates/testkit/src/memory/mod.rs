//! Accounts, transcriptions and jobs in memory, as the ports demand them of a database.
//!
//! One lock stands for the transaction: every method of a port changes the state under it, on
//! copies that are written back only when the whole change is allowed. Nothing outlives the
//! process. Tests use it as the reference for other stores; a single run without a database can
//! use it as it is.

mod endings;
mod jobs;
mod queue;
mod records;
mod state;
mod steps;
mod submissions;
#[cfg(test)]
mod tests;
mod uploads;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use application::ports::{Clock, Erasure};
use domain::{Job, Submission, Transcription, TranscriptionId, User, UserId};

use state::State;

/// Implements [`application::ports::UserRepository`],
/// [`application::ports::TranscriptionRepository`] and [`application::ports::JobStore`] over one
/// state.
pub struct InMemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl InMemoryStore {
    /// An empty store that takes "now" from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Every live job, by identifier.
    pub fn jobs(&self) -> Vec<Job> {
        self.lock().jobs.values().cloned().collect()
    }

    /// One live job.
    pub fn job(&self, id: TranscriptionId) -> Option<Job> {
        self.lock().jobs.get(&id).cloned()
    }

    /// One transcription, whoever owns it.
    pub fn transcription(&self, id: TranscriptionId) -> Option<Transcription> {
        self.lock().transcriptions.get(&id).cloned()
    }

    /// The submissions of one job in the order of their `seq`; they stay when it ends,
    /// and some when its transcription is deleted.
    pub fn submissions(&self, id: TranscriptionId) -> Vec<Submission> {
        let state = self.lock();
        let rows = state.submissions.get(&id).into_iter().flatten();
        rows.map(|row| row.submission.clone()).collect()
    }

    /// What is put down for erasure, due or not, in the order in which it came.
    pub fn erasures(&self) -> Vec<Erasure> {
        self.lock().erasures.iter().map(|(_, erasure)| erasure.clone()).collect()
    }

    /// Every account, by identifier.
    pub fn users(&self) -> Vec<User> {
        self.lock().users.values().cloned().collect()
    }

    /// Enables or disables an account, which is an operator's doing and no use case.
    ///
    /// Returns whether there is such an account.
    pub fn set_active(&self, id: UserId, is_active: bool) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(user) = state.users.get_mut(&id) else { return false };
        let parts = domain::UserParts { is_active, updated_at: now, ..user.parts().clone() };
        *user = User::restore(parts);
        true
    }

    /// A panic of another holder does not matter: nobody writes before the whole change is sure.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for InMemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("InMemoryStore")
            .field("users", &state.users.len())
            .field("transcriptions", &state.transcriptions.len())
            .field("jobs", &state.jobs.len())
            .finish_non_exhaustive()
    }
}
