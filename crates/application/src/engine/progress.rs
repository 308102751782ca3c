//! How far a fetch is: told by the source as often as it likes, written down rarely.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Engine,
    run::{Halt, Run},
};
use crate::{
    causes,
    ports::{CommitError, Hint, Progress},
};

/// How much time passes at least between two notes.
const EVERY: Duration = Duration::from_secs(1);

/// How much further a fetch must be to be worth a note.
const STEP: f64 = 0.01;

/// How far a fetch has got.
#[derive(Default)]
pub(super) struct Reached {
    share: Mutex<f64>,
    moved: Notify,
}

impl Reached {
    fn share(&self) -> f64 {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Reached {
    fn at(&self, share: f64) {
        if !(0.0..=1.0).contains(&share) {
            return;
        }
        *self.share.lock().unwrap_or_else(PoisonError::into_inner) = share;
        self.moved.notify_one();
    }
}

impl Engine {
    /// Notes how far a fetch is, until it is dropped. Ends only when the job is not ours any more.
    pub(super) async fn note_progress(&self, run: &Run, reached: &Reached) -> Halt {
        let mut noted = 0.0;
        let mut next = Instant::now();
        loop {
            reached.moved.notified().await;
            sleep_until(next).await;
            let share = reached.share();
            if share - noted < STEP {
                continue;
            }
            next = Instant::now() + EVERY;
            match self.jobs.progress(&run.lease, share).await {
                Ok(()) => {
                    noted = share;
                    self.events.publish(Hint::Changed(run.lease.job));
                }
                Err(CommitError::LeaseLost) => return Halt::Lost,
                Err(CommitError::Failed(failure)) => tracing::debug!(
                                   event = "progress_not_stored",
                                   error = %failure,
                causes = causes(&failure),
                                   "how far the fetch is was not stored"
                               ),
            }
        }
    }
}
