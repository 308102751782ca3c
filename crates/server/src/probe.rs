//! Whether this installation can do its work.

use std::{path::PathBuf, sync::Arc, time::Duration};

use application::ports::{Check, HealthProbe};
use async_trait::async_trait;
use infrastructure::{
    media::{MediaLibrary, YouTubeState},
    persistence::SqliteStore,
};
use tokio::time::timeout;

/// How long one look may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Free space below which nothing should be accepted any more.
const DISK_FLOOR_BYTES: u64 = 64 * 1024 * 1024;

/// Looks at the database, its schema, the disk and the programs, and names the engine.
pub(crate) struct Probe {
    store: Arc<SqliteStore>,
    data_dir: PathBuf,
    engine: &'static str,
    media: Arc<MediaLibrary>,
}

impl Probe {
    pub(crate) fn new(
        store: Arc<SqliteStore>,
        data_dir: PathBuf,
        engine: &'static str,
        media: Arc<MediaLibrary>,
    ) -> Self {
        Self { store, data_dir, engine, media }
    }

    async fn database(&self) -> Check {
        let ok = matches!(timeout(DEADLINE, self.store.ping()).await, Ok(Ok(())));
        let detail = if ok { "answers" } else { "does not answer" };
        Check { name: "database", ok, required: true, detail: detail.to_owned() }
    }

    async fn migrations(&self) -> Check {
        let pending = timeout(DEADLINE, migration::pending(self.store.read_connection())).await;
        let (ok, detail) = match pending {
            Ok(Ok(names)) if names.is_empty() => (true, "none pending".to_owned()),
            Ok(Ok(names)) => (false, format!("{} pending", names.len())),
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
        let (database, migrations, disk, youtube) =
            tokio::join!(self.database(), self.migrations(), self.disk(), self.youtube());
        let engine =
            Check { name: "engine", ok: true, required: false, detail: self.engine.to_owned() };
        vec![database, migrations, disk, engine, youtube]
    }
}
