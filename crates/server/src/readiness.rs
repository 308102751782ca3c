//! What is told of the process to whoever asks whether it is ready.

use std::{sync::Arc, time::Duration};

use application::{
    Engine,
    ports::{Check, HealthProbe},
};
use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

/// How long one look is good for: however many ask, the parts are looked at once a second, and by
/// one at a time.
const FRESH: Duration = Duration::from_secs(1);

/// How long no look for jobs may have gone well before the process counts as one that runs none.
/// Longer than a few failures in a row take, which a database that is restarted makes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A probe that is not asked too often, and the job engine beside it, if there is one.
pub(crate) struct Readiness {
    parts: Arc<dyn HealthProbe>,
    engine: Option<Arc<Engine>>,
    last: Mutex<Option<(Instant, Vec<Check>)>>,
}

impl Readiness {
    pub(crate) fn new(parts: Arc<dyn HealthProbe>, engine: Option<Arc<Engine>>) -> Self {
        Self { parts, engine, last: Mutex::new(None) }
    }
}

#[async_trait]
impl HealthProbe for Readiness {
    async fn check(&self) -> Vec<Check> {
        // Held while it is looked: who comes meanwhile takes what is found.
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < FRESH
        {
            return checks.clone();
        }
        let mut checks = self.parts.check().await;
        checks.extend(self.engine.as_ref().map(|engine| jobs(engine.since_last_look())));
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

/// Whether jobs are run here: the database may answer, and yet let none be taken.
fn jobs(since: Duration) -> Check {
    let ok = since < PATIENCE;
    let detail = if ok {
        "are looked for".to_owned()
    } else {
        format!("no look for jobs went well for {} s; see the log", since.as_secs())
    };
    Check { name: "jobs", ok, required: true, detail }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use application::ports::{Check, HealthProbe};
    use async_trait::async_trait;

    use super::{Readiness, jobs};

    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl HealthProbe for Counting {
        async fn check(&self) -> Vec<Check> {
            tokio::task::yield_now().await;
            self.0.fetch_add(1, Ordering::Relaxed);
            Vec::new()
        }
    }

    #[tokio::test]
    async fn those_who_ask_together_share_one_look() {
        let parts = Arc::new(Counting::default());
        let readiness = Readiness::new(parts.clone(), None);
        tokio::join!(readiness.check(), readiness.check(), readiness.check());
        assert_eq!(parts.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_engine_that_does_not_look_for_jobs_makes_the_process_unready() {
        for (seconds, ok) in [(0, true), (29, true), (30, false), (3_600, false)] {
            let told = jobs(Duration::from_secs(seconds));
            assert_eq!((told.name, told.ok, told.required), ("jobs", ok, true));
        }
    }
}
