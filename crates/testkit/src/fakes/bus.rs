//! Hints within one process.

use application::ports::{EventBus, Hint, Hints};
use tokio::sync::broadcast;

/// Carries hints over a channel in memory.
#[derive(Debug)]
pub struct LocalBus(broadcast::Sender<Hint>);

impl Default for LocalBus {
    /// A reader may fall 1,024 hints behind.
    fn default() -> Self {
        Self(broadcast::Sender::new(1_024))
    }
}

impl EventBus for LocalBus {
    fn publish(&self, hint: Hint) {
        // An error says that nobody listens, which is allowed.
        let _ = self.0.send(hint);
    }

    fn subscribe(&self) -> Hints {
        self.0.subscribe()
    }
}
