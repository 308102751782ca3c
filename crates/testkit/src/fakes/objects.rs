//! Files in memory.

use std::{collections::BTreeMap, sync::Mutex};

use application::ports::{ByteStream, ObjectStore, PortFailure, PutError, StoredObject};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use domain::UploadId;
use futures_util::{StreamExt, stream};

use super::lock;

/// Keeps files in memory, as if all had been stored at the beginning of time.
#[derive(Debug, Default)]
pub struct InMemoryObjects(Mutex<BTreeMap<UploadId, Bytes>>);

impl InMemoryObjects {
    /// The names of the files, by age.
    pub fn ids(&self) -> Vec<UploadId> {
        lock(&self.0).keys().copied().collect()
    }
}

#[async_trait]
impl ObjectStore for InMemoryObjects {
    async fn put(
        &self,
        id: UploadId,
        mut body: ByteStream<'_>,
        max_bytes: u64,
    ) -> Result<u64, PutError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = body.next().await {
            whole.extend_from_slice(&piece?);
            if whole.len() as u64 > max_bytes {
                return Err(PutError::TooLarge(max_bytes));
            }
        }
        let bytes = whole.len() as u64;
        lock(&self.0).insert(id, whole.freeze());
        Ok(bytes)
    }

    async fn get(&self, id: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure> {
        let found = lock(&self.0).get(&id).cloned();
        Ok(found.map(|whole| stream::iter([Ok(whole)]).boxed()))
    }

    async fn delete(&self, id: UploadId) -> Result<(), PortFailure> {
        lock(&self.0).remove(&id);
        Ok(())
    }

    async fn list(&self, limit: u32) -> Result<Vec<StoredObject>, PortFailure> {
        let kept = lock(&self.0);
        let object = |(id, whole): (&UploadId, &Bytes)| StoredObject {
            id: *id,
            bytes: whole.len() as u64,
            stored_at: DateTime::UNIX_EPOCH,
        };
        Ok(kept.iter().map(object).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }
}
