//! Files that users handed in, as their live jobs tell of them.

use application::ports::EnqueueError;
use domain::{Source, Transcription, UploadId, UploadedFile, UserId};

use super::state::State;

impl State {
    pub(super) fn enqueue_upload(
        &mut self,
        transcription: &Transcription,
        quota: Option<u64>,
    ) -> Result<(), EnqueueError> {
        let parts = transcription.parts();
        if let (Source::Upload(file), Some(quota)) = (&parts.source, quota)
            && self.upload_bytes(parts.owner) + file.bytes > quota
        {
            return Err(EnqueueError::QuotaExceeded);
        }
        self.enqueue(transcription)
    }

    pub(super) fn upload_bytes(&self, owner: UserId) -> u64 {
        self.live_uploads().filter(|(whose, _)| *whose == owner).map(|(_, file)| file.bytes).sum()
    }

    pub(super) fn uploads_in_use(&self, ids: &[UploadId]) -> Vec<UploadId> {
        self.live_uploads().map(|(_, file)| file.id).filter(|id| ids.contains(id)).collect()
    }

    fn live_uploads(&self) -> impl Iterator<Item = (UserId, UploadedFile)> {
        self.jobs.keys().filter_map(|id| {
            let parts = self.transcriptions.get(id)?.parts();
            match &parts.source {
                Source::Upload(file) => Some((parts.owner, *file)),
                Source::YouTube(_) | Source::Media(_) => None,
            }
        })
    }
}
