//! Files in a folder and in a bucket.

#![expect(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

mod folder;
mod s3;

use application::ports::{ByteStream, ObjectStore};
use bytes::Bytes;
use domain::UploadId;
use futures_util::{StreamExt, stream};
use infrastructure::objects::Objects;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) use s3::bucket;

testkit::object_store_contract!(in_a_folder, async {
    let (objects, folder) = super::in_folder();
    (Box::new(objects), folder)
});
testkit::object_store_contract!(in_a_bucket, async { (Box::new(super::bucket()), ()) });

/// A store in a folder that goes when it is dropped.
pub(crate) fn in_folder() -> (Objects, TempDir) {
    let folder = TempDir::new().unwrap();
    (Objects::in_folder(&folder.path().join("uploads"), 0).unwrap(), folder)
}

pub(crate) const UPLOAD: UploadId = UploadId::from_uuid(Uuid::from_u128(0x77));

/// Stores `bytes` as [`UPLOAD`].
pub(crate) async fn store(objects: &Objects, bytes: &'static [u8]) {
    let body: ByteStream<'_> = stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
    assert_eq!(objects.put(UPLOAD, body, u64::MAX).await.unwrap(), bytes.len() as u64);
}
