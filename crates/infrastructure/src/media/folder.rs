//! The folder of a job: `<work_dir>/<job id>/`, with `audio` once that is complete, and
//! `audio.<number>.part` until then: a file, or a folder where a program does the fetching. Beside
//! `audio` that a program has made, `note` holds what is remembered of it.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use application::ports::FetchError;
use domain::TranscriptionId;
use serde::{Deserialize, Serialize};
use tokio::{
    fs::{self, File},
    io::{AsyncWriteExt, BufWriter},
    time,
};
use uuid::Uuid;

use super::error::local;

/// The name of a complete file in the folder of its job.
pub(super) const AUDIO: &str = "audio";

/// How the name of a file ends that is not complete.
const PART: &str = ".part";

/// The name of what is remembered of a complete file that a program has made.
const NOTE: &str = "note";

/// How often a folder is removed again that somebody still writes to, and how long he is given each
/// time: a program that was killed takes a moment to be gone.
const REMOVALS: u32 = 20;
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// Numbers the attempts of this process: an attempt that was given up, and has not noticed, must
/// not finish the file of the one that took its place.
static ATTEMPTS: AtomicU64 = AtomicU64::new(0);

/// Gathers what comes in small pieces: each write costs a trip to another thread.
const WRITE_BUFFER: usize = 256 * 1_024;

/// Where the folders of all jobs lie.
#[derive(Debug)]
pub(super) struct WorkDir(PathBuf);

impl WorkDir {
    pub(super) fn new(path: PathBuf) -> Self {
        // Fails only for an empty path, which is then wrong wherever it is used.
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    pub(super) fn of(&self, job: TranscriptionId) -> JobFolder {
        JobFolder(self.0.join(job.to_string()))
    }

    /// The jobs that have a folder. What is called otherwise is not ours and is left alone.
    pub(super) async fn kept(&self) -> io::Result<Vec<TranscriptionId>> {
        let mut entries = match fs::read_dir(&self.0).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut jobs = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let named = entry.file_name().to_str().and_then(|name| Uuid::parse_str(name).ok());
            let Some(job) = named.map(TranscriptionId::from_uuid) else { continue };
            let ours = entry.file_name().to_str() == Some(job.to_string().as_str());
            if ours && entry.file_type().await?.is_dir() {
                jobs.push(job);
            }
        }
        Ok(jobs)
    }
}

#[derive(Debug)]
pub(super) struct JobFolder(PathBuf);

impl JobFolder {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn audio(&self) -> PathBuf {
        self.0.join(AUDIO)
    }

