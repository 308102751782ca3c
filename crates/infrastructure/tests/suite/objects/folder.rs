//! What only a folder has.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use application::ports::{ObjectStore, PutError};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use infrastructure::{media::FreeSpace, objects::Objects};

use super::{UPLOAD, in_folder, store};

/// A disk that always says the same.
struct Free(u64);

impl FreeSpace for Free {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        assert!(path.exists(), "the real one could not answer");
        Ok(self.0)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn the_folder_is_its_owners_alone_and_names_are_our_own() {
    let (objects, folder) = in_folder();
    let uploads = folder.path().join("uploads");
    assert_eq!(fs::metadata(&uploads).unwrap().permissions().mode() & 0o777, 0o700);
    store(&objects, b"abc").await;
    assert_eq!(names(&uploads), [UPLOAD.to_string()]);
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_listed_and_deleted_like_a_file() {
    let (objects, folder) = in_folder();
    let uploads = folder.path().join("uploads");
    let staged = uploads.join(format!("{UPLOAD}#1"));
    fs::write(&staged, "half of it").unwrap();
    fs::write(uploads.join("not ours"), "").unwrap();
    fs::write(uploads.join(format!("{}", UPLOAD.as_uuid().simple())), "").unwrap();
    let listed = objects.list(9).await.unwrap();
    assert_eq!(
        listed.iter().map(|object| (object.id, object.bytes)).collect::<Vec<_>>(),
        [(UPLOAD, 10)]
    );
    objects.delete(UPLOAD).await.unwrap();
    assert!(!staged.exists());
    assert_eq!(names(&uploads).len(), 2, "what is not ours stays");
}

#[tokio::test]
async fn a_file_is_staged_until_it_is_whole() {
    let (objects, folder) = in_folder();
    let uploads = folder.path().join("uploads");
    let piece = || Ok(Bytes::from(vec![7; 1_024 * 1_024]));
    let watched = uploads.clone();
    let body = stream::iter([piece(), piece()]).chain(stream::once(async move {
        let names = names(&watched);
        assert_eq!(names, [format!("{UPLOAD}#1")]);
        piece()
    }));
    objects.put(UPLOAD, body.boxed(), u64::MAX).await.unwrap();
    assert_eq!(names(&uploads), [UPLOAD.to_string()]);
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_keeps_nothing() {
    const FLOOR: u64 = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let uploads = folder.path().join("uploads");
    let on_disk = |free| {
        let objects = Objects::in_folder(&uploads, FLOOR).unwrap();
        objects.measuring(Arc::new(Free(free)))
    };
    let body = || stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed();
    let refused = on_disk(FLOOR).put(UPLOAD, body(), u64::MAX).await;
    assert!(matches!(refused, Err(PutError::NoRoom)), "{refused:?}");
    assert!(names(&uploads).is_empty());
    let roomy = on_disk(FLOOR + 8 * 1_024 * 1_024);
    assert_eq!(roomy.put(UPLOAD, body(), u64::MAX).await.unwrap(), 3);
}
