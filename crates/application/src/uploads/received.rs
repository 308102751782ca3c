//! Files that belong to no transcription: not yet, or no longer.

use std::sync::Arc;

use domain::{Source, UploadId, UploadedFile};
use tokio::runtime::Handle;

use crate::{causes, ports::ObjectStore};

/// A file that is stored, and that no transcription has yet.
pub struct Received {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) file: UploadedFile,
    pub(super) kept: bool,
}

impl Received {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// It belongs to a transcription now, or may do so.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    /// Removes it; best effort, since the sweep finds what stays.
    pub async fn discard(mut self) {
        self.kept = true;
        discard(self.objects.as_ref(), self.file.id).await;
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (objects, id) = (Arc::clone(&self.objects), self.file.id);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { discard(objects.as_ref(), id).await });
        }
    }
}

/// Removes the file of a source that nobody needs any more, if it is one.
pub(crate) async fn release(objects: &dyn ObjectStore, source: &Source) {
    if let Source::Upload(file) = source {
        discard(objects, file.id).await;
    }
}

async fn discard(objects: &dyn ObjectStore, id: UploadId) {
    if let Err(failure) = objects.delete(id).await {
        tracing::warn!(
                   event = "upload_leftover",
                   error = %failure,
        causes = causes(&failure),
                   "an upload is left for the next sweep"
               );
    }
}
