//! Files that users handed in, brought to their jobs.

use std::{fs, os::unix::fs::MetadataExt, sync::Arc};

use application::ports::MediaSource;
use domain::{FailureCode, Source, UploadId, UploadedFile};
use infrastructure::{media::MediaLibrary, objects::Objects};
use testkit::contract::media::Media;
use uuid::Uuid;

use super::world::{JOB, World};
use crate::objects::{UPLOAD, bucket, in_folder, store};

const BYTES: &[u8] = b"RIFF, and so on";

testkit::media_source_contract!(uploads_of_a_folder, async {
    let (objects, folder) = in_folder();
    kept_in(objects, folder).await
});
testkit::media_source_contract!(uploads_of_a_bucket, kept_in(bucket(), ()));

/// A library over a store that has [`UPLOAD`] and no other file.
async fn kept_in(objects: Objects, guard: impl std::any::Any + Send + Sync) -> Media {
    store(&objects, BYTES).await;
    let world = World::new();
    let library = world.library().with_uploads(Arc::new(objects));
    let missing = UploadId::from_uuid(Uuid::from_u128(0x78));
    Media::new(library, upload(UPLOAD), upload(missing), (world, guard))
}

fn upload(id: UploadId) -> Source {
    Source::Upload(UploadedFile { id, bytes: BYTES.len() as u64 })
}

fn library(world: &World, objects: Objects) -> MediaLibrary {
    world.library().with_uploads(Arc::new(objects))
}

#[tokio::test]
async fn a_file_on_the_same_disk_is_not_copied() {
    let (world, (objects, folder)) = (World::new(), in_folder());
    store(&objects, BYTES).await;
    let audio = library(&world, objects).fetch(JOB, &upload(UPLOAD), &()).await.unwrap();
    let kept = fs::metadata(folder.path().join("uploads").join(UPLOAD.to_string())).unwrap();
    assert_eq!(fs::metadata(&audio.path).unwrap().ino(), kept.ino());
    assert_eq!(audio.bytes, BYTES.len() as u64);
}

#[tokio::test]
async fn a_file_of_a_bucket_is_copied_whole() {
    let (world, objects) = (World::new(), bucket());
    store(&objects, BYTES).await;
    let audio = library(&world, objects).fetch(JOB, &upload(UPLOAD), &()).await.unwrap();
    assert_eq!(fs::read(audio.path).unwrap(), BYTES);
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_apart_and_leaves_nothing() {
    let code = async |world: World, objects: Objects, bytes: u64| {
        store(&objects, BYTES).await;
        let source = Source::Upload(UploadedFile { id: UPLOAD, bytes });
        let error = library(&world, objects).fetch(JOB, &source, &()).await.unwrap_err();
        assert!(!world.folder().exists(), "{error:?}");
        error.code
    };
    let size = BYTES.len() as u64;
    let mut small = World::new();
    small.config.max_bytes = size - 1;
    assert_eq!(code(small, bucket(), size).await, FailureCode::SourceTooLarge);
    assert_eq!(code(World::new(), bucket(), size - 1).await, FailureCode::LocalResource);
    let mut full = World::new();
    full.config.min_free_bytes = u64::MAX;
    assert_eq!(code(full, bucket(), size).await, FailureCode::LocalResource);

    for objects in [in_folder().0, bucket()] {
        let world = World::new();
        let error = library(&world, objects).fetch(JOB, &upload(UPLOAD), &()).await.unwrap_err();
        assert_eq!(error.code, FailureCode::UploadMissing);
        assert!(!world.folder().exists(), "{error:?}");
    }
}
