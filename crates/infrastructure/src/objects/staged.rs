//! A file on its way into the store. It is kept once it is published; whatever happens before
//! leaves nothing.

use std::sync::Arc;

use application::ports::PutError;
use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, path::Path as Key};
use tokio::{runtime::Handle, task::JoinHandle};

use super::{Fault, payload, within};

type Store = Arc<dyn ObjectStore>;
type Upload = Box<dyn MultipartUpload>;

/// An upload that is under way. Dropped, it is given up in a task of its own: whoever drops it can
/// wait for nothing.
pub(super) struct Staged {
    store: Store,
    key: Key,
    upload: Option<Upload>,
}

impl Staged {
    pub(super) async fn begin(store: &Store, key: Key) -> Result<Self, PutError> {
        let begun = within("objects.put", store.put_multipart(&key)).await;
        let upload = Some(begun.map_err(Fault::refusal)?);
        Ok(Self { store: Arc::clone(store), key, upload })
    }

    pub(super) async fn write(&mut self, gathered: Vec<Bytes>) -> Result<(), PutError> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        within("objects.put", upload.put_part(payload(gathered))).await.map_err(Fault::refusal)
    }

    /// Gives the file its name.
    pub(super) async fn publish(mut self) -> Result<(), PutError> {
        let Some(mut upload) = self.upload.take() else { return Ok(()) };
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        // In a task, because it cannot be known of one that was dropped whether it has happened.
        let task = tokio::spawn(async move {
            let done = within("objects.put", upload.complete()).await;
            if done.is_err() {
                clear(upload, &store, &key).await;
            }
            done.map(|_| ()).map_err(Fault::refusal)
        });
        let publishing =
            Publishing { store: Arc::clone(&self.store), key: self.key.clone(), task: Some(task) };
        publishing.done().await
    }

    pub(super) async fn give_up(mut self) {
        if let Some(upload) = self.upload.take() {
            clear(upload, &self.store, &self.key).await;
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        // Without a runtime the process ends, and the sweep of the next one finds it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { clear(upload, &store, &key).await });
        }
    }
}

/// Leaves nothing of an upload. What fails is found by the sweep.
async fn clear(mut upload: Upload, store: &Store, key: &Key) {
    if let Err(Fault::Slow | Fault::Other(_)) = within("objects.abort", upload.abort()).await {
        tracing::debug!(event = "upload_not_aborted", "an upload was over, or could not be ended");
    }
    remove(store, key).await;
}

async fn remove(store: &Store, key: &Key) {
    match within("objects.delete", store.delete(key)).await {
        Ok(()) | Err(Fault::Missing) => {}
        Err(fault) => {
            let error = fault.failure("objects.delete");
            tracing::warn!(
                event = "upload_leftover",
                error = &error as &dyn std::error::Error,
                "an upload that was given up is left for the sweep"
            );
        }
    }
}

/// A file that is getting its name. Dropped, it is removed again once it has it.
struct Publishing {
    store: Store,
    key: Key,
    task: Option<JoinHandle<Result<(), PutError>>>,
}

impl Publishing {
    async fn done(mut self) -> Result<(), PutError> {
        let Some(task) = &mut self.task else { return Ok(()) };
        let done = task.await;
        self.task = None;
        done.unwrap_or_else(|_| Err(Fault::Slow.refusal()))
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if matches!(task.await, Ok(Ok(()))) {
                    remove(&store, &key).await;
                }
            });
        }
    }
}
