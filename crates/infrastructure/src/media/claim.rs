//! The folder in which a process works: its own for as long as it lives.
//!
//! A folder of a job belongs to one process alone: a holder that lost its job and has not noticed
//! must not finish, or remove, the file of the next one. So processes that share a place have a
//! folder each: `work`, `work-2`, and so on, held by a lock on the file of that name with `.lock`
//! at its end, which is never removed.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::folder::WorkDir;

/// How many processes one place is for.
const MOST: u32 = 1_000;

/// A folder that no other process works in. Given back when it is dropped, or the process ends,
/// however it does.
#[derive(Debug)]
pub struct ClaimedFolder {
    first: PathBuf,
    number: u32,
    _lock: File,
}

impl ClaimedFolder {
    /// Takes `first`, or the first folder beside it that nobody holds. What another process left in
    /// it when it ended is there still.
    ///
    /// # Errors
    /// When the file of a lock cannot be made or locked.
    pub fn take(first: &Path) -> io::Result<Self> {
        let first = std::path::absolute(first)?;
        if let Some(place) = first.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(place)?;
        }
        for number in 1..=MOST {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            if let Some(lock) = held(options.open(lock_of(&first, number))?)? {
                return Ok(Self { first, number, _lock: lock });
            }
        }
        Err(io::Error::other("too many processes work here"))
    }

    /// The folder, which need not be there yet.
    pub fn path(&self) -> PathBuf {
        folder(&self.first, self.number)
    }

    /// Removes the folders of jobs in the folders that nobody holds.
    pub(super) async fn clear_abandoned(&self) -> io::Result<()> {
        for number in (1..=MOST).filter(|number| *number != self.number) {
            let lock = match File::open(lock_of(&self.first, number)) {
                // They are made in turn, so there are no more.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                opened => opened?,
            };
            // Held until it is empty: who comes meanwhile takes another.
            let Some(_held) = held(lock)? else { continue };
            let abandoned = WorkDir::new(folder(&self.first, number));
            for job in abandoned.kept().await? {
                abandoned.of(job).remove().await?;
            }
        }
        Ok(())
    }
}

fn folder(first: &Path, number: u32) -> PathBuf {
    let mut name = first.as_os_str().to_owned();
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name.into()
}

fn lock_of(first: &Path, number: u32) -> PathBuf {
    let mut name = folder(first, number).into_os_string();
    name.push(".lock");
    name.into()
}

/// The lock on `file`, unless somebody holds it.
fn held(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
