//! What every [`MediaSource`] must do.

use std::{any::Any, fs};

use application::ports::{AudioFile, MediaSource};
use domain::{Source, TranscriptionId};

use super::samples::next_id;

/// A source of audio under test.
pub struct Media {
    /// The port.
    pub library: Box<dyn MediaSource>,
    /// What can be fetched.
    pub good: Source,
    /// What cannot.
    pub bad: Source,
    /// What must live as long as the library, such as a server or a directory.
    _guard: Box<dyn Any + Send + Sync>,
}

impl Media {
    /// A library that can fetch `good` and not `bad`. `guard` lives as long as it.
    pub fn new(
        library: impl MediaSource + 'static,
        good: Source,
        bad: Source,
        guard: impl Any + Send + Sync,
    ) -> Self {
        Self { library: Box::new(library), good, bad, _guard: Box::new(guard) }
    }

    async fn fetch(&self, job: TranscriptionId) -> AudioFile {
        self.library.fetch(job, &self.good, &()).await.expect("it is fetched")
    }

    async fn discard(&self, job: TranscriptionId) {
        self.library.discard(job).await.expect("it is discarded");
    }

    async fn kept(&self) -> Vec<TranscriptionId> {
        let mut kept = self.library.kept().await.expect("it is listed");
        kept.sort();
        kept
    }
}

/// Makes a module `$name` of tests, one for each promise of
/// [`MediaSource`]. `$fixture` yields a
/// [`Media`].
#[macro_export]
macro_rules! media_source_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |media| {
            media: [
                what_is_fetched_is_a_file_of_the_size_told(&media),
                fetching_again_is_allowed(&media),
                every_job_has_a_file_of_its_own(&media),
                what_is_kept_is_listed_until_it_is_discarded(&media),
                nothing_kept_is_discarded_without_an_error(&media),
                a_failed_fetch_leaves_nothing(&media),
                what_was_discarded_can_be_fetched_again(&media),
            ]
        } }
    };
}

fn a_job() -> TranscriptionId {
    TranscriptionId::from_uuid(next_id())
}

fn assert_readable(audio: &AudioFile) {
    let bytes = fs::read(&audio.path).expect("the file is read");
    assert!(!bytes.is_empty());
    assert_eq!(Ok(audio.bytes), u64::try_from(bytes.len()));
}

/// The audio lies in a file that can be read, and its size is the one told.
pub async fn what_is_fetched_is_a_file_of_the_size_told(media: &Media) {
    assert_readable(&media.fetch(a_job()).await);
}

/// A job that is tried again finds the same.
pub async fn fetching_again_is_allowed(media: &Media) {
    let job = a_job();
    let first = media.fetch(job).await;
    let again = media.fetch(job).await;
    assert_eq!(again, first);
    assert_readable(&again);
    assert_eq!(media.kept().await, [job]);
}

/// One job's file is not another's, even where the source is.
pub async fn every_job_has_a_file_of_its_own(media: &Media) {
    let (one, other) = (a_job(), a_job());
    let (first, second) = (media.fetch(one).await, media.fetch(other).await);
    assert_ne!(first.path, second.path);
    media.discard(one).await;
    assert!(!first.path.exists());
    assert_readable(&second);
}

/// What lies there can be found and cleared away.
pub async fn what_is_kept_is_listed_until_it_is_discarded(media: &Media) {
    assert_eq!(media.kept().await, []);
    let (one, other) = (a_job(), a_job());
    let audio = media.fetch(one).await;
    media.fetch(other).await;
    assert_eq!(media.kept().await, [one, other]);
    media.discard(one).await;
    assert_eq!(media.kept().await, [other]);
    assert!(!audio.path.exists());
}

/// Discarding is repeatable, and nobody has to know whether there is anything.
pub async fn nothing_kept_is_discarded_without_an_error(media: &Media) {
    let job = a_job();
    media.discard(job).await;
    media.fetch(job).await;
    media.discard(job).await;
    media.discard(job).await;
    assert_eq!(media.kept().await, []);
}

/// What could not be fetched leaves nothing behind, and nothing in the way of others.
pub async fn a_failed_fetch_leaves_nothing(media: &Media) {
    let (failed, other) = (a_job(), a_job());
    let refused = media.library.fetch(failed, &media.bad, &()).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(media.kept().await, []);
    media.fetch(other).await;
    let refused = media.library.fetch(failed, &media.bad, &()).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(media.kept().await, [other]);
    media.discard(failed).await;
    assert_eq!(media.kept().await, [other]);
}

/// Discarding a job's audio does not close the way to it.
pub async fn what_was_discarded_can_be_fetched_again(media: &Media) {
    let job = a_job();
    media.fetch(job).await;
    media.discard(job).await;
    assert_readable(&media.fetch(job).await);
    assert_eq!(media.kept().await, [job]);
}
