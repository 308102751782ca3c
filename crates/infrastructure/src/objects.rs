//! The files that users hand in, in a folder or in a bucket.

use application::ports::{ByteStream, ObjectStore, PortFailure, PutError, StoredObject};
use async_trait::async_trait;
use domain::UploadId;

/// Keeps nothing yet.
#[derive(Debug, Default)]
pub struct NoObjects;

#[async_trait]
impl ObjectStore for NoObjects {
    async fn put(&self, _: UploadId, _: ByteStream<'_>, _: u64) -> Result<u64, PutError> {
        Err(PutError::NoRoom)
    }

    async fn get(&self, _: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure> {
        Ok(None)
    }

    async fn delete(&self, _: UploadId) -> Result<(), PortFailure> {
        Ok(())
    }

    async fn list(&self, _: u32) -> Result<Vec<StoredObject>, PortFailure> {
        Ok(Vec::new())
    }
}
