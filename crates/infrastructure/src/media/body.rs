//! A body on its way to the disk: never more than allowed, never slower than bearable.

use std::time::Duration;

use application::ports::FetchError;
use domain::FailureCode;
use reqwest::Response;
use tokio::{
    io::AsyncWriteExt,
    time::{self, Instant},
};

use super::{
    disk::Room,
    error::{failed, local, unreachable},
    folder::Part,
};

#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Most bytes.
    pub(super) max_bytes: u64,
    /// The span over which the pace is judged.
    pub(super) window: Duration,
    /// Fewest bytes in it.
    pub(super) window_bytes: u64,
}

/// Writes the body of `answer` to `part`, as long as there is `room`, and returns its size. A body that ends before its
/// announced length is an error of the transport.
pub(super) async fn save(
    mut answer: Response,
    part: &mut Part,
    limits: BodyLimits,
    mut room: Room,
) -> Result<u64, FetchError> {
    let host = answer.url().host_str().unwrap_or_default().to_owned();
    let too_large = || {
        let detail = format!("{host}: more than {} bytes", limits.max_bytes);
        failed(FailureCode::SourceTooLarge, detail)
    };
    if answer.content_length().is_some_and(|announced| announced > limits.max_bytes) {
        return Err(too_large());
    }
    let mut pace = Pace::start(limits);
    let mut total: u64 = 0;
    loop {
        room.ensure(total).await?;
        let chunk = match time::timeout_at(pace.window_ends, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => Some(chunk),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(unreachable(&host, &error.without_url())),
            // The window is over with nothing new: judged below, like one that ends with a chunk.
            Err(_) => None,
        };
        let chunk = chunk.as_deref().unwrap_or_default();
        let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        total = total.saturating_add(size);
        if total > limits.max_bytes {
            return Err(too_large());
        }
        if !pace.keeps_up(size) {
            let detail = format!("{host}: too slow, gave up after {total} bytes");
            return Err(failed(FailureCode::SourceUnreachable, detail));
        }
        part.file.write_all(chunk).await.map_err(|error| local("write audio", &error))?;
    }
    if total == 0 {
        return Err(failed(FailureCode::NoAudio, format!("{host}: an empty body")));
    }
    Ok(total)
}

/// Judges the pace window by window: an average since the start would let a body that began
/// quickly drip for hours.
struct Pace {
    limits: BodyLimits,
    window_ends: Instant,
    bytes: u64,
}

impl Pace {
    fn start(limits: BodyLimits) -> Self {
        Self { limits, window_ends: Instant::now() + limits.window, bytes: 0 }
    }

    /// Counts what has come; false if a window has ended with too little.
    fn keeps_up(&mut self, size: u64) -> bool {
        self.bytes = self.bytes.saturating_add(size);
        if Instant::now() < self.window_ends {
            return true;
        }
        let enough = self.bytes >= self.limits.window_bytes;
        *self = Self::start(self.limits);
        enough
    }
}
