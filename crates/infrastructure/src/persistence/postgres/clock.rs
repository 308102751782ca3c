//! The time of a server, as far as it can be told without asking.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use application::ports::Clock;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The clock of the process, set right by what the server tells whenever it is asked: what one
/// process writes down for later is read by others, so all go by one clock.
pub(in crate::persistence) struct ServerClock {
    process: Arc<dyn Clock>,
    /// How far the server is ahead, in microseconds.
    ahead: AtomicI64,
}

impl ServerClock {
    pub(in crate::persistence) fn new(process: Arc<dyn Clock>) -> Self {
        Self { process, ahead: AtomicI64::new(0) }
    }

    /// Takes in what the server, which was asked at `asked`, said meanwhile.
    pub(super) fn tell(&self, asked: Instant, told: DateTime<Utc>) {
        let took = TimeDelta::from_std(asked.elapsed()).unwrap_or(TimeDelta::MAX);
        self.set(self.process.now(), took, told);
    }

    /// The server said `told` at some moment of the last `took` before `now`. The difference is only
    /// moved as far as that contradicts it, so that it does not shake with each answer.
    fn set(&self, now: DateTime<Utc>, took: TimeDelta, told: DateTime<Utc>) {
        let least = (told - now).num_microseconds().unwrap_or(0);
        let most = least.saturating_add(took.num_microseconds().unwrap_or(i64::MAX));
        let seen = self.ahead.load(Ordering::Relaxed);
        self.ahead.store(seen.clamp(least, most), Ordering::Relaxed);
    }
}

impl Clock for ServerClock {
    fn now(&self) -> DateTime<Utc> {
        let ahead = TimeDelta::microseconds(self.ahead.load(Ordering::Relaxed));
        let now = self.process.now();
        now.checked_add_signed(ahead).unwrap_or(now).trunc_subsecs(6)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use application::ports::Clock;
    use chrono::TimeDelta;
    use testkit::contract::TestClock;

    use super::ServerClock;

    #[test]
    fn it_is_only_moved_as_far_as_an_answer_contradicts_it() {
        let process = Arc::new(TestClock::at_noon());
        let clock = ServerClock::new(process.clone());
        let (noon, second) = (process.now(), TimeDelta::seconds(1));
        let ms = TimeDelta::milliseconds;
        for (took, told, ahead) in [
            // Within what the answer leaves open.
            (ms(10), noon - ms(5), ms(0)),
            // It was said at noon at the latest, and an hour more was shown then.
            (ms(10), noon + second * 3_600, second * 3_600),
            (ms(10), noon + second * 3_600 - ms(4), second * 3_600),
            (ms(10), noon + second * 3_600 - ms(14), second * 3_600 - ms(4)),
            // A slow answer says little, a quick one much.
            (second * 7_300, noon - second * 7_200, second * 100),
            (ms(1), noon - second * 60, second * -60 + ms(1)),
        ] {
            clock.set(noon, took, told);
            assert_eq!(clock.now() - noon, ahead, "{took} {told}");
        }
    }
}
