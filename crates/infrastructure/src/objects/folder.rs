//! What only a folder of this machine has: room that can be measured, names for what is staged,
//! and second names for files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use application::ports::StoredObject;
use chrono::{DateTime, Utc};
use domain::UploadId;
use object_store::{ObjectStore, local::LocalFileSystem};
use tokio::fs;

use super::{Floor, ObjectsError, Room, named};
use crate::media::disk::SystemFreeSpace;

/// How many bytes are gathered for one write: each costs a trip to another thread.
pub(super) const PIECE_BYTES: u64 = 1_024 * 1_024;

/// What stands behind the name of a file that is staged, and before a number.
const STAGED: char = '#';

pub(super) struct Folder {
    path: PathBuf,
    pub(super) floor: Floor,
}

impl Folder {
    pub(super) fn open(
        path: &Path,
        min_free_bytes: u64,
    ) -> Result<(Arc<dyn ObjectStore>, Self), ObjectsError> {
        let failed = |error| ObjectsError::Folder(path.to_owned(), error);
        let absolute = std::path::absolute(path).map_err(failed)?;
        make_private(&absolute).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&absolute)?.with_fsync(true);
        let floor = Floor { disk: Arc::new(SystemFreeSpace), min_free_bytes };
        Ok((Arc::new(store), Self { path: absolute, floor }))
    }

    pub(super) fn room(&self) -> Room {
        self.floor.room(&self.path, None)
    }

    pub(super) async fn link(&self, id: UploadId, target: &Path) -> io::Result<bool> {
        match fs::hard_link(self.path.join(id.to_string()), target).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            // Another disk, or a file system that does not know second names.
            Err(_) => Ok(false),
        }
    }

    /// Removes what a killed process has left of `id`.
    pub(super) async fn drop_staged(&self, id: UploadId) -> io::Result<()> {
        // A name is used for one upload, so there is only a first.
        match fs::remove_file(self.path.join(format!("{id}{STAGED}1"))).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// What is here, staged files included, the oldest first.
    pub(super) async fn list(&self, limit: usize) -> io::Result<Vec<StoredObject>> {
        let mut entries = fs::read_dir(&self.path).await?;
        let mut listed = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.split(STAGED).next());
            let Some(id) = name.and_then(named) else { continue };
            match entry.metadata().await {
                Ok(found) if found.is_file() => {
                    let stored_at = DateTime::<Utc>::from(found.modified()?);
                    listed.push(StoredObject { id, bytes: found.len(), stored_at });
                }
                // Something else, or just deleted.
                Ok(_) | Err(_) => {}
            }
        }
        listed.sort_by_key(|object| (object.stored_at, object.id));
        listed.truncate(limit);
        Ok(listed)
    }
}

/// Makes a folder that no other user of the machine can look into.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
