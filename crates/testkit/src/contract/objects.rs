//! What every [`ObjectStore`] must do.

use std::{collections::BTreeMap, time::Duration};

use application::ports::{BrokenOff, ByteStream, ObjectStore, PutError};
use bytes::Bytes;
use domain::UploadId;
use futures_util::{StreamExt, future, stream};

use super::samples::next_id;

/// More than any store takes in one piece.
const LARGE: usize = 9 * 1_024 * 1_024 + 7;

/// As large as anyone likes.
const NO_LIMIT: u64 = u64::MAX;

/// How often is looked whether something that was dropped is gone, and how long between two looks.
const LOOKS: (u32, Duration) = (500, Duration::from_millis(20));

/// Makes a module `$name` of tests, one for each promise of
/// [`ObjectStore`]. `$fixture` yields a pair: a pointer to an
/// empty store, and whatever must live as long.
#[macro_export]
macro_rules! object_store_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |objects| {
            objects: [
                a_file_reads_back_equal(&*objects.0),
                a_large_file_reads_back_equal(&*objects.0),
                a_file_without_a_byte_is_a_file(&*objects.0),
                a_file_may_be_as_large_as_allowed_and_no_larger(&*objects.0),
                a_large_file_that_is_too_large_leaves_nothing(&*objects.0),
                a_file_that_breaks_off_leaves_nothing(&*objects.0),
                a_file_that_is_given_up_leaves_nothing(&*objects.0),
                a_file_is_not_there_before_it_is_whole(&*objects.0),
                what_is_not_there_is_neither_read_nor_an_error_to_delete(&*objects.0),
                a_deleted_file_is_gone(&*objects.0),
                what_is_kept_is_listed_the_oldest_first(&*objects.0),
                many_files_come_at_once(&*objects.0),
            ]
        } }
    };
}

fn an_upload() -> UploadId {
    UploadId::from_uuid(next_id())
}

/// Bytes in which every place is different from its neighbours.
fn noise(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 8)).to_le_bytes()[0]).collect()
}

fn pieces(whole: &Bytes, size: usize) -> ByteStream<'static> {
    let pieces: Vec<_> =
        whole.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn read(objects: &dyn ObjectStore, id: UploadId) -> Option<Vec<u8>> {
    let mut body = objects.get(id).await.expect("it is looked for")?;
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece.expect("it is read"));
    }
    Some(whole)
}

async fn put(objects: &dyn ObjectStore, whole: &Bytes) -> UploadId {
    let id = an_upload();
    let stored = objects.put(id, pieces(whole, 10_000), NO_LIMIT).await.expect("it is stored");
    assert_eq!(Ok(stored), u64::try_from(whole.len()));
    id
}

async fn kept(objects: &dyn ObjectStore) -> BTreeMap<UploadId, u64> {
    let listed = objects.list(1_000).await.expect("they are listed");
    listed.into_iter().map(|object| (object.id, object.bytes)).collect()
}

async fn has_nothing(objects: &dyn ObjectStore, id: UploadId) {
    assert_eq!(read(objects, id).await, None);
    assert_eq!(kept(objects).await, BTreeMap::new());
}

/// What goes in comes out, whatever the pieces.
pub async fn a_file_reads_back_equal(objects: &dyn ObjectStore) {
    for (length, size) in [(1, 1), (100, 7), (70_000, 65_536), (65_536, 65_536)] {
        let (id, whole) = (an_upload(), noise(length));
        let stored = objects.put(id, pieces(&whole, size), NO_LIMIT).await.expect("it is stored");
        assert_eq!(Ok(stored), u64::try_from(length));
        assert_eq!(read(objects, id).await.as_deref(), Some(&whole[..]), "{length} in {size}");
    }
}

/// The same of a file that is stored in several pieces.
pub async fn a_large_file_reads_back_equal(objects: &dyn ObjectStore) {
    let whole = noise(LARGE);
    let id = put(objects, &whole).await;
    assert!(read(objects, id).await.as_deref() == Some(&whole[..]), "it differs");
}

/// Whether an empty file is of use is not the store's business.
pub async fn a_file_without_a_byte_is_a_file(objects: &dyn ObjectStore) {
    let id = put(objects, &Bytes::new()).await;
    assert_eq!(read(objects, id).await, Some(Vec::new()));
}

/// The limit counts bytes.
pub async fn a_file_may_be_as_large_as_allowed_and_no_larger(objects: &dyn ObjectStore) {
    let (id, whole) = (an_upload(), noise(1_000));
    let refused = objects.put(id, pieces(&whole, 100), 999).await;
    assert!(matches!(refused, Err(PutError::TooLarge(999))), "{refused:?}");
    has_nothing(objects, id).await;
    assert_eq!(objects.put(id, pieces(&whole, 100), 1_000).await.expect("it is stored"), 1_000);
    assert_eq!(kept(objects).await, BTreeMap::from([(id, 1_000)]));
}

