//! Transcripts that nothing here wrote.

use application::ports::{Clock, JobStore, TranscriptionRepository, UserRepository};
use sea_orm::ConnectionTrait;
use testkit::contract::{a_transcription, a_user};

use super::fresh;

#[tokio::test]
async fn a_transcript_whose_body_is_spoilt_is_reported_and_leaves_the_text() {
    for body in ["x''", "x'01'", "x'01789c030000000001'", "x'7b7d'", "'{\"v\":1}'", "x'ff789c'"] {
        let (store, clock, _directory) = fresh().await;
        let user = a_user(clock.now());
        store.insert(&user).await.expect("it is stored");
        let queued = a_transcription(user.parts().id, clock.now());
        store.enqueue(&queued).await.expect("it is queued");
        let (owner, id) = (user.parts().id, queued.parts().id);
        let row = format!("x'{}', 'a secret', {body}", id.as_uuid().simple());
        let sql = format!("INSERT INTO transcripts (transcription_id, text, body) VALUES ({row})");
        store.connection().execute_unprepared(&sql).await.expect("it is written");

        let failure = store.transcript(owner, id).await.expect_err("it cannot be read");
        assert!(!failure.is_transient(), "{body}: {failure:?}");
        assert!(!format!("{failure:?}").contains("secret"), "{body}: {failure:?}");
        let found = TranscriptionRepository::find(&store, owner, id).await.expect("it is read");
        assert_eq!(found.and_then(|found| found.text).as_deref(), Some("a secret"), "{body}");
        assert!(store.delete(owner, id).await.expect("it is deleted"), "{body}");
    }
}
