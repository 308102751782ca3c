//! The event bus of one process.

use application::ports::{EventBus, Hint, Hints};
use tokio::sync::broadcast;

/// Hands hints to every listener in this process.
#[derive(Debug, Clone)]
pub struct LocalBus {
    sender: broadcast::Sender<Hint>,
}

impl LocalBus {
    /// How many hints a slow listener may lag behind before it misses some.
    const BACKLOG: usize = 1_024;

    /// A bus without listeners.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(Self::BACKLOG) }
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl EventBus for LocalBus {
    fn publish(&self, hint: Hint) {
        // An error says that nobody listens, which is no failure.
        let _ = self.sender.send(hint);
    }

    fn subscribe(&self) -> Hints {
        self.sender.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::LocalBus;
    use application::ports::{EventBus, Hint};
    use tokio::sync::broadcast::error::RecvError;

    #[tokio::test]
    async fn every_listener_gets_what_is_published_after_it_came() {
        let bus = LocalBus::new();
        bus.publish(Hint::Ready);
        let (mut one, mut other) = (bus.subscribe(), bus.subscribe());
        let id = domain::TranscriptionId::from_uuid(uuid::Uuid::from_u128(1));
        bus.publish(Hint::Changed(id));
        assert_eq!(one.recv().await, Ok(Hint::Changed(id)));
        assert_eq!(other.recv().await, Ok(Hint::Changed(id)));
        assert!(one.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_that_it_missed_hints() {
        let bus = LocalBus::new();
        let mut slow = bus.subscribe();
        for _ in 0..=LocalBus::BACKLOG {
            bus.publish(Hint::Ready);
        }
        assert_eq!(slow.recv().await, Err(RecvError::Lagged(1)));
        assert_eq!(slow.recv().await, Ok(Hint::Ready));
    }
}
