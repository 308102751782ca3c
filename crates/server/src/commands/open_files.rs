//! How many files, and so how many connections, may be open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are not connections: the database, recordings, calls to other services.
const OTHER_FILES: u64 = 128;

/// Open files of one connection: its socket, and the one by which it is watched.
const FILES_PER_CONNECTION: u64 = 2;

/// Fewest and most connections of one worker thread.
const CONNECTIONS: (u64, u64) = (16, 2_000);

/// Raises the number of files that may be open as far as the process may, and tells it; `None`
/// when there is no limit.
pub(super) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(
                event = "open_files_not_raised",
                %error,
                "the limit of open files stays as it is"
            );
            limit.current
        }
    }
}

/// How many connections one of `workers` threads may hold where `files` files may be open.
pub(super) fn connections(files: Option<u64>, workers: usize) -> usize {
    let (fewest, most) = CONNECTIONS;
    let workers = u64::try_from(workers).unwrap_or(u64::MAX).max(1);
    let each = files
        .map_or(most, |files| files.saturating_sub(OTHER_FILES) / FILES_PER_CONNECTION / workers);
    usize::try_from(each.clamp(fewest, most)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn connections_leave_room_for_the_other_files() {
        for (files, workers, each) in [
            (Some(1_024), 1, 448),
            (Some(1_024), 2, 224),
            (Some(524_288), 2, 2_000),
            (Some(16_128), 4, 2_000),
            (Some(16_120), 4, 1_999),
            (Some(256), 8, 16),
            (Some(64), 1, 16),
            (None, 4, 2_000),
        ] {
            assert_eq!(connections(files, workers), each, "{files:?} files, {workers} workers");
        }
    }
}
