//! What every [`EventBus`] must do.

use application::ports::{EventBus, Hint, Hints};
use domain::TranscriptionId;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::samples::next_id;

/// More than any bus keeps for a reader that does not read.
const FLOOD: u64 = 100_000;

/// Makes a module `$name` of tests, one for each promise of
/// [`EventBus`]. `$fixture` yields a pair: a pointer to the bus, and
/// whatever must live as long.
#[macro_export]
macro_rules! event_bus_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |bus| {
            events: [
                a_hint_reaches_everyone_who_came_before(&*bus.0),
                a_hint_does_not_reach_who_came_after(&*bus.0),
                hints_come_in_their_order(&*bus.0),
                publishing_to_nobody_does_no_harm(&*bus.0),
                a_slow_reader_is_told_what_it_missed(&*bus.0),
            ]
        } }
    };
}

fn changed() -> Hint {
    Hint::Changed(TranscriptionId::from_uuid(next_id()))
}

/// Asserts that nothing waits for a reader.
fn assert_none(hints: &mut Hints) {
    assert_eq!(hints.try_recv(), Err(TryRecvError::Empty));
}

/// Every subscription gets every hint, once.
pub async fn a_hint_reaches_everyone_who_came_before(bus: &dyn EventBus) {
    let mut listeners = [bus.subscribe(), bus.subscribe(), bus.subscribe()];
    for hint in [Hint::Ready, changed()] {
        bus.publish(hint);
        for listener in &mut listeners {
            assert_eq!(listener.recv().await, Ok(hint));
            assert_none(listener);
        }
    }
}

/// A subscription begins with what comes next.
pub async fn a_hint_does_not_reach_who_came_after(bus: &dyn EventBus) {
    let mut early = bus.subscribe();
    let (former, next) = (changed(), changed());
    bus.publish(former);
    let mut late = bus.subscribe();
    assert_none(&mut late);
    bus.publish(next);
    assert_eq!(late.recv().await, Ok(next));
    assert_eq!((early.recv().await, early.recv().await), (Ok(former), Ok(next)));
}

/// What was published first is read first.
pub async fn hints_come_in_their_order(bus: &dyn EventBus) {
    let mut hints = bus.subscribe();
    let published: Vec<Hint> = (0..20).map(|_| changed()).collect();
    for hint in &published {
        bus.publish(*hint);
    }
    for hint in published {
        assert_eq!(hints.recv().await, Ok(hint));
    }
}

/// Nobody has to listen, be it that nobody came yet or that all have gone.
pub async fn publishing_to_nobody_does_no_harm(bus: &dyn EventBus) {
    bus.publish(Hint::Ready);
    drop(bus.subscribe());
    bus.publish(Hint::Ready);
    let mut hints = bus.subscribe();
    let hint = changed();
    bus.publish(hint);
    assert_eq!(hints.recv().await, Ok(hint));
}

/// Who does not read holds up nobody, and is told how many hints were lost; the last is not.
pub async fn a_slow_reader_is_told_what_it_missed(bus: &dyn EventBus) {
    let mut slow = bus.subscribe();
    for _ in 1..FLOOD {
        bus.publish(Hint::Ready);
    }
    let last = changed();
    bus.publish(last);
    let missed = match slow.recv().await {
        Err(RecvError::Lagged(missed)) => missed,
        other => panic!("{FLOOD} hints were kept for a reader that did not read: {other:?}"),
    };
    for _ in missed + 1..FLOOD {
        assert_eq!(slow.recv().await, Ok(Hint::Ready));
    }
    assert_eq!(slow.recv().await, Ok(last));
    assert_none(&mut slow);
}
