//! What is to be transcribed, as the command line names it.

use std::{ffi::OsStr, io, os::fd::AsFd, path::PathBuf};

use anyhow::anyhow;
use application::{
    Adapters,
    ports::{BrokenOff, ByteStream, PutError},
};
use domain::{
    Failure, FailureCode, Keyterms, Language, Source, Stage, TranscriptionOptions, UploadId,
    UploadedFile,
};
use futures_util::TryStreamExt;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use super::ending::Ending;
use crate::cli::TranscribeArgs;

/// Bytes of a file that are read at once.
const CHUNK: usize = 64 * 1024;

/// Where the recording is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// On the web, in the user's own words.
    Web(String, Source),
    /// In a file of this machine.
    File(PathBuf),
    /// On the standard input.
    Stdin,
}

/// What is asked for.
pub(super) struct Request {
    place: Place,
    pub(super) options: TranscriptionOptions,
}

/// A source that can be put in the queue.
pub(super) struct HandedIn {
    /// The user's own words for what is on the web.
    pub(super) video_url: Option<String>,
    pub(super) source: Source,
    /// What a file is called.
    pub(super) title: Option<String>,
}

/// Why a file was not handed in.
pub(super) enum HandInError {
    /// It cannot be transcribed, or not now.
    Refused(Ending),
    /// Anything else.
    Failed(anyhow::Error),
}

impl Request {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(args: &TranscribeArgs) -> Result<Self, String> {
        let named =
            |name: &'static str| move |invalid: domain::Invalid| format!("{name} {invalid}");
        let language = Language::parse(&args.language).map_err(named("--language"))?;
        let expected = args.speakers_expected.map(|count| {
            TranscriptionOptions::speakers(count, args.speakers)
                .map_err(named("--speakers-expected"))
        });
        let options = TranscriptionOptions {
            language,
            speaker_labels: args.speakers,
            speakers_expected: expected.transpose()?,
            keyterms: Keyterms::parse(args.keyterms.clone()).map_err(named("--keyterm"))?,
        };
        Ok(Self { place: place(&args.source)?, options })
    }

    /// Brings a file to where the job will look for it; at most `max_bytes`.
    pub(super) async fn hand_in(
        &self,
        adapters: &Adapters,
        max_bytes: u64,
    ) -> Result<HandedIn, HandInError> {
        let (file, title) = match &self.place {
            Place::Web(url, source) => {
                let (video_url, source) = (Some(url.clone()), source.clone());
                return Ok(HandedIn { video_url, source, title: None });
            }
            Place::Stdin => {
                let input = io::stdin().as_fd().try_clone_to_owned();
                let input = input.map_err(|error| HandInError::Failed(error.into()))?;
                let file = tokio::fs::File::from_std(input.into());
                (keep(adapters, file, max_bytes).await?, None)
            }
            Place::File(path) => {
                let file = tokio::fs::File::open(path).await.map_err(|error| {
                    let problem = format!("cannot read {}: {error}", path.display());
                    HandInError::Refused(Ending::Misused(problem))
                })?;
                let title = path.file_name().map(|name| name.to_string_lossy().into_owned());
                (keep(adapters, file, max_bytes).await?, title)
            }
        };
        Ok(HandedIn { video_url: None, source: Source::Upload(file), title })
    }
}

async fn keep(
    adapters: &Adapters,
    file: impl AsyncRead + Send,
    max_bytes: u64,
) -> Result<UploadedFile, HandInError> {
    let id = UploadId::from_uuid(adapters.ids.next());
    let body = ReaderStream::with_capacity(file, CHUNK);
    let body: ByteStream<'_> = Box::pin(body.map_err(|error| BrokenOff(error.to_string())));
    match adapters.objects.put(id, body, max_bytes).await {
        Ok(bytes) => Ok(UploadedFile { id, bytes }),
        Err(PutError::TooLarge(_)) => Err(refused(FailureCode::SourceTooLarge)),
        Err(PutError::NoRoom) => Err(refused(FailureCode::LocalResource)),
        Err(PutError::BrokenOff(broken)) => {
            Err(HandInError::Failed(anyhow!("cannot read the file: {broken}")))
        }
        Err(PutError::Failed(failure)) => Err(HandInError::Failed(failure.into())),
    }
}

fn refused(code: FailureCode) -> HandInError {
    HandInError::Refused(Ending::Failed(Failure::new(code, Stage::Fetching)))
}

/// An address of the web is one by its beginning; anything else is a file, if there is one, and
/// may be the address of a video as people write it, if there is none.
fn place(given: &OsStr) -> Result<Place, String> {
    if given == "-" {
        return Ok(Place::Stdin);
    }
    let path = PathBuf::from(given);
    let text = given.to_str();
    let web = |text: &str| {
        ["http://", "https://"].iter().any(|scheme| {
            text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
    };
    match text {
        Some(text) if web(text) => Source::parse(text)
            .map(|source| Place::Web(text.to_owned(), source))
            .map_err(|invalid| format!("the URL {invalid}")),
        _ if path.is_dir() => Err(format!("{} is a folder", path.display())),
        _ if path.exists() => Ok(Place::File(path)),
        Some(text) if let Ok(source @ Source::YouTube(_)) = Source::parse(text) => {
            Ok(Place::Web(text.to_owned(), source))
        }
        _ => Err(format!("{} is neither a file nor an http or https URL", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, place};
    use std::ffi::OsStr;

    fn kind(given: &str) -> Option<&'static str> {
        match place(OsStr::new(given)) {
            Ok(Place::Web(_, source)) => Some(source.kind()),
            Ok(Place::File(_)) => Some("file"),
            Ok(Place::Stdin) => Some("stdin"),
            Err(_) => None,
        }
    }

    #[test]
    fn what_is_named_is_a_file_an_address_or_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("youtu.be");
        std::fs::write(&file, "").expect("it is written");
        let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
        for (given, expected) in [
            ("-", Some("stdin")),
            ("https://example.com/a.mp3", Some("media")),
            ("HTTP://example.com/a.mp3", Some("media")),
            ("https://youtu.be/dQw4w9WgXcQ", Some("youtube")),
            ("youtu.be/dQw4w9WgXcQ", Some("youtube")),
            ("https://", None),
            ("ftp://example.com/a.mp3", None),
            ("no-such-file.mp3", None),
            ("example.com/a.mp3", None),
            ("", None),
            (&text(&file), Some("file")),
            (&text(folder.path()), None),
        ] {
            assert_eq!(kind(given), expected, "{given}");
        }
    }
}
