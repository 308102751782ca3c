//! A place where a fake stops until a test lets it go on.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, Default)]
struct GateState {
    closed: bool,
    waiting: usize,
}

/// Open at first. A test closes it, waits until somebody stands before it, does what must happen
/// meanwhile, and opens it: an order of events without a sleep.
#[derive(Debug, Default)]
pub struct Gate(watch::Sender<GateState>);

impl Gate {
    /// Stops whoever comes from now on.
    pub fn close(&self) {
        self.0.send_modify(|state| state.closed = true);
    }

    /// Lets everyone pass, those who wait and those who come.
    pub fn open(&self) {
        self.0.send_modify(|state| state.closed = false);
    }

    /// Waits until somebody stands before the closed gate.
    pub async fn reached(&self) {
        self.until(|state| state.waiting > 0).await;
    }

    /// Waits until nobody stands before it: all passed, or gave up.
    pub async fn left(&self) {
        self.until(|state| state.waiting == 0).await;
    }

    /// Passes, when it is open.
    pub async fn pass(&self) {
        if !self.0.borrow().closed {
            return;
        }
        let _place = Place::take(self);
        self.until(|state| !state.closed).await;
    }

    async fn until(&self, wanted: impl FnMut(&GateState) -> bool) {
        // An error would say that the sender is gone, and it is borrowed here.
        let _ = self.0.subscribe().wait_for(wanted).await;
    }
}

/// Someone before the gate; also whose future is dropped there leaves.
struct Place<'a>(&'a Gate);

impl<'a> Place<'a> {
    fn take(gate: &'a Gate) -> Self {
        gate.0.send_modify(|state| state.waiting += 1);
        Self(gate)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use std::sync::Arc;

    #[tokio::test]
    async fn whoever_comes_to_a_closed_gate_waits_for_its_opening() {
        let gate = Arc::new(Gate::default());
        gate.pass().await;
        gate.close();
        let there = gate.clone();
        let waiting = tokio::spawn(async move { there.pass().await });
        gate.reached().await;
        assert!(!waiting.is_finished());
        gate.open();
        waiting.await.unwrap();
        gate.left().await;
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves() {
        let gate = Arc::new(Gate::default());
        gate.close();
        let there = gate.clone();
        let waiting = tokio::spawn(async move { there.pass().await });
        gate.reached().await;
        waiting.abort();
        gate.left().await;
    }
}
