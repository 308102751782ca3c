//! Keeps away from `YouTube` while it asks to slow down: every further request would make it worse
//! for all.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use application::ports::FetchError;
use chrono::TimeDelta;
use domain::{FailureClass, FailureCode};
use tokio::time::Instant;

use super::super::error::failed;

/// How long the first pause is; each that follows without a success in between is twice as long.
const FIRST: Duration = Duration::from_mins(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Why nothing is asked, and until when.
    open: Option<(FailureCode, Instant)>,
    /// How long the last pause was.
    last: Duration,
}

impl Breaker {
    /// Whether `YouTube` may be asked.
    ///
    /// # Errors
    /// What it last said, and how long to wait.
    pub(super) fn check(&self, now: Instant) -> Result<(), FetchError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open {
            Some((code, until)) if now < until => {
                // Not a failure of this job: it waits, uncounted.
                let detail = format!("not asked after {}", code.as_str());
                let error = failed(FailureCode::LocalResource, detail);
                Err(FetchError { retry_after: wait(until - now), ..error })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes note of how a request ended, and adds to an error how long to wait.
    pub(super) fn learn<T>(
        &self,
        now: Instant,
        fetched: Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(fetched) => {
                *state = State::default();
                Ok(fetched)
            }
            Err(error) if error.code.class() == FailureClass::Throttled => {
                // Several may have been asked at once: their answers are one.
                if state.open.is_none_or(|(_, until)| until <= now) {
                    state.last = (state.last * 2).clamp(FIRST, LONGEST);
                    state.open = Some((error.code, now + state.last));
                    tracing::warn!(
                        event = "youtube_paused",
                        code = error.code.as_str(),
                        pause_s = state.last.as_secs(),
                        "YouTube asks to slow down: nothing is fetched from it for a while"
                    );
                }
                let until = state.open.map_or(now, |(_, until)| until);
                Err(FetchError { retry_after: wait(until - now), ..error })
            }
            Err(error) => Err(error),
        }
    }
}

fn wait(pause: Duration) -> Option<TimeDelta> {
    TimeDelta::from_std(pause).ok()
}

#[cfg(test)]
mod tests {
    use super::{Breaker, failed};
    use application::ports::FetchError;
    use domain::FailureCode;
    use std::time::Duration;
    use tokio::time::Instant;

    const MINUTE: Duration = Duration::from_mins(1);

    fn minutes(error: &FetchError) -> Option<i64> {
        error.retry_after.map(|wait| wait.num_minutes())
    }

    fn throttled(breaker: &Breaker, now: Instant) -> Option<i64> {
        let answer = Err::<(), _>(failed(FailureCode::YouTubeRateLimited, ""));
        minutes(&breaker.learn(now, answer).expect_err("an error"))
    }

    #[test]
    fn after_a_request_to_slow_down_nothing_is_asked_for_a_while() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert!(breaker.check(start).is_ok());
        assert_eq!(throttled(&breaker, start), Some(10));
        let refused = breaker.check(start + 4 * MINUTE).expect_err("it is open");
        assert_eq!((refused.code, minutes(&refused)), (FailureCode::LocalResource, Some(6)));
        assert!(breaker.check(start + 10 * MINUTE).is_ok());
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_a_success_forgets_them() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        for pause in [10, 20, 40, 60, 60] {
            assert_eq!(throttled(&breaker, now), Some(pause));
            now += 60 * MINUTE;
        }
        assert!(breaker.learn(now, Ok(())).is_ok());
        assert_eq!(throttled(&breaker, now), Some(10));
    }

    #[test]
    fn answers_to_what_was_asked_at_once_are_one_pause() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(throttled(&breaker, start), Some(10));
        assert_eq!(throttled(&breaker, start + MINUTE), Some(9));
    }

    #[test]
    fn other_failures_close_no_door() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let answer = Err::<(), _>(failed(FailureCode::YouTubePrivate, ""));
        assert!(breaker.learn(now, answer).is_err());
        assert!(breaker.check(now).is_ok());
    }
}
