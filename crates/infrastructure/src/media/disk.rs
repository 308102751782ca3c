//! Room on the disk: a fetch never takes what the rest of the service lives on.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use application::ports::FetchError;
use domain::FailureCode;
use tokio::task;

use super::error::{failed, local};

/// How many bytes of a body come between two looks at the disk.
const STRETCH: u64 = 4 * 1_024 * 1_024;

/// Measures disks.
pub trait FreeSpace: Send + Sync {
    /// How many bytes this process may still write to the disk that holds `path`, which exists.
    /// May block.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// The file systems of the machine, as they tell of themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFreeSpace;

impl FreeSpace for SystemFreeSpace {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        // Not `f_bfree`: some of that is the superuser's alone.
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// What must stay free, and how that is found out.
#[derive(Clone)]
pub(crate) struct Floor {
    pub(crate) disk: Arc<dyn FreeSpace>,
    pub(crate) min_free_bytes: u64,
}

impl Floor {
    /// Room for one body that goes to `folder`, nothing of it there yet.
    pub(crate) fn room(&self, folder: &Path, announced: Option<u64>) -> Room {
        Room { floor: self.clone(), folder: folder.to_owned(), announced, next_look: 0 }
    }
}

/// Room for one body, looked at before its first byte and again after each stretch of it, since
/// others write to the disk too.
pub(crate) struct Room {
    floor: Floor,
    folder: PathBuf,
    announced: Option<u64>,
    next_look: u64,
}

impl Room {
    /// Makes sure, when `written` bytes of the body are on the disk, that what follows fits above
    /// the floor: all the rest if its length is known, else the next stretch.
    ///
    /// # Errors
    /// `local_resource` if it does not fit, or the disk cannot be asked.
    pub(crate) async fn ensure(&mut self, written: u64) -> Result<(), FetchError> {
        if written < self.next_look {
            return Ok(());
        }
        self.next_look = written.saturating_add(STRETCH);
        let rest = self.announced.map_or(STRETCH, |bytes| bytes.saturating_sub(written));
        let wanted = self.floor.min_free_bytes.saturating_add(rest);
        let free = self.measure().await.map_err(|error| local("measure the disk", &error))?;
        if free < wanted {
            let detail = format!("{free} bytes free on the disk, {wanted} wanted");
            return Err(failed(FailureCode::LocalResource, detail));
        }
        Ok(())
    }

    /// On a thread of its own: a disk on the network, or one that is failing, can take long.
    async fn measure(&self) -> io::Result<u64> {
        let (disk, folder) = (self.floor.disk.clone(), self.folder.clone());
        task::spawn_blocking(move || disk.free_bytes(&folder)).await?
    }
}
