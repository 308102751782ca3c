//! Files that users hand in, until a transcription has them.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted fails it")]

use std::{sync::Arc, time::Duration};

use application::{
    Adapters, ErrorKind, Services, UseCaseError,
    limits::Quotas,
    ports::{ByteStream, Clock, Ids, UserRepository},
    uploads::{CreateUpload, Received, UploadError, UploadLimits},
};
use bytes::Bytes;
use domain::{
    AddressPolicy, Email, FailureCode, Metadata, PasswordDigest, TranscriptionOptions, User, UserId,
};
use futures_util::{StreamExt, stream};
use testkit::fakes::{self, Down, Fakes, fetch_error};

struct Scene {
    fakes: Fakes,
    services: Services,
    owner: UserId,
}

impl Scene {
    async fn set() -> Self {
        let fakes = fakes::adapters();
        let limits = UploadLimits { max_bytes: 6, quota_bytes: Some(8), at_once: 1 };
        let services = fakes.adapters().services(Quotas::OFF, AddressPolicy::default(), limits);
        let owner = UserId::from_uuid(fakes.ids.next());
        let email = Email::parse("bob@example.com").unwrap();
        let digest = PasswordDigest::new("none");
        let user = User::register(owner, email, None, digest, fakes.clock.now());
        fakes.store.insert(&user).await.unwrap();
        Self { fakes, services, owner }
    }

    async fn receive(&self, bytes: &'static [u8]) -> Result<Received, UploadError> {
        let allowance = self.services.uploads.allowance(self.owner).await?;
        let body: ByteStream<'_> = stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
        self.services.uploads.receive(body, &allowance).await
    }

    /// Waits until nothing is kept.
    async fn until_empty(&self) {
        for _ in 0..500 {
            if self.fakes.objects.ids().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", self.fakes.objects.ids());
    }
}

fn command(owner: UserId) -> CreateUpload {
    let (options, metadata) = (TranscriptionOptions::default(), Metadata::default());
    CreateUpload { owner, title: None, options, metadata }
}

#[tokio::test]
async fn a_file_that_is_dropped_before_it_is_queued_is_removed() {
    let scene = Scene::set().await;
    let received = scene.receive(b"RIFF").await.unwrap();
    assert_eq!((received.bytes(), scene.fakes.objects.ids().len()), (4, 1));
    drop(received);
    scene.until_empty().await;

    let received = scene.receive(b"RIFF").await.unwrap();
    let gate = scene.fakes.media.gate();
    gate.close();
    let creating = scene.services.uploads.create(received, command(scene.owner));
    tokio::select! {
        created = creating => panic!("{created:?}"),
        () = gate.reached() => {}
    }
    scene.until_empty().await;
    assert!(scene.fakes.store.jobs().is_empty());
}

#[tokio::test]
async fn what_is_refused_is_not_kept() {
    let scene = Scene::set().await;
    let Err(error) = scene.receive(b"RIFFRIFF").await else { panic!("it is too large") };
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "source_too_large"));

    scene.fakes.media.next_fetch(Err(fetch_error(FailureCode::NoAudio)));
    let received = scene.receive(b"RIFF").await.unwrap();
    let refused = scene.services.uploads.create(received, command(scene.owner)).await;
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "no_audio"));
    assert_eq!(scene.fakes.objects.ids(), []);

    let stranger = UserId::from_uuid(scene.fakes.ids.next());
    let received = scene.receive(b"RIFF").await.unwrap();
    let refused = scene.services.uploads.create(received, command(stranger)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(scene.fakes.objects.ids(), []);
}

#[tokio::test]
async fn a_file_is_kept_where_nobody_knows_whether_it_is_queued() {
    let scene = Scene::set().await;
    let received = scene.receive(b"RIFF").await.unwrap();
    let limits = UploadLimits::default();
    let down = Adapters { jobs: Arc::new(Down), ..scene.fakes.adapters() };
    let without = down.services(Quotas::OFF, AddressPolicy::default(), limits);
    let error = without.uploads.create(received, command(scene.owner)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(scene.fakes.objects.ids().len(), 1, "the sweep will know");
}

#[tokio::test]
async fn an_allowance_is_what_is_left_and_one_upload() {
    let scene = Scene::set().await;
    let uploads = &scene.services.uploads;
    let first = uploads.allowance(scene.owner).await.unwrap();
    assert_eq!(first.bytes(), 6);
    assert_eq!(first.refusal().code(), "source_too_large");
    let second = uploads.allowance(scene.owner).await.err().unwrap();
    assert_eq!((second.code(), second.retry_after().is_some()), ("overloaded", true));
    drop(first);
    for left in [4, 0] {
        let received = scene.receive(b"RIFF").await.unwrap();
        uploads.create(received, command(scene.owner)).await.unwrap();
        match uploads.allowance(scene.owner).await {
            Ok(allowance) => {
                assert_eq!((allowance.bytes(), left), (4, 4));
                assert_eq!(allowance.refusal().code(), "upload_quota_exceeded");
            }
            Err(error) => assert_eq!((error.code(), left), ("upload_quota_exceeded", 0)),
        }
    }
}
