//! Whether this installation can do its work.

use std::{path::PathBuf, sync::Arc, time::Duration};

use application::ports::{Check, HealthProbe, JobStore, Pause};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::FailureCode;
use infrastructure::{
    media::{MediaLibrary, YouTubeState},
    persistence::Store,
    redis::Redis,
};
use tokio::time::timeout;

/// How long one look may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Free space below which nothing should be accepted any more.
const DISK_FLOOR_BYTES: u64 = 64 * 1024 * 1024;

/// Looks at the database, its schema, the disk and the programs, and names the engine.
pub(crate) struct Probe {
    store: Arc<Store>,
    data_dir: PathBuf,
    engine: &'static str,
    media: Arc<MediaLibrary>,
    redis: Option<Redis>,
}

impl Probe {
    pub(crate) fn new(
        store: Arc<Store>,
        data_dir: PathBuf,
        engine: &'static str,
        media: Arc<MediaLibrary>,
    ) -> Self {
        Self { store, data_dir, engine, media, redis: None }
    }

    /// Looks at Redis, too, if there is one.
    pub(crate) fn with_redis(self, redis: Option<Redis>) -> Self {
        Self { redis, ..self }
    }

    async fn database(&self) -> Check {
        let ok = matches!(timeout(DEADLINE, self.store.ping()).await, Ok(Ok(())));
        let detail = if ok { "answers" } else { "does not answer" };
        Check { name: "database", ok, required: true, detail: detail.to_owned() }
    }

    async fn migrations(&self) -> Check {
        let status = timeout(DEADLINE, migration::status(self.store.read_connection())).await;
        let (ok, detail) = match status {
            Ok(Ok(status)) => steps(&status),
            Ok(Err(_)) | Err(_) => (false, "cannot be read".to_owned()),
        };
        Check { name: "migrations", ok, required: true, detail }
    }

    async fn disk(&self) -> Check {
        let data_dir = self.data_dir.clone();
        let look = tokio::task::spawn_blocking(move || {
            rustix::fs::statvfs(&data_dir).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
        });
        let (ok, detail) = match timeout(DEADLINE, look).await {
            Ok(Ok(Ok(free))) if free >= DISK_FLOOR_BYTES => (true, "has room"),
            Ok(Ok(Ok(_))) => (false, "is almost full"),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => (false, "cannot be read"),
        };
        Check { name: "disk", ok, required: true, detail: detail.to_owned() }
    }

    /// Without `YouTube` there is still work to be done.
    async fn youtube(&self) -> Check {
        let (ok, detail) = match timeout(DEADLINE, self.media.youtube()).await {
            Ok(state) => (matches!(state, YouTubeState::Ready(_)), state.to_string()),
            Err(_) => (false, "yt-dlp does not answer".to_owned()),
        };
        Check { name: "youtube", ok, required: false, detail }
    }
}

#[async_trait]
impl HealthProbe for Probe {
    async fn check(&self) -> Vec<Check> {
        let (database, migrations, disk, engine, youtube) = tokio::join!(
            self.database(),
            self.migrations(),
            self.disk(),
            engine(&*self.store, self.engine),
            self.youtube(),
        );
        let redis = match &self.redis {
            Some(link) => Some(redis(link).await),
            None => None,
        };
        [database, migrations, disk, engine, youtube].into_iter().chain(redis).collect()
    }
}

/// Without Redis every instance does its work by itself.
async fn redis(redis: &Redis) -> Check {
    let ok = matches!(timeout(DEADLINE, redis.ping()).await, Ok(Ok(())));
    let detail = if ok { "answers" } else { "is away: limits are counted in the process" };
    Check { name: "redis", ok, required: false, detail: detail.to_owned() }
}

/// While a newer version is brought in, the schema is ahead of the processes that still run: they
/// work on, or none would be left before the first new one is there.
fn steps(status: &migration::Status) -> (bool, String) {
    match (status.pending.len(), status.unknown.len()) {
        (0, 0) => (true, "none pending".to_owned()),
        (0, newer) => (true, format!("none pending; {newer} of a newer version")),
        (pending, _) => (false, format!("{pending} pending")),
    }
}

