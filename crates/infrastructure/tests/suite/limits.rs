//! The limiter of one process against the contract of its port.

use std::sync::Arc;

use infrastructure::limits::InProcessLimiter;
use testkit::contract::TestClock;

testkit::rate_limiter_contract!(in_process, async {
    let clock = Arc::new(TestClock::at_noon());
    (Box::new(InProcessLimiter::new(Arc::<TestClock>::clone(&clock))), clock)
});
