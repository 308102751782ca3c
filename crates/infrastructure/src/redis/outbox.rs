//! What is still to be told to other instances.

use std::time::Duration;

use application::ports::Hint;
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{
    link::Redis,
    news::{News, written},
};

/// Most hints that wait to be told; beyond that they are lost, and the others find out by looking.
pub(super) const ROOM: usize = 1_024;

/// Most hints in one message.
const BATCH: usize = 64;

/// A job that is ready is told at once, those that follow it together.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells what comes until nobody can add to it any more.
pub(super) async fn tell(mut hints: mpsc::Receiver<Hint>, redis: Redis, me: Uuid) {
    let channel = redis.channel(super::bus::CHANNEL);
    let mut outbox = Outbox::default();
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.clear();
        let due = outbox.due();
        tokio::select! {
            count = hints.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        let news = outbox.take(&batch, Instant::now());
        if !news.is_empty() {
            // What is lost costs the others a moment: they look by themselves.
            let _ = redis.publish(&channel, &written(me, &news)).await;
        }
    }
}

/// Holds back what need not be told at once.
#[derive(Debug, Default)]
struct Outbox {
    /// When to tell that jobs are ready, if any are.
    ready_at: Option<Instant>,
    told_at: Option<Instant>,
}

impl Outbox {
    fn due(&self) -> Option<Instant> {
        self.ready_at
    }

    /// What of `hints`, and of what was held back, is to be told at `now`.
    fn take(&mut self, hints: &[Hint], now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        for hint in hints {
            if *hint == Hint::Ready {
                let earliest = self.told_at.map_or(now, |told_at| told_at + PAUSE);
                self.ready_at.get_or_insert(earliest);
            } else if !news.contains(&News::Hint(*hint)) {
                news.push(News::Hint(*hint));
            }
        }
        if self.ready_at.is_some_and(|ready_at| ready_at <= now) {
            (self.ready_at, self.told_at) = (None, Some(now));
            news.push(News::Hint(Hint::Ready));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use application::ports::Hint;
    use domain::TranscriptionId;
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::{News, Outbox, PAUSE};

    const READY: [News; 1] = [News::Hint(Hint::Ready)];

    #[test]
    fn the_first_ready_job_is_told_at_once_and_the_next_ones_together() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        assert_eq!(outbox.take(&[Hint::Ready, Hint::Ready], start), READY);
        assert_eq!(outbox.take(&[Hint::Ready], start + PAUSE / 4), []);
        assert_eq!(outbox.take(&[Hint::Ready, Hint::Ready], start + PAUSE / 2), []);
        assert_eq!(outbox.due(), Some(start + PAUSE));
        assert_eq!(outbox.take(&[], start + PAUSE), READY);
        assert_eq!((outbox.due(), outbox.take(&[], start + 2 * PAUSE)), (None, vec![]));
        assert_eq!(outbox.take(&[Hint::Ready], start + 3 * PAUSE), READY);
    }

    #[test]
    fn what_happened_to_a_transcription_is_told_at_once_and_once() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        let id = TranscriptionId::from_uuid(Uuid::from_u128(1));
        let (changed, ended) = (Hint::Changed(id), Hint::Ended(id));
        let told = outbox.take(&[changed, ended, changed], start);
        assert_eq!(told, [changed, ended].map(News::Hint));
        assert_eq!(outbox.take(&[changed], start), [News::Hint(changed)]);
    }
}