/// Even when much of it was already written.
pub async fn a_large_file_that_is_too_large_leaves_nothing(objects: &dyn ObjectStore) {
    let (id, whole) = (an_upload(), noise(LARGE));
    let limit = whole.len() as u64 - 1;
    let refused = objects.put(id, pieces(&whole, 65_536), limit).await;
    assert!(matches!(refused, Err(PutError::TooLarge(_))), "{refused:?}");
    has_nothing(objects, id).await;
}

/// The sender is gone: what it sent goes too.
pub async fn a_file_that_breaks_off_leaves_nothing(objects: &dyn ObjectStore) {
    for length in [0, 100, LARGE] {
        let id = an_upload();
        let broken = stream::iter([Err(BrokenOff("gone".to_owned()))]);
        let body = pieces(&noise(length), 65_536).chain(broken).boxed();
        let refused = objects.put(id, body, NO_LIMIT).await;
        assert!(matches!(refused, Err(PutError::BrokenOff(_))), "{length}: {refused:?}");
        has_nothing(objects, id).await;
    }
}

/// Nobody waits any more: it may take a moment, but nothing stays.
pub async fn a_file_that_is_given_up_leaves_nothing(objects: &dyn ObjectStore) {
    for length in [0, 100, LARGE] {
        let id = an_upload();
        let body = pieces(&noise(length), 65_536).chain(stream::pending()).boxed();
        let limit = if length > 100 { Duration::from_secs(1) } else { Duration::from_millis(50) };
        let waited = tokio::time::timeout(limit, objects.put(id, body, NO_LIMIT)).await;
        assert!(waited.is_err(), "it has no end: {waited:?}");
        for _ in 0..LOOKS.0 {
            if kept(objects).await.is_empty() {
                break;
            }
            tokio::time::sleep(LOOKS.1).await;
        }
        has_nothing(objects, id).await;
    }
}

/// Half a file is none.
pub async fn a_file_is_not_there_before_it_is_whole(objects: &dyn ObjectStore) {
    let (id, whole) = (an_upload(), noise(LARGE));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let body = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let watched = async {
        for piece in whole.chunks(1_024 * 1_024) {
            sender.send(Ok(Bytes::copy_from_slice(piece))).await.expect("it is taken");
            assert_eq!(read(objects, id).await, None);
        }
        drop(sender);
    };
    let (stored, ()) = future::join(objects.put(id, body.boxed(), NO_LIMIT), watched).await;
    assert_eq!(stored.expect("it is stored"), whole.len() as u64);
    assert_eq!(kept(objects).await.len(), 1);
}

/// Nobody has to know whether there is anything.
pub async fn what_is_not_there_is_neither_read_nor_an_error_to_delete(objects: &dyn ObjectStore) {
    let id = an_upload();
    assert_eq!(read(objects, id).await, None);
    objects.delete(id).await.expect("nothing is no error");
    assert_eq!(kept(objects).await, BTreeMap::new());
}

/// And the others stay.
pub async fn a_deleted_file_is_gone(objects: &dyn ObjectStore) {
    let (one, other) = (put(objects, &noise(10)).await, put(objects, &noise(20)).await);
    objects.delete(one).await.expect("it is deleted");
    assert_eq!(read(objects, one).await, None);
    assert_eq!(kept(objects).await, BTreeMap::from([(other, 20)]));
    objects.delete(one).await.expect("nothing is no error");
}

/// Whoever sweeps begins with what is there for longest, and takes no more than he asked for.
pub async fn what_is_kept_is_listed_the_oldest_first(objects: &dyn ObjectStore) {
    let mut ids = Vec::new();
    for length in 1..=5 {
        ids.push(put(objects, &noise(length)).await);
    }
    let listed = objects.list(9).await.expect("they are listed");
    assert_eq!(listed.iter().map(|object| object.id).collect::<Vec<_>>(), ids);
    assert_eq!(listed.iter().map(|object| object.bytes).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(listed.is_sorted_by_key(|object| object.stored_at));
    let first = objects.list(2).await.expect("they are listed");
    assert_eq!(first.iter().map(|object| object.id).collect::<Vec<_>>(), ids[..2]);
}

/// None gets a byte of another.
pub async fn many_files_come_at_once(objects: &dyn ObjectStore) {
    let wholes: Vec<Bytes> = (1..=8).map(|n| noise(n * 10_007)).collect();
    let ids = future::join_all(wholes.iter().map(|whole| put(objects, whole))).await;
    for (id, whole) in ids.into_iter().zip(&wholes) {
        assert_eq!(read(objects, id).await.as_deref(), Some(&whole[..]));
    }
}