/// What is known of the speech engine. It is not asked: its answer would say nothing of the jobs,
/// and whoever looks here must not make calls that are paid for.
async fn engine(jobs: &dyn JobStore, engine: &'static str) -> Check {
    let look = async { tokio::try_join!(jobs.paused(engine), jobs.duplicates()) };
    let (ok, detail) = match timeout(DEADLINE, look).await {
        Ok(Ok((None, 0))) => (true, engine.to_owned()),
        Ok(Ok((None, count))) => (true, format!("{engine}; {}", twice(count))),
        Ok(Ok((Some(pause), 0))) => (false, stopped(&pause)),
        Ok(Ok((Some(pause), count))) => (false, format!("{}; {}", stopped(&pause), twice(count))),
        Ok(Err(_)) | Err(_) => (false, format!("{engine}; how it stands cannot be read")),
    };
    Check { name: "engine", ok, required: false, detail }
}

fn stopped(pause: &Pause) -> String {
    let why = match pause.code {
        FailureCode::ProviderPaymentRequired => "the speech engine's account has no balance",
        _ => "the speech engine refuses this installation's key",
    };
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (since, until) = (instant(pause.since), instant(pause.until));
    format!("paused: {why} ({}) since {since}, tried again at {until}", pause.code.as_str())
}

fn twice(count: u64) -> String {
    format!("duplicate submissions: {count}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use application::ports::{Clock, JobStore};
    use chrono::TimeDelta;
    use domain::FailureCode;
    use testkit::fakes::{self, Down};

    use super::{engine, steps};

    #[test]
    fn a_schema_ahead_of_this_version_makes_nothing_unready() {
        let names = |count: usize| vec!["m20990101_000001_x".to_owned(); count];
        for (pending, unknown, ok, detail) in [
            (0, 0, true, "none pending"),
            (0, 2, true, "none pending; 2 of a newer version"),
            (1, 0, false, "1 pending"),
            (3, 2, false, "3 pending"),
        ] {
            let status = migration::Status {
                applied: Vec::new(),
                pending: names(pending),
                unknown: names(unknown),
            };
            assert_eq!(steps(&status), (ok, detail.to_owned()));
        }
    }

    #[tokio::test]
    async fn an_engine_that_refuses_the_key_is_told_and_makes_nothing_unready() {
        let fakes = fakes::adapters();
        let jobs: Arc<dyn JobStore> = fakes.store.clone();
        let well = engine(&*jobs, "assemblyai").await;
        assert_eq!((well.ok, well.required, well.detail.as_str()), (true, false, "assemblyai"));
        let until = fakes.clock.now() + TimeDelta::minutes(5);
        for (code, why) in [
            (FailureCode::ProviderAuth, "refuses this installation's key (provider_auth)"),
            (FailureCode::ProviderPaymentRequired, "no balance (provider_payment_required)"),
        ] {
            jobs.pause("assemblyai", code, until).await.unwrap();
            let paused = engine(&*jobs, "assemblyai").await;
            assert!(!paused.ok && !paused.required);
            assert!(paused.detail.starts_with("paused: the speech engine"), "{}", paused.detail);
            assert!(paused.detail.contains(why), "{}", paused.detail);
            let times = "since 2026-01-01T00:00:00Z, tried again at 2026-01-01T00:05:00Z";
            assert!(paused.detail.ends_with(times), "{}", paused.detail);
        }
        jobs.resume("assemblyai").await.unwrap();
        assert!(engine(&*jobs, "assemblyai").await.ok);
    }

    #[tokio::test]
    async fn a_database_that_is_away_leaves_the_engine_unknown() {
        let unknown = engine(&Down, "assemblyai").await;
        assert!(!unknown.ok && !unknown.required);
        assert!(unknown.detail.contains("cannot be read"), "{}", unknown.detail);
    }
}
