//! How far a fetch is, as its owner sees it.

use std::time::Duration;

use application::ports::{EventBus, Hint, Hints, JobStore};
use domain::{TranscriptionId, TranscriptionState};

use super::Bench;

impl Bench {
    fn progress(&self, id: TranscriptionId) -> Option<f64> {
        match self.fakes.store.transcription(id).unwrap().parts().state {
            TranscriptionState::Processing { progress, .. } => progress,
            _ => None,
        }
    }
}

/// How many changes were told since the last time.
fn told(hints: &mut Hints) -> usize {
    let mut changes = 0;
    while let Ok(hint) = hints.try_recv() {
        changes += usize::from(matches!(hint, Hint::Changed(_)));
    }
    changes
}

/// Long enough for a note, which is written at most once a second.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_is_followed_at_most_once_a_second_and_only_where_it_got_on() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    let handle = bench.engine().start();
    bench.fakes.media.gate().reached().await;
    let mut hints = bench.fakes.events.subscribe();
    for share in [0.10, 0.20, 0.30] {
        bench.fakes.media.reach(share);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((bench.progress(id), told(&mut hints)), (Some(0.10), 1));
    a_moment().await;
    assert_eq!((bench.progress(id), told(&mut hints)), (Some(0.30), 1));
    bench.fakes.media.reach(0.305);
    a_moment().await;
    assert_eq!((bench.progress(id), told(&mut hints)), (Some(0.30), 0));
    bench.fakes.media.reach(0.31);
    a_moment().await;
    assert_eq!((bench.progress(id), told(&mut hints)), (Some(0.31), 1));
    bench.fakes.media.gate().open();
    assert!(handle.drain().await);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_whose_job_was_taken_away_ends_with_its_next_note() {
    let bench = Bench::default().await;
    let id = bench.enqueue().await;
    bench.fakes.media.gate().close();
    let engine = bench.engine();
    let running = tokio::spawn(async move { engine.run_pending().await });
    bench.fakes.media.gate().reached().await;
    bench.fakes.store.cancel(bench.owner, id).await.unwrap();
    bench.fakes.media.reach(0.5);
    // No heartbeat runs here, the gate stays closed, and the fence is far off.
    let told = tokio::time::timeout(Duration::from_secs(5), running).await;
    told.unwrap().unwrap().unwrap();
    bench.fakes.media.gate().left().await;
}
