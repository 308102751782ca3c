//! A store of files with a fault.

use std::sync::Arc;

use application::ports::{ByteStream, ObjectStore, PortFailure, PutError, StoredObject};
use async_trait::async_trait;
use domain::UploadId;

use super::{Faults, jobs::failure};

/// Passes every call on, except where [`Faults`] says otherwise.
pub struct FaultyObjects {
    inner: Arc<dyn ObjectStore>,
    faults: Arc<Faults>,
}

impl FaultyObjects {
    /// Passes calls on to `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl ObjectStore for FaultyObjects {
    async fn put(
        &self,
        id: UploadId,
        body: ByteStream<'_>,
        max_bytes: u64,
    ) -> Result<u64, PutError> {
        let refused = || PutError::from(failure("objects.put"));
        // The port promises that nothing is kept after an error.
        let lost = async || match self.inner.delete(id).await {
            Ok(()) => refused(),
            Err(failure) => failure.into(),
        };
        let put = self.inner.put(id, body, max_bytes);
        self.faults.around("objects.put", put, refused, lost).await
    }

    async fn get(&self, id: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure> {
        self.inner.get(id).await
    }

    async fn delete(&self, id: UploadId) -> Result<(), PortFailure> {
        let refused = || failure("objects.delete");
        let lost = async || failure("objects.delete");
        self.faults.around("objects.delete", self.inner.delete(id), refused, lost).await
    }

    async fn list(&self, limit: u32) -> Result<Vec<StoredObject>, PortFailure> {
        self.inner.list(limit).await
    }
}
