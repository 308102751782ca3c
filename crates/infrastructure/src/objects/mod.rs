//! The files that users hand in, in a folder of this machine or in a bucket of an S3.
//!
//! A file appears under its name when it is whole, and not before: it is staged beside it in a
//! folder, and as an upload in parts in a bucket. What a killed process leaves staged in a folder
//! is listed and deleted like a file; in a bucket, a lifecycle rule of the bucket ends it.

mod folder;
mod s3;
mod staged;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use application::ports::{BrokenOff, ByteStream, ObjectStore, PortFailure, PutError, StoredObject};
use async_trait::async_trait;
use bytes::Bytes;
use domain::UploadId;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, path::Path as Key};
use uuid::Uuid;

use crate::media::disk::{Floor, FreeSpace, Room};
use folder::Folder;
pub use s3::S3Config;
use staged::Staged;

/// How long one call of the store may take, its retries included.
const CALL: Duration = Duration::from_mins(1);

/// Why files cannot be kept there.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The folder cannot be used.
    #[error("cannot use the folder {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The settings of the store contradict one another.
    #[error("cannot use the object store")]
    Store(#[from] object_store::Error),
}

/// Keeps files under names of our own.
pub struct Objects {
    store: Arc<dyn object_store::ObjectStore>,
    prefix: Key,
    /// Where the files lie, unless that is another machine.
    folder: Option<Folder>,
    /// How many bytes are gathered before they are written.
    piece_bytes: u64,
}

impl Objects {
    /// Keeps files in `folder`, which is made if it is not there, for its owner alone; at least
    /// `min_free_bytes` of its disk stay free.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub fn in_folder(folder: &Path, min_free_bytes: u64) -> Result<Self, ObjectsError> {
        let (store, folder) = Folder::open(folder, min_free_bytes)?;
        let prefix = Key::default();
        Ok(Self { store, prefix, folder: Some(folder), piece_bytes: folder::PIECE_BYTES })
    }

    /// Keeps files in a bucket. Asks nobody: a bucket that is not there shows when it is used.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub fn in_bucket(config: &S3Config) -> Result<Self, ObjectsError> {
        let prefix = Key::from(config.prefix.as_str());
        Ok(Self { store: s3::open(config)?, prefix, folder: None, piece_bytes: s3::PIECE_BYTES })
    }

    /// The same, measuring the disk of the folder with `disk` instead of asking the machine.
    #[must_use]
    pub fn measuring(mut self, disk: Arc<dyn FreeSpace>) -> Self {
        if let Some(folder) = &mut self.folder {
            folder.floor.disk = disk;
        }
        self
    }

    /// Gives a file a second name at `target`, so that it need not be copied. `false` where that
    /// cannot be done; `target` is then untouched.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such file.
    pub(crate) async fn link(&self, id: UploadId, target: &Path) -> io::Result<bool> {
        match &self.folder {
            Some(folder) => folder.link(id, target).await,
            None => Ok(false),
        }
    }

    fn key(&self, id: UploadId) -> Key {
        self.prefix.clone().join(id.to_string())
    }

    /// Sends what `body` brings in pieces that the store takes.
    async fn fill(
        &self,
        staged: &mut Staged,
        mut body: ByteStream<'_>,
        max_bytes: u64,
    ) -> Result<u64, PutError> {
        let piece_bytes = self.piece_bytes.max(max_bytes.div_ceil(s3::MAX_PIECES));
        let mut room = self.folder.as_ref().map(Folder::room);
        let (mut total, mut gathered, mut size) = (0_u64, Vec::new(), 0_u64);
        loop {
            ensure(room.as_mut(), total).await?;
            let Some(chunk) = body.next().await.transpose()? else { break };
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            total = total.saturating_add(length);
            size += length;
            gathered.push(chunk);
            if total > max_bytes {
                return Err(PutError::TooLarge(max_bytes));
            }
            if size >= piece_bytes {
                size = 0;
                staged.write(std::mem::take(&mut gathered)).await?;
            }
        }
        if size > 0 {
            staged.write(gathered).await?;
        }
        Ok(total)
    }
}

