//! One run of yt-dlp in a folder of its own, and the end of both.

use std::{io, path::PathBuf, time::Duration};

use application::ports::{FetchError, Progress};
use domain::FailureCode;
use tokio::{fs, runtime::Handle, time};

use super::{
    super::{
        disk::Floor,
        error::{failed, local},
        folder::remove_tree,
    },
    command::{Bounds, HOME, SOUND},
    report::Report,
};
use crate::confinement::{Ending, Running};

/// Between two looks at the folder.
const LOOKS: Duration = Duration::from_millis(250);

/// How long a program that was killed may take to be gone.
const DYING: Duration = Duration::from_secs(5);

/// What yt-dlp and its helpers may write beside their work: a bundled one unpacks itself there.
const MAX_HOME_BYTES: u64 = 512 * 1_024 * 1_024;

/// A run of yt-dlp, and the folder that is its alone. Both go when it is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    running: Option<Running>,
    folder: Option<PathBuf>,
}

/// What became of a run that ended by itself.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) ending: Ending,
    pub(super) report: Report,
}

impl Attempt {
    /// A folder in which nothing runs yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { running: None, folder: Some(folder) }
    }

    /// Listens to `running` until its end, which comes early when `total` has passed or the folder
    /// grows beyond what is allowed.
    ///
    /// # Errors
    /// What it was ended for.
    pub(super) async fn run(
        &mut self,
        running: Running,
        watch: Watch<'_>,
        total: Duration,
        progress: &dyn Progress,
    ) -> Result<Ended, FetchError> {
        let running = self.running.insert(running);
        let (stdout, stderr) = running.outputs();
        let both = async {
            tokio::try_join!(Report::listen(stdout, stderr, progress), running.ended())
                .map(|(report, ending)| Ended { ending, report })
                .map_err(|error| local("run yt-dlp", &error))
        };
        let folder = self.folder.clone().unwrap_or_default();
        tokio::select! {
            ended = both => ended,
            error = watch.until_too_much(folder) => Err(error),
            () = time::sleep(total) => {
                let detail = format!("yt-dlp was not done after {} s", total.as_secs());
                Err(failed(FailureCode::StageTimeout, detail))
            }
        }
    }

    /// Ends what runs and removes the folder. Errors are for the log alone.
    pub(super) async fn clear(mut self) -> io::Result<()> {
        clear(self.running.take(), self.folder.take()).await
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let (running, folder) = (self.running.take(), self.folder.take());
        if running.is_none() && folder.is_none() {
            return;
        }
        // Nothing can be awaited here. Without the task the program still ends, since it is
        // dropped, and the folder goes with the next attempt, or with the job.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = clear(running, folder).await;
            });
        }
    }
}

async fn clear(running: Option<Running>, folder: Option<PathBuf>) -> io::Result<()> {
    if let Some(mut running) = running {
        running.kill();
        // What does not die in time is in the kernel's hands; its folder is swept up later.
        let _ = time::timeout(DYING, running.ended()).await;
    }
    match folder {
        Some(folder) => remove_tree(&folder).await,
        None => Ok(()),
    }
}

/// What a folder may hold.
pub(super) struct Watch<'a> {
    pub(super) bounds: Bounds,
    pub(super) floor: &'a Floor,
}

/// What a folder holds, in bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Sizes {
    /// Converted sound.
    sound: u64,
    /// What was downloaded.
    other: u64,
    /// What was written beside the work.
    home: u64,
}

impl Watch<'_> {
    async fn until_too_much(&self, folder: PathBuf) -> FetchError {
        let mut room = self.floor.room(&folder, None);
        loop {
            let sizes = sizes(folder.clone()).await;
            if let Err(error) = self.judge(sizes) {
                return error;
            }
            let written = sizes.sound.saturating_add(sizes.other).saturating_add(sizes.home);
            if let Err(error) = room.ensure(written).await {
                return error;
            }
            time::sleep(LOOKS).await;
        }
    }

    /// Judges what a run has left that ended by itself.
    pub(super) async fn judge_at_end(&self, folder: PathBuf) -> Result<(), FetchError> {
        self.judge(sizes(folder).await)
    }

    fn judge(&self, sizes: Sizes) -> Result<(), FetchError> {
        let (max_bytes, max_sound) = (self.bounds.max_bytes, self.bounds.max_sound_bytes());
        if sizes.other > max_bytes || sizes.home > MAX_HOME_BYTES {
            let detail = format!("yt-dlp wrote more than {max_bytes} bytes");
            return Err(failed(FailureCode::SourceTooLarge, detail));
        }
        if sizes.sound > max_sound {
            let detail = format!("longer than {} s when converted", self.bounds.max_seconds);
            return Err(failed(FailureCode::SourceTooLong, detail));
        }
        Ok(())
    }
}

/// Measures what is there; what vanishes meanwhile is not.
async fn sizes(folder: PathBuf) -> Sizes {
    let mut sizes = Sizes::default();
    let home = folder.join(HOME);
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let at_home = folder.starts_with(&home);
        let Ok(mut entries) = fs::read_dir(&folder).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let Ok(meta) = fs::symlink_metadata(entry.path()).await else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let kind = if at_home {
                &mut sizes.home
            } else if entry.file_name() == SOUND {
                &mut sizes.sound
            } else {
                &mut sizes.other
            };
            *kind = kind.saturating_add(meta.len());
        }
    }
    sizes
}
