//! Remembers whether Redis is there, so that only the first calls find out that it is not.

use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    away: bool,
    /// How often it came back: tells calls that began before from those that began after.
    returns: u64,
}

/// A call that was let through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass(u64);

impl Breaker {
    /// Lets a call through, unless Redis is away.
    pub(super) fn admit(&self) -> Option<Pass> {
        let state = self.state();
        (!state.away).then_some(Pass(state.returns))
    }

    /// Takes note that a call failed. Whether it is the first to find out; a call that began
    /// before Redis came back says nothing of what is now.
    pub(super) fn failed(&self, pass: Pass) -> bool {
        let mut state = self.state();
        let first = !state.away && state.returns == pass.0;
        state.away |= first;
        first
    }

    /// Takes note that Redis is back.
    pub(super) fn returned(&self) {
        let mut state = self.state();
        state.away = false;
        state.returns += 1;
    }

    pub(super) fn is_away(&self) -> bool {
        self.state().away
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Breaker;

    #[test]
    fn after_a_failure_nobody_is_let_through_until_it_is_back() {
        let breaker = Breaker::default();
        let pass = breaker.admit().expect("it is there");
        assert!(breaker.failed(pass));
        assert!(breaker.admit().is_none() && breaker.is_away());
        breaker.returned();
        assert!(breaker.admit().is_some() && !breaker.is_away());
    }

    #[test]
    fn of_calls_that_fail_together_one_is_the_first() {
        let breaker = Breaker::default();
        let passes: Vec<_> = (0..10).filter_map(|_| breaker.admit()).collect();
        let first = passes.iter().filter(|pass| breaker.failed(**pass)).count();
        assert_eq!((passes.len(), first), (10, 1));
    }

    #[test]
    fn a_failure_of_a_call_from_before_the_return_is_old_news() {
        let breaker = Breaker::default();
        let (one, slow) = (breaker.admit().expect("a pass"), breaker.admit().expect("a pass"));
        breaker.failed(one);
        breaker.returned();
        assert!(!breaker.failed(slow));
        assert!(breaker.admit().is_some());
    }
}
