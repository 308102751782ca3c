//! Hints that something changed. The truth is in the database: a lost hint costs a moment, never
//! a job.

use domain::TranscriptionId;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A job may be ready to be claimed.
    Ready,
    /// This transcription changed.
    Changed(TranscriptionId),
    /// This transcription was called off or deleted: its job is to be let go of.
    Ended(TranscriptionId),
}

/// A subscription. Receives every hint published after it was made; a slow reader may miss some
/// and is told [`tokio::sync::broadcast::error::RecvError::Lagged`].
pub type Hints = tokio::sync::broadcast::Receiver<Hint>;

/// Carries hints between the parts of the service.
pub trait EventBus: Send + Sync {
    /// Tells whoever listens. Never waits, never fails.
    fn publish(&self, hint: Hint);

    /// Begins to listen.
    fn subscribe(&self) -> Hints;
}
