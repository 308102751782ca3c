//! Keeping the files that users hand in, until their transcriptions have ended.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::UploadId;
use futures_util::Stream;

use super::PortFailure;

/// The bytes of a file as they come. An error is that of whoever sends them.
pub type ByteStream<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, BrokenOff>> + Send + 'a>>;

/// Whoever sends a file has stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file broke off: {0}")]
pub struct BrokenOff(pub String);

/// Why a file was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It did not come whole.
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
    /// It is larger than allowed.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// There is not enough room for it now.
    #[error("there is not enough room to store the file")]
    NoRoom,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name.
    pub id: UploadId,
    /// Its size.
    pub bytes: u64,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

/// Keeps files under names of our own.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Stores what `body` brings, at most `max_bytes`, and tells how much that was. All or
    /// nothing: after an error, and when the future is dropped, nothing is kept under `id`.
    async fn put(
        &self,
        id: UploadId,
        body: ByteStream<'_>,
        max_bytes: u64,
    ) -> Result<u64, PutError>;

    /// Reads a file; `None` where there is none.
    async fn get(&self, id: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure>;

    /// Removes a file; one that is not there is no error.
    async fn delete(&self, id: UploadId) -> Result<(), PortFailure>;

    /// What is kept, at most `limit` files, the oldest first as far as the store knows.
    async fn list(&self, limit: u32) -> Result<Vec<StoredObject>, PortFailure>;
}
