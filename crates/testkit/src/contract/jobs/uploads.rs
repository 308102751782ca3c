//! What the store knows of the files that users hand in.

use application::ports::EnqueueError;
use domain::{Source, Transcription, TranscriptionParts, UploadId, UploadedFile, UserId};

use crate::contract::{Stores, a_transcription, samples::next_id, stores::request};

/// A new transcription of a file of this size.
fn an_upload(stores: &Stores, owner: UserId, bytes: u64) -> (Transcription, UploadId) {
    let id = UploadId::from_uuid(next_id());
    let parts = a_transcription(owner, stores.now()).parts().clone();
    let source = Source::Upload(UploadedFile { id, bytes });
    let parts = TranscriptionParts { video_url: None, source, ..parts };
    (Transcription::restore(parts), id)
}

async fn enqueue(
    stores: &Stores,
    owner: UserId,
    bytes: u64,
    quota: Option<u64>,
) -> Result<(Transcription, UploadId), EnqueueError> {
    let (transcription, id) = an_upload(stores, owner, bytes);
    stores.jobs.enqueue_upload(&transcription, quota).await.map(|()| (transcription, id))
}

async fn bytes(stores: &Stores, owner: UserId) -> u64 {
    stores.jobs.upload_bytes(owner).await.expect("they are counted")
}

async fn in_use(stores: &Stores, ids: &[UploadId]) -> Vec<UploadId> {
    let mut used = stores.jobs.uploads_in_use(ids).await.expect("they are looked up");
    used.sort();
    used
}

/// A file is like any other source.
pub async fn an_upload_is_queued_and_reads_back_equal(stores: &Stores) {
    let owner = stores.owner().await;
    let (queued, _) = enqueue(stores, owner, 7, None).await.expect("it is queued");
    assert_eq!(stores.seen(&queued).await, queued);
    let claimed = stores.claim_one().await;
    assert_eq!(claimed.transcription.parts().source, queued.parts().source);
}

/// A file counts for as long as its job lives, and for its owner.
pub async fn files_count_while_their_jobs_live(stores: &Stores) {
    let (owner, other) = (stores.owner().await, stores.owner().await);
    assert_eq!(bytes(stores, owner).await, 0);
    stores.queued(owner).await;
    let (first, one) = enqueue(stores, owner, 100, Some(300)).await.expect("there is room");
    let (_, two) = enqueue(stores, owner, 200, Some(300)).await.expect("there is room");
    let (_, three) = enqueue(stores, other, 1 << 40, None).await.expect("there is no limit");
    assert_eq!((bytes(stores, owner).await, bytes(stores, other).await), (300, 1 << 40));

    let refused = enqueue(stores, owner, 1, Some(300)).await;
    assert!(matches!(refused, Err(EnqueueError::QuotaExceeded)), "{refused:?}");
    assert_eq!(bytes(stores, owner).await, 300, "what was refused is not there");
    let unknown = UploadId::from_uuid(next_id());
    assert_eq!(in_use(stores, &[three, unknown, two, one]).await, [one, two, three]);
    assert_eq!(in_use(stores, &[]).await, []);

    stores.jobs.cancel(owner, first.parts().id).await.expect("it is canceled");
    assert_eq!(bytes(stores, owner).await, 200);
    assert_eq!(in_use(stores, &[one, two]).await, [two]);
    enqueue(stores, owner, 100, Some(300)).await.expect("there is room again");
}

/// A refused file leaves neither a job nor a row.
pub async fn a_file_beyond_the_quota_changes_nothing(stores: &Stores) {
    let owner = stores.owner().await;
    let (transcription, _) = an_upload(stores, owner, 2);
    let refused = stores.jobs.enqueue_upload(&transcription, Some(1)).await;
    assert!(matches!(refused, Err(EnqueueError::QuotaExceeded)), "{refused:?}");
    let found = stores.transcriptions.find(owner, transcription.parts().id).await;
    assert_eq!(found.expect("it is looked for").map(|found| found.transcription), None);
    assert!(stores.claim(&request(9)).await.is_empty());
}

/// However many come at once, together they keep within the quota.
pub async fn a_quota_for_files_is_exact_under_concurrency(stores: &Stores) {
    let owner = stores.owner().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let stores = stores.clone();
        tasks.spawn(async move { enqueue(&stores, owner, 10, Some(75)).await });
    }
    let (mut taken, mut refused) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        match done.expect("it does not panic") {
            Ok(_) => taken += 1,
            Err(EnqueueError::QuotaExceeded) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((taken, refused, bytes(stores, owner).await), (7, 93, 70));
}