    /// The size of a complete file of a former attempt.
    pub(super) async fn complete(&self) -> Result<Option<u64>, FetchError> {
        match fs::symlink_metadata(self.audio()).await {
            Ok(found) => Ok(Some(found.len()).filter(|bytes| found.is_file() && *bytes > 0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(local("look for audio", &error)),
        }
    }

    /// Makes the folder.
    pub(super) async fn make(&self) -> io::Result<()> {
        make_private(&self.0).await
    }

    /// An empty file for a new attempt; what a former one left is dropped.
    pub(super) async fn begin(&self) -> Result<Part, FetchError> {
        let path = self.next_part();
        let begun = async {
            make_private(&self.0).await?;
            self.drop_parts().await?;
            File::create_new(&path).await
        };
        let file = begun.await.map_err(|error| local("create audio", &error))?;
        Ok(Part { path, file: BufWriter::with_capacity(WRITE_BUFFER, file) })
    }

    /// An empty folder for a new attempt; what a former one left is dropped.
    pub(super) async fn begin_folder(&self) -> Result<PathBuf, FetchError> {
        let path = self.next_part();
        let begun = async {
            make_private(&self.0).await?;
            self.drop_parts().await?;
            make_private(&path).await
        };
        begun.await.map_err(|error| local("create a folder for audio", &error))?;
        Ok(path)
    }

    fn next_part(&self) -> PathBuf {
        let number = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        self.0.join(format!("{AUDIO}.{number}{PART}"))
    }

    async fn drop_parts(&self) -> io::Result<()> {
        let mut entries = fs::read_dir(&self.0).await?;
        while let Some(entry) = entries.next_entry().await? {
            if !entry.file_name().to_string_lossy().ends_with(PART) {
                continue;
            }
            // Another attempt, which ends just now, removes its own.
            if_there(if entry.file_type().await?.is_dir() {
                remove_tree(&entry.path()).await
            } else {
                fs::remove_file(entry.path()).await
            })?;
        }
        Ok(())
    }

    /// Takes a file that a program has written in the folder of its attempt as the complete one,
    /// with what `note` makes of its mark.
    pub(super) async fn adopt(
        &self,
        file: &Path,
        note: impl FnOnce(Mark) -> Vec<u8>,
    ) -> Result<(), FetchError> {
        let adopted = async {
            let whole = File::open(file).await?;
            whole.sync_all().await?;
            let note = note(Mark::of(&whole.metadata().await?));
            let aside = self.next_part();
            let mut part = File::create_new(&aside).await?;
            part.write_all(&note).await?;
            part.flush().await?;
            for name in [NOTE, AUDIO] {
                self.make_way(name).await?;
            }
            // First: without `audio` it means nothing.
            fs::rename(aside, self.0.join(NOTE)).await?;
            fs::rename(file, self.audio()).await
        };
        adopted.await.map_err(|error| local("finish audio", &error))
    }

    /// Removes a folder of a name that a file will take: nobody here makes one.
    async fn make_way(&self, name: &str) -> io::Result<()> {
        let path = self.0.join(name);
        match fs::symlink_metadata(&path).await {
            Ok(found) if found.is_dir() => remove_tree(&path).await,
            Ok(_) => Ok(()),
            Err(error) => if_there(Err(error)),
        }
    }

    /// What is remembered of the complete file, and the mark of what lies there now.
    pub(super) async fn noted(&self) -> Option<(Vec<u8>, Mark)> {
        let note = fs::read(self.0.join(NOTE)).await.ok()?;
        let found = fs::symlink_metadata(self.audio()).await.ok()?;
        Some((note, Mark::of(&found)))
    }

    /// Gives a written file its final name, once its bytes are safe from a power cut: what comes
    /// next is remembered for good, and would rely on a file that is not whole.
    pub(super) async fn finish(&self, mut part: Part) -> Result<(), FetchError> {
        let finished = async {
            part.file.flush().await?;
            part.file.get_ref().sync_all().await?;
            fs::rename(&part.path, self.audio()).await
        };
        finished.await.map_err(|error| local("finish audio", &error))
    }

    /// Removes a complete file, if there is one.
    pub(super) async fn remove_audio(&self) -> io::Result<()> {
        if_there(fs::remove_file(self.audio()).await)
    }

    /// Removes the folder if nothing is in it: another attempt may be writing there.
    pub(super) async fn remove_empty(&self) -> io::Result<()> {
        match fs::remove_dir(&self.0).await {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Ok(())
            }
            removed => removed,
        }
    }

    /// Removes the folder with all that is in it, if it is there.
    pub(super) async fn remove(&self) -> io::Result<()> {
        remove_tree(&self.0).await
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(super) async fn remove_tree(path: &Path) -> io::Result<()> {
    for _ in 1..REMOVALS {
        match fs::remove_dir_all(path).await {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                time::sleep(REMOVAL_PAUSE).await;
            }
            removed => return if_there(removed),
        }
    }
    if_there(fs::remove_dir_all(path).await)
}

/// What is gone already needs no removal.
fn if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Tells a file from every other that was ever in its place. It is known only once the file is
/// there: who writes a file and a note of it without looking has the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    inode: u64,
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Mark {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            bytes: file.len(),
            modified_s: file.mtime(),
            modified_ns: file.mtime_nsec(),
        }
    }
}

/// A file that is being written. It goes when it is dropped, unless it got its final name.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    pub(super) file: BufWriter<File>,
}

impl Drop for Part {
    fn drop(&mut self) {
        // An attempt can be dropped at any point, where nothing can be awaited; to unlink one file
        // is short. One that was renamed, or that a later attempt removed, is not there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a folder that no other user of the machine can look into.
async fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path).await
}
