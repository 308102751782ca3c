//! When to try again: exponential backoff with full jitter, bounded, by class of failure.

use chrono::TimeDelta;

use crate::FailureClass;

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this long; counted.
    Retry(TimeDelta),
    /// Wait this long; not counted.
    Snooze(TimeDelta),
    /// Give up.
    GiveUp,
}

/// How often and how soon a job is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The delay that the first retry is drawn from.
    pub base: TimeDelta,
    /// The longest delay that any retry is drawn from.
    pub cap: TimeDelta,
    /// Most counted failures of a passing kind.
    pub max_transient: u32,
    /// Most counted failures at a source that asks to slow down.
    pub max_throttled: u32,
    /// Most counted failures that are our own mistake.
    pub max_bug: u32,
    /// How long to wait for the operator.
    pub paused: TimeDelta,
    /// Whether to wait for the operator at all: where he stands by, he is told at once.
    pub waits_for_operator: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: TimeDelta::seconds(5),
            cap: TimeDelta::minutes(15),
            max_transient: 8,
            max_throttled: 3,
            max_bug: 3,
            paused: TimeDelta::minutes(5),
            waits_for_operator: true,
        }
    }
}

impl RetryPolicy {
    /// The longest wait that a foreign `Retry-After` can impose.
    pub const MAX_RETRY_AFTER: TimeDelta = TimeDelta::hours(1);

    /// Decides after the `failures`-th counted failure before this one. `jitter` is uniform in
    /// `[0, 1)`; `retry_after` is what the other side asked for, and is never undercut.
    pub fn decide(
        &self,
        class: FailureClass,
        failures: u32,
        retry_after: Option<TimeDelta>,
        jitter: f64,
    ) -> Verdict {
        let asked = retry_after.unwrap_or_default().clamp(TimeDelta::zero(), Self::MAX_RETRY_AFTER);
        let retry = |max: u32, delay: TimeDelta| {
            if failures + 1 < max { Verdict::Retry(delay.max(asked)) } else { Verdict::GiveUp }
        };
        match class {
            FailureClass::Permanent | FailureClass::Ambiguous => Verdict::GiveUp,
            FailureClass::Transient => retry(self.max_transient, self.backoff(failures, jitter)),
            FailureClass::Bug => retry(self.max_bug, self.backoff(failures, jitter)),
            FailureClass::ProviderFailed => {
                retry(self.max_transient, self.backoff(failures, jitter))
            }
            FailureClass::Throttled => {
                let (low, high) = (TimeDelta::minutes(10), TimeDelta::minutes(60));
                retry(self.max_throttled, low + scale(high - low, jitter))
            }
            FailureClass::ProviderPaused | FailureClass::LocalResource
                if !self.waits_for_operator =>
            {
                Verdict::GiveUp
            }
            FailureClass::ProviderPaused | FailureClass::LocalResource => {
                let half = self.paused / 2;
                Verdict::Snooze((half + scale(half, jitter)).max(asked))
            }
        }
    }

    /// A delay drawn uniformly from zero to `base * 2^failures`, capped (full jitter).
    pub fn backoff(&self, failures: u32, jitter: f64) -> TimeDelta {
        let doubled = 1_i32.checked_shl(failures.min(30)).unwrap_or(i32::MAX);
        let ceiling = self.base.checked_mul(doubled).unwrap_or(self.cap).min(self.cap);
        scale(ceiling, jitter)
    }
}

/// `delta * factor`, to the millisecond.
fn scale(delta: TimeDelta, factor: f64) -> TimeDelta {
    #[expect(clippy::cast_precision_loss, reason = "delays are far below 2^53 ms")]
    let millis = delta.num_milliseconds() as f64 * factor.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the delay itself")]
    TimeDelta::milliseconds(millis as i64)
}

#[cfg(test)]
mod tests {
    use super::{RetryPolicy, Verdict};
    use crate::FailureClass;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn what_trying_again_cannot_mend_is_given_up() {
        let policy = RetryPolicy::default();
        for class in [FailureClass::Permanent, FailureClass::Ambiguous] {
            assert_eq!(policy.decide(class, 0, None, 0.5), Verdict::GiveUp);
        }
    }

    #[test]
    fn a_passing_fault_is_tried_eight_times_in_all() {
        let policy = RetryPolicy::default();
        let tries = (0..20).take_while(|n| {
            policy.decide(FailureClass::Transient, *n, None, 0.5) != Verdict::GiveUp
        });
        assert_eq!(tries.count() + 1, 8);
    }

    #[test]
    fn an_empty_balance_is_waited_for_without_counting() {
        let verdict = RetryPolicy::default().decide(FailureClass::ProviderPaused, 999, None, 0.0);
        assert_eq!(verdict, Verdict::Snooze(TimeDelta::seconds(150)));
    }

    #[test]
    fn where_the_operator_stands_by_nothing_is_waited_for() {
        let policy = RetryPolicy { waits_for_operator: false, ..RetryPolicy::default() };
        for class in [FailureClass::ProviderPaused, FailureClass::LocalResource] {
            assert_eq!(policy.decide(class, 0, None, 0.5), Verdict::GiveUp);
        }
    }

    #[test]
    fn a_foreign_retry_after_is_kept_but_bounded() {
        let policy = RetryPolicy::default();
        let asked = |seconds| {
            policy.decide(FailureClass::Transient, 0, Some(TimeDelta::seconds(seconds)), 0.0)
        };
        assert_eq!(asked(42), Verdict::Retry(TimeDelta::seconds(42)));
        assert_eq!(asked(999_999), Verdict::Retry(TimeDelta::hours(1)));
        assert_eq!(asked(-5), Verdict::Retry(TimeDelta::zero()));
    }

    proptest! {
        #[test]
        fn a_delay_is_never_negative_nor_over_the_cap(failures: u32, jitter in 0.0..1.0_f64) {
            let policy = RetryPolicy::default();
            let delay = policy.backoff(failures, jitter);
            prop_assert!(delay >= TimeDelta::zero() && delay <= policy.cap);
        }
    }
}
