//! Files in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use application::ports::{ByteStream, Clock, ObjectStore, PortFailure, PutError, StoredObject};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use domain::UploadId;
use futures_util::{StreamExt, stream};

use super::lock;

/// Keeps files in memory. The default has no clock: its files were stored at the beginning of time.
#[derive(Default)]
pub struct InMemoryObjects {
    clock: Option<Arc<dyn Clock>>,
    files: Mutex<BTreeMap<UploadId, (DateTime<Utc>, Bytes)>>,
}

impl InMemoryObjects {
    /// An empty store that takes "now" from `clock`.
    pub fn at(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..Self::default() }
    }

    /// The names of the files, by age.
    pub fn ids(&self) -> Vec<UploadId> {
        lock(&self.files).keys().copied().collect()
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
        let now = self.clock.as_ref().map_or(DateTime::UNIX_EPOCH, |clock| clock.now());
        lock(&self.files).insert(id, (now, whole.freeze()));
        Ok(bytes)
    }

    async fn get(&self, id: UploadId) -> Result<Option<ByteStream<'static>>, PortFailure> {
        let found = lock(&self.files).get(&id).map(|(_, whole)| whole.clone());
        Ok(found.map(|whole| stream::iter([Ok(whole)]).boxed()))
    }

    async fn delete(&self, id: UploadId) -> Result<(), PortFailure> {
        lock(&self.files).remove(&id);
        Ok(())
    }

    async fn list(&self, limit: u32) -> Result<Vec<StoredObject>, PortFailure> {
        let kept = lock(&self.files);
        let object = |(id, (stored_at, whole)): (&UploadId, &(DateTime<Utc>, Bytes))| {
            StoredObject { id: *id, bytes: whole.len() as u64, stored_at: *stored_at }
        };
        Ok(kept.iter().map(object).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }
}
