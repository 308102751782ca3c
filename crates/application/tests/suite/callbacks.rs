//! Callbacks: heard, passed on, and never believed.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use application::{
    Adapters, Callbacks,
    ports::{ClaimRequest, Clock, EventBus, Hint, Ids, JobStore, NewSubmission, UserRepository},
};
use domain::{
    CallbackToken, Email, Metadata, PasswordDigest, Source, SubmissionId, SubmissionState,
    Transcription, TranscriptionId, TranscriptionOptions, User, UserId, WorkerId,
};
use std::{sync::Arc, time::Duration};
use testkit::fakes::{self, Down, Fakes};

/// A job with an open submission under `token`.
async fn submitted(fakes: &Fakes, token: &CallbackToken) -> TranscriptionId {
    let owner = UserId::from_uuid(fakes.ids.next());
    let email = Email::parse("owner@example.com").unwrap();
    let now = fakes.clock.now();
    let user = User::register(owner, email, None, PasswordDigest::new("x"), now);
    fakes.store.insert(&user).await.unwrap();
    let id = TranscriptionId::from_uuid(fakes.ids.next());
    let url = "https://example.com/speech.wav";
    let transcription = Transcription::request(
        id,
        owner,
        Some(url.to_owned()),
        Source::parse(url).unwrap(),
        TranscriptionOptions::default(),
        Metadata::default(),
        "scripted".to_owned(),
        now,
    );
    fakes.store.enqueue(&transcription).await.unwrap();
    let request = ClaimRequest {
        worker: WorkerId::from_uuid(fakes.ids.next()),
        slots: 1,
        lease: Duration::from_mins(1),
        per_owner: 1,
        provider_cap: None,
    };
    let claimed = fakes.store.claim(&request).await.unwrap().remove(0);
    let new = NewSubmission {
        id: SubmissionId::from_uuid(fakes.ids.next()),
        upload_url: None,
        callback: Some(token.digest()),
    };
    fakes.store.intend(&claimed.lease, new).await.unwrap();
    id
}

#[tokio::test]
async fn a_callback_wakes_the_engine_and_its_word_is_kept_as_a_hint_only() {
    let fakes = fakes::adapters();
    let token = CallbackToken::new([7; 32]);
    let id = submitted(&fakes, &token).await;
    let mut hints = fakes.events.subscribe();
    let callbacks = Callbacks::new(&fakes.adapters());
    assert!(callbacks.hear(&token.text(), Some("provider-1")).await.unwrap());
    assert_eq!(hints.recv().await.unwrap(), Hint::Ready);
    assert_eq!(hints.recv().await.unwrap(), Hint::Changed(id));
    let submission = fakes.store.submissions(id).remove(0);
    assert_eq!(submission.hinted_id.as_deref(), Some("provider-1"));
    assert_eq!((submission.state, submission.provider_id), (SubmissionState::Intent, None));
}

#[tokio::test]
async fn a_token_that_belongs_to_nothing_is_unknown_and_wakes_nobody() {
    let fakes = fakes::adapters();
    submitted(&fakes, &CallbackToken::new([7; 32])).await;
    let mut hints = fakes.events.subscribe();
    let callbacks = Callbacks::new(&fakes.adapters());
    let other = CallbackToken::new([8; 32]).text();
    for token in [other.as_str(), "", "no token", &"7".repeat(63)] {
        assert!(!callbacks.hear(token, Some("provider-1")).await.unwrap(), "{token}");
    }
    assert!(hints.try_recv().is_err());
}

#[tokio::test]
async fn a_name_that_no_engine_gives_is_heard_and_not_kept() {
    let fakes = fakes::adapters();
    let token = CallbackToken::new([7; 32]);
    let id = submitted(&fakes, &token).await;
    let callbacks = Callbacks::new(&fakes.adapters());
    for name in ["", "../v2/account", "a b", &"a".repeat(129)] {
        assert!(callbacks.hear(&token.text(), Some(name)).await.unwrap());
        assert_eq!(fakes.store.submissions(id).remove(0).hinted_id, None, "{name}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_no_unknown_token() {
    let fakes = fakes::adapters();
    let adapters = Adapters { jobs: Arc::new(Down), ..fakes.adapters() };
    let token = CallbackToken::new([7; 32]).text();
    assert!(Callbacks::new(&adapters).hear(&token, None).await.is_err());
}
