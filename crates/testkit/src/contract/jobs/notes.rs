//! What is noted beside the steps: how far a stage is, and which engines are not submitted to.

use application::ports::{CommitError, Lease, Pause};
use chrono::TimeDelta;
use domain::{FailureCode, SourceFacts, Step, Transcription, TranscriptionState};

use crate::contract::{Stores, samples::ENGINE};

/// How far a stage is can be seen, rises, and begins anew with the next stage.
pub async fn progress_is_shown_and_never_falls(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    assert_eq!(share(&stores.seen(&claimed.transcription).await), None);
    let mut changed = stores.now();
    for (told, shown, changes) in [
        (0.25, 0.25, true),
        (0.125, 0.25, false),
        (f64::NAN, 0.25, false),
        (1.5, 0.25, false),
        (1.0, 1.0, true),
    ] {
        stores.advance(1);
        stores.jobs.progress(&claimed.lease, told).await.expect("it is held");
        changed = if changes { stores.now() } else { changed };
        let seen = stores.seen(&claimed.transcription).await;
        assert_eq!((share(&seen), seen.parts().updated_at), (Some(shown), changed), "{told}");
    }
    stores.step(&claimed.lease, Step::Fetched(SourceFacts::default())).await;
    assert_eq!(share(&stores.seen(&claimed.transcription).await), None);
}

/// Only the holder says how far it is.
pub async fn progress_needs_the_lease(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let claimed = stores.a_leased_job().await;
    let early = Lease { job: claimed.lease.job, epoch: claimed.lease.epoch.next() };
    stores.advance(1);
    for (lease, seen) in
        [(&waiting.lease, &waiting.transcription), (&early, &claimed.transcription)]
    {
        let before = stores.seen(seen).await;
        let refused = stores.jobs.progress(lease, 0.5).await;
        assert!(matches!(refused, Err(CommitError::LeaseLost)), "{refused:?}");
        assert_eq!(stores.seen(seen).await, before);
    }
}

/// An engine stays stopped until somebody says that it is not, and since when is not forgotten.
pub async fn a_pause_lasts_until_it_is_lifted_and_keeps_its_beginning(stores: &Stores) {
    let paused = async |engine: &str| stores.jobs.paused(engine).await.expect("it is told");
    assert_eq!(paused(ENGINE).await, None);
    let since = stores.now();
    for (code, minutes) in [
        (FailureCode::ProviderAuth, 5),
        (FailureCode::ProviderPaymentRequired, 30),
        (FailureCode::ProviderAuth, 10),
    ] {
        let until = stores.now() + TimeDelta::minutes(minutes);
        stores.jobs.pause(ENGINE, code, until).await.expect("it is stopped");
        assert_eq!(paused(ENGINE).await, Some(Pause { code, since, until }));
        stores.advance(60);
    }
    assert_eq!(paused("other").await, None);
    stores.clock.advance(TimeDelta::days(1));
    stores.tick().await;
    assert!(paused(ENGINE).await.is_some(), "time alone does not lift it");

    for _ in 0..2 {
        stores.jobs.resume(ENGINE).await.expect("it is lifted");
        assert_eq!(paused(ENGINE).await, None);
    }
    let (code, since) = (FailureCode::ProviderAuth, stores.now());
    stores.jobs.pause(ENGINE, code, since).await.expect("it is stopped");
    let again = Pause { code, since, until: since };
    assert_eq!(paused(ENGINE).await, Some(again), "it begins anew");
}

fn share(transcription: &Transcription) -> Option<f64> {
    match transcription.parts().state {
        TranscriptionState::Processing { progress, .. } => progress,
        TranscriptionState::Pending
        | TranscriptionState::Completed { .. }
        | TranscriptionState::Failed { .. }
        | TranscriptionState::Canceled { .. } => None,
    }
}