/// Whether there is room for more; a disk that cannot be measured has none.
async fn ensure(room: Option<&mut Room>, written: u64) -> Result<(), PutError> {
    let Some(room) = room else { return Ok(()) };
    room.ensure(written).await.map_err(|error| {
        tracing::warn!(event = "upload_refused", detail = %error.detail, "no room for an upload");
        PutError::NoRoom
    })
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put(
        &self,
        id: UploadId,
        body: ByteStream<'_>,
        max_bytes: u64,
    ) -> Result<u64, PutError> {
        let mut staged = Staged::begin(&self.store, self.key(id)).await?;
        match self.fill(&mut staged, body, max_bytes).await {
            Ok(bytes) => {
                staged.publish().await?;
                Ok(bytes)
            }
            Err(error) => {
                staged.give_up().await;
                Err(error)
            }
        }
    }

    async fn get(&self, id: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure> {
        match within("objects.get", self.store.get(&self.key(id))).await {
            Ok(found) => {
                let bytes = found.into_stream().map_err(|error| BrokenOff(error.to_string()));
                Ok(Some(bytes.boxed()))
            }
            Err(Fault::Missing) => Ok(None),
            Err(fault) => Err(fault.failure("objects.get")),
        }
    }

    async fn delete(&self, id: UploadId) -> Result<(), PortFailure> {
        let staged = match &self.folder {
            Some(folder) => folder.drop_staged(id).await,
            None => Ok(()),
        };
        match within("objects.delete", self.store.delete(&self.key(id))).await {
            Ok(()) | Err(Fault::Missing) => {
                staged.map_err(|error| PortFailure::transient("objects.delete", error))
            }
            Err(fault) => Err(fault.failure("objects.delete")),
        }
    }

    async fn list(&self, limit: u32) -> Result<Vec<StoredObject>, PortFailure> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if let Some(folder) = &self.folder {
            let listed = folder.list(limit).await;
            return listed.map_err(|error| PortFailure::transient("objects.list", error));
        }
        // Our names are in the order of their age, and a bucket lists by name.
        let named = self.store.list(Some(&self.prefix)).try_filter_map(async |meta| {
            let id = meta.location.filename().and_then(named);
            let (bytes, stored_at) = (meta.size, meta.last_modified);
            Ok(id.map(|id| StoredObject { id, bytes, stored_at }))
        });
        let listed = within("objects.list", named.take(limit).try_collect()).await;
        listed.map_err(|fault| fault.failure("objects.list"))
    }
}

/// The file that is called `name`, if that is one of our names.
fn named(name: &str) -> Option<UploadId> {
    let id = UploadId::from_uuid(Uuid::parse_str(name).ok()?);
    (id.to_string() == name).then_some(id)
}

/// Why a call of the store failed.
#[derive(Debug)]
enum Fault {
    Missing,
    Full,
    Slow,
    Other(object_store::Error),
}

impl Fault {
    fn failure(self, operation: &'static str) -> PortFailure {
        match self {
            Self::Missing => PortFailure::transient(operation, "the file is gone"),
            Self::Full => PortFailure::transient(operation, "the disk is full"),
            Self::Slow => PortFailure::transient(operation, "the object store took too long"),
            // Whatever it says, the operator mends it, and then it works.
            Self::Other(error) => PortFailure::transient(operation, error),
        }
    }

    fn refusal(self) -> PutError {
        match self {
            Self::Full => PutError::NoRoom,
            other => PutError::Failed(other.failure("objects.put")),
        }
    }
}

impl From<object_store::Error> for Fault {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
        let mut kinds = chain.filter_map(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind);
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if kinds.any(full) { Self::Full } else { Self::Other(error) }
    }
}

/// Runs one call of the store under its deadline.
async fn within<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, object_store::Error>>,
) -> Result<T, Fault> {
    let Ok(done) = tokio::time::timeout(CALL, call).await else {
        tracing::warn!(event = "object_store_slow", operation, "the object store hangs");
        return Err(Fault::Slow);
    };
    done.map_err(Fault::from)
}

/// Gathered bytes as the store takes them.
fn payload(gathered: Vec<Bytes>) -> object_store::PutPayload {
    gathered.into_iter().collect()
}
