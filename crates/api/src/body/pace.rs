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

#[cfg(test)]
mod tests {
    use std::{future, pin::Pin, time::Duration};

    use actix_web::{
        FromRequest, dev,
        error::PayloadError,
        test::TestRequest,
        web::{Bytes, Payload},
    };
    use futures_util::{Stream, StreamExt, stream};
    use tokio::time::{Instant, sleep};

    use super::{Paced, UploadPace, is_too_slow};

    const PACE: UploadPace = UploadPace {
        total: Duration::from_secs(100),
        window: Duration::from_secs(10),
        window_bytes: 10,
    };

    type Chunk = Result<Bytes, PayloadError>;

    async fn paced(body: impl Stream<Item = Chunk> + 'static, max_bytes: u64) -> Paced {
        let body: Pin<Box<dyn Stream<Item = Chunk>>> = Box::pin(body);
        let mut payload = dev::Payload::Stream { payload: body };
        let request = TestRequest::default().to_http_request();
        Paced::new(Payload::from_request(&request, &mut payload).await.unwrap(), PACE, max_bytes)
    }

    /// So many bytes every second, for ever.
    fn drip(bytes: usize) -> impl Stream<Item = Chunk> {
        stream::repeat(()).then(move |()| async move {
            sleep(Duration::from_secs(1)).await;
            Ok(Bytes::from(vec![7; bytes]))
        })
    }

    /// How many bytes came, what ended them, and after how long.
    async fn read(mut body: Paced) -> (usize, Option<PayloadError>, Duration) {
        let (began, mut bytes) = (Instant::now(), 0);
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => bytes += chunk.len(),
                Err(error) => return (bytes, Some(error), began.elapsed()),
            }
        }
        (bytes, None, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_ends_with_its_window() {
        let body = stream::iter([Ok(Bytes::from_static(b"many bytes, at once"))]);
        let (bytes, error, took) = read(paced(body.chain(stream::pending()), 99).await).await;
        assert!(error.as_ref().is_some_and(is_too_slow), "{error:?}");
        // The first window had enough.
        assert_eq!((bytes, took), (19, PACE.window * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_ends_with_the_window_and_a_steady_one_with_the_whole_time() {
        let (bytes, error, took) = read(paced(drip(0), 99).await).await;
        assert!(error.as_ref().is_some_and(is_too_slow), "{error:?}");
        assert_eq!((bytes, took), (0, PACE.window));
        let (bytes, error, took) = read(paced(drip(2), 999).await).await;
        assert!(error.as_ref().is_some_and(is_too_slow), "{error:?}");
        assert_eq!(took, PACE.total);
        assert!(bytes > 190, "{bytes}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_as_large_as_allowed_is_read_to_its_end() {
        let whole = || drip(10).take(5);
        assert!(matches!(read(paced(whole(), 50).await).await, (50, None, _)));
        let (bytes, error, _) = read(paced(whole(), 49).await).await;
        assert!(matches!((bytes, error), (40, Some(PayloadError::Overflow))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_does_not_wait_for_us_at_its_own_cost() {
        let body = stream::repeat_with(|| Ok(Bytes::from_static(b"x"))).take(9);
        let mut body = paced(body, 99).await;
        for _ in 0..9 {
            assert!(matches!(body.next().await, Some(Ok(_))));
            sleep(PACE.window).await;
        }
        assert!(body.next().await.is_none());
        let mut late = paced(stream::once(future::ready(Ok(Bytes::new()))), 9).await;
        sleep(PACE.total).await;
        let ended = late.next().await;
        assert!(matches!(&ended, Some(Err(error)) if is_too_slow(error)), "{ended:?}");
    }
}
