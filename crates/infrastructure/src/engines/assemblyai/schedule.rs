//! When to ask for a job again: soon at first, then ever less often.

use chrono::TimeDelta;

/// The pauses before the first questions, in seconds.
const FIRST: [i64; 4] = [5, 10, 20, 30];
/// The pause after those while a job is young, in seconds.
const YOUNG: i64 = 30;
/// The pause after that, in seconds.
const OLD: i64 = 60;
/// How long a job is young.
const YOUTH: TimeDelta = TimeDelta::minutes(10);
/// By how much a pause is lengthened or shortened at most, so that jobs which were submitted
/// together do not ask together.
const SPREAD: f64 = 0.2;

/// The pause before the first question.
pub(super) const fn first() -> TimeDelta {
    TimeDelta::seconds(FIRST[0])
}

/// The pause after a question that had `polls` before it, about a job that was submitted `age`
/// ago. `jitter` is in `[0, 1)`.
pub(super) fn next(polls: u32, age: TimeDelta, jitter: f64) -> TimeDelta {
    let asked = usize::try_from(polls).unwrap_or(usize::MAX).saturating_add(1);
    let seconds = match FIRST.get(asked) {
        Some(pause) => *pause,
        None if age < YOUTH => YOUNG,
        None => OLD,
    };
    let factor = 1.0 - SPREAD + 2.0 * SPREAD * jitter.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "at most 72,000 ms"
    )]
    TimeDelta::milliseconds((seconds as f64 * 1000.0 * factor) as i64)
}

#[cfg(test)]
mod tests {
    use super::{first, next};
    use chrono::TimeDelta;

    #[test]
    fn a_young_job_is_asked_for_soon_and_an_old_one_rarely() {
        let young = TimeDelta::minutes(2);
        let pauses: Vec<i64> =
            (0..5).map(|polls| next(polls, young, 0.5).num_milliseconds()).collect();
        assert_eq!(first(), TimeDelta::seconds(5));
        assert_eq!(pauses, [10_000, 20_000, 30_000, 30_000, 30_000]);
        assert_eq!(next(9, TimeDelta::minutes(10), 0.5), TimeDelta::seconds(60));
        assert_eq!(next(u32::MAX, TimeDelta::days(400), 0.5), TimeDelta::seconds(60));
    }

    #[test]
    fn a_pause_is_spread_by_a_fifth_either_way() {
        let age = TimeDelta::minutes(30);
        assert_eq!(next(20, age, 0.0), TimeDelta::seconds(48));
        assert!(next(20, age, 0.999) < TimeDelta::seconds(72));
        assert_eq!(next(20, age, f64::INFINITY), TimeDelta::seconds(72));
    }
}
