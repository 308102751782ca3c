//! A body that is too large to be read in one go: never more than allowed, never slower than
//! bearable.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    error::PayloadError,
    web::{Bytes, Payload},
};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How slowly a large body may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadPace {
    /// The body as a whole.
    pub total: Duration,
    /// The span over which the pace is judged.
    pub window: Duration,
    /// Fewest bytes in it.
    pub window_bytes: u64,
}

impl Default for UploadPace {
    /// Half an hour, and 10 KiB a second over half a minute.
    fn default() -> Self {
        Self {
            total: Duration::from_mins(30),
            window: Duration::from_secs(30),
            window_bytes: 30 * 10 * 1_024,
        }
    }
}

/// The body, as it comes. What the service itself takes to store it is not counted against the
/// client's pace, but against the time for the whole.
pub(crate) struct Paced {
    body: Payload,
    pace: UploadPace,
    bytes_left: u64,
    ends: Instant,
    /// How long the client was waited for in this window, until the wait that goes on.
    waited: Duration,
    waiting_since: Option<Instant>,
    window_bytes: u64,
    alarm: Pin<Box<Sleep>>,
}

impl Paced {
    pub(crate) fn new(body: Payload, pace: UploadPace, max_bytes: u64) -> Self {
        let ends = Instant::now() + pace.total;
        Self {
            body,
            pace,
            bytes_left: max_bytes,
            ends,
            waited: Duration::ZERO,
            waiting_since: None,
            window_bytes: 0,
            alarm: Box::pin(sleep_until(ends)),
        }
    }

    /// Takes in that the wait, if there was one, is over; false if a window has ended with too
    /// little, or the time for the whole is up.
    fn keeps_up(&mut self, now: Instant) -> bool {
        if let Some(since) = self.waiting_since.take() {
            self.waited += now - since;
        }
        if self.waited >= self.pace.window {
            let enough = self.window_bytes >= self.pace.window_bytes;
            (self.waited, self.window_bytes) = (Duration::ZERO, 0);
            return enough && now < self.ends;
        }
        now < self.ends
    }

    fn take(&mut self, chunk: Bytes) -> Result<Bytes, PayloadError> {
        let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.bytes_left = self.bytes_left.checked_sub(size).ok_or(PayloadError::Overflow)?;
        self.window_bytes = self.window_bytes.saturating_add(size);
        if self.keeps_up(Instant::now()) { Ok(chunk) } else { Err(too_slow()) }
    }

    /// Sets the alarm for the end of the window or of the whole, and is ready when it rings.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let window_ends = since + self.pace.window.saturating_sub(self.waited);
        self.alarm.as_mut().reset(window_ends.min(self.ends));
        self.alarm.as_mut().poll(cx)
    }
}

impl Stream for Paced {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => return Poll::Ready(Some(self.take(chunk))),
                Poll::Ready(other) => return Poll::Ready(other),
                Poll::Pending => {
                    ready!(self.poll_alarm(cx));
                    if !self.keeps_up(Instant::now()) {
                        return Poll::Ready(Some(Err(too_slow())));
                    }
                }
            }
        }
    }
}

fn too_slow() -> PayloadError {
    PayloadError::Io(io::ErrorKind::TimedOut.into())
}

/// Whether a body ended because it was too slow.
pub(crate) fn is_too_slow(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(cause) if cause.kind() == io::ErrorKind::TimedOut)
}
