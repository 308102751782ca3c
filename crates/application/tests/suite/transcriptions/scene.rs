//! A user with one transcription, and the ways it can go.

use std::time::Duration;

use application::{
    Adapters, Services,
    limits::Quotas,
    ports::{
        ClaimRequest, Claimed, Clock, Ids, JobStore, Lease, NewSubmission, StepEffects,
        UserRepository,
    },
    transcriptions::CreateTranscription,
    uploads::UploadLimits,
};
use domain::{
    AddressPolicy, CompletedFacts, Email, Failure, FailureCode, Metadata, Outcome, PasswordDigest,
    PollStep, Source, SourceFacts, Stage, Status, Step, SubmissionId, TranscriptionId,
    TranscriptionOptions, User, UserId, WorkerId,
};
use testkit::fakes::{self, Fakes, small_transcript};

pub(super) const URL: &str = "https://media.example/talk.wav";

pub(super) fn services(adapters: &Adapters) -> Services {
    adapters.services(Quotas::OFF, AddressPolicy::default(), UploadLimits::default())
}

pub(super) fn command(owner: UserId, url: &str) -> CreateTranscription {
    CreateTranscription {
        owner,
        video_url: url.to_owned(),
        source: Source::parse(url).unwrap(),
        options: TranscriptionOptions::default(),
        metadata: Metadata::default(),
    }
}

pub(super) async fn an_owner(fakes: &Fakes, address: &str) -> UserId {
    let id = UserId::from_uuid(fakes.ids.next());
    let email = Email::parse(address).unwrap();
    let user = User::register(id, email, None, PasswordDigest::new("none"), fakes.clock.now());
    fakes.store.insert(&user).await.unwrap();
    id
}

/// Fakes, an owner, the services, and a transcription that the owner created.
pub(super) struct Scene {
    pub(super) fakes: Fakes,
    pub(super) services: Services,
    pub(super) owner: UserId,
    pub(super) id: TranscriptionId,
}

impl Scene {
    pub(super) async fn set() -> Self {
        let fakes = fakes::adapters();
        let services = services(&fakes.adapters());
        let owner = an_owner(&fakes, "bob@example.com").await;
        let created = services.transcriptions.create(command(owner, URL)).await.unwrap();
        Self { id: created.parts().id, fakes, services, owner }
    }

    async fn claim(&self) -> Claimed {
        let request = ClaimRequest {
            worker: WorkerId::from_uuid(self.fakes.ids.next()),
            slots: 1,
            lease: Duration::from_mins(1),
            per_owner: 4,
            provider_cap: None,
        };
        self.fakes.store.claim(&request).await.unwrap().pop().unwrap()
    }

    async fn commit(&self, claimed: &Claimed, step: Step, effects: StepEffects) -> Outcome {
        self.fakes.store.commit(&claimed.lease, step, effects).await.unwrap()
    }

    /// The job waits for the engine, which named it `provider-1`.
    pub(super) async fn submitted(&self) -> Lease {
        let claimed = self.claim().await;
        let id = SubmissionId::from_uuid(self.fakes.ids.next());
        let facts = SourceFacts { title: Some(String::from("A talk")), duration_ms: Some(1_000) };
        self.commit(&claimed, Step::Fetched(facts), StepEffects::default()).await;
        self.commit(&claimed, Step::Uploaded(None), StepEffects::default()).await;
        let submission = NewSubmission { id, upload_url: None, callback: None };
        self.fakes.store.intend(&claimed.lease, submission).await.unwrap();
        let accepted = Some((id, String::from("provider-1")));
        let effects = StepEffects { accepted, ..StepEffects::default() };
        let check_at = self.fakes.clock.now();
        let outcome = self.commit(&claimed, Step::Submitted { check_at }, effects).await;
        assert_eq!(outcome, Outcome::Free);
        claimed.lease
    }

    pub(super) async fn completed(&self) {
        let waiting = self.submitted().await;
        let finished = self.fakes.store.settle(waiting.job, waiting.epoch, PollStep::Finished);
        assert_eq!(finished.await.unwrap(), Outcome::Free);
        let storing = self.claim().await;
        let facts = CompletedFacts { language_detected: None, confidence: None, duration_ms: None };
        let transcript = Some(small_transcript());
        let effects = StepEffects { transcript, ..StepEffects::default() };
        let outcome = self.commit(&storing, Step::Complete(facts), effects).await;
        assert_eq!(outcome, Outcome::Ended);
    }

    pub(super) async fn failed(&self) {
        let claimed = self.claim().await;
        let failure = Failure::new(FailureCode::NoAudio, Stage::Fetching);
        self.commit(&claimed, Step::Fail(failure), StepEffects::default()).await;
    }

    pub(super) async fn status(&self) -> Status {
        self.services.transcriptions.get(self.owner, self.id).await.unwrap().transcription.status()
    }
}
