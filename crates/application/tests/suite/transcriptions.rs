//! Creating, listing, reading, calling off and deleting transcriptions.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted fails it")]

mod scene;

use std::sync::Arc;

use application::{
    Adapters, ErrorKind, UseCaseError,
    limits::Quotas,
    ports::{Clock, EventBus, Hint, Ids, JobStore},
    transcriptions::{CreateError, TranscriptionError},
    uploads::UploadLimits,
};
use chrono::TimeDelta;
use domain::{
    AddressPolicy, Failure, FailureCode, JobState, ListFilter, PageRequest, PageSize, PollStep,
    Stage, Status, Transcription, TranscriptionId, UserId,
    export::{Format, TextFormat},
};
use testkit::fakes::{self, Down, ScriptedSpeech, small_transcript};

use scene::{Scene, URL, an_owner, command, services};

#[tokio::test]
async fn creating_stores_it_pending_with_a_ready_job_under_the_name_of_the_engine() {
    let fakes = fakes::adapters();
    let speech = Arc::new(ScriptedSpeech::default().named("other"));
    let services = services(&Adapters { speech, ..fakes.adapters() });
    let owner = an_owner(&fakes, "bob@example.com").await;
    let created = services.transcriptions.create(command(owner, URL)).await.unwrap();
    let parts = created.parts();
    assert_eq!((created.status(), parts.owner), (Status::Pending, owner));
    assert_eq!((parts.engine.as_str(), parts.video_url.as_deref()), ("other", Some(URL)));
    assert_eq!(parts.created_at, fakes.clock.now());
    let job = fakes.store.job(parts.id).unwrap();
    assert_eq!((job.parts().state, job.parts().owner), (JobState::Ready, owner));
    assert_eq!(fakes.store.transcription(parts.id), Some(created));
}

#[tokio::test]
async fn creating_publishes_that_a_job_is_ready() {
    let fakes = fakes::adapters();
    let services = services(&fakes.adapters());
    let owner = an_owner(&fakes, "bob@example.com").await;
    let mut hints = fakes.events.subscribe();
    services.transcriptions.create(command(owner, URL)).await.unwrap();
    assert_eq!(hints.try_recv().unwrap(), Hint::Ready);
}

#[tokio::test]
async fn a_literal_address_that_is_not_public_is_refused_and_nothing_is_stored() {
    let fakes = fakes::adapters();
    let services = services(&fakes.adapters());
    let owner = an_owner(&fakes, "bob@example.com").await;
    let mut hints = fakes.events.subscribe();
    for url in [
        "http://127.0.0.1/a.wav",
        "http://2130706433/a.wav",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/a.wav",
        "http://[::ffff:127.0.0.1]/a.wav",
        "http://10.0.0.1/a.wav",
        "https://media.example:8443/a.wav",
    ] {
        let error = services.transcriptions.create(command(owner, url)).await.unwrap_err();
        assert!(matches!(error, CreateError::Unsupported(_)), "{url}: {error:?}");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "unsupported_source"));
    }
    assert!(fakes.store.jobs().is_empty());
    assert!(hints.try_recv().is_err());
}

#[tokio::test]
async fn an_exempted_network_is_accepted() {
    let fakes = fakes::adapters();
    let owner = an_owner(&fakes, "bob@example.com").await;
    let policy = AddressPolicy::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let services = fakes.adapters().services(Quotas::OFF, policy, UploadLimits::default());
    let inside = command(owner, "http://10.0.0.1:8080/a.wav");
    assert!(services.transcriptions.create(inside).await.is_ok());
    let outside = command(owner, "http://192.168.0.1/a.wav");
    assert!(services.transcriptions.create(outside).await.is_err());
}

#[tokio::test]
async fn nobody_can_create_for_an_account_that_is_gone() {
    let fakes = fakes::adapters();
    let services = services(&fakes.adapters());
    let nobody = UserId::from_uuid(fakes.ids.next());
    let error = services.transcriptions.create(command(nobody, URL)).await.unwrap_err();
    assert!(matches!(error, CreateError::NoSuchOwner), "{error:?}");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "invalid_token"));
    assert!(fakes.store.jobs().is_empty());
}

#[tokio::test]
async fn a_list_is_paged_newest_first_and_counted_on_request() {
    let scene = Scene::set().await;
    let transcriptions = &scene.services.transcriptions;
    let mut newest_first = vec![scene.id];
    for _ in 0..4 {
        scene.fakes.clock.advance(TimeDelta::seconds(1));
        let created = transcriptions.create(command(scene.owner, URL)).await.unwrap();
        newest_first.insert(0, created.parts().id);
    }
    let filter = ListFilter::default();
    let mut page = PageRequest { size: PageSize::parse(2).unwrap(), ..PageRequest::default() };
    let mut seen = Vec::new();
    loop {
        let (items, total) = transcriptions.list(scene.owner, &filter, &page, true).await.unwrap();
        assert_eq!(total, Some(5));
        seen.extend(items.items.iter().map(|t| t.parts().id));
        let Some(next) = items.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, newest_first);

    let skipped = PageRequest { skip: 4, ..PageRequest::default() };
    let (rest, total) = transcriptions.list(scene.owner, &filter, &skipped, false).await.unwrap();
    assert_eq!(rest.items.iter().map(|t| t.parts().id).collect::<Vec<_>>(), [scene.id]);
    assert_eq!((rest.next, total), (None, None));

    let beyond = PageRequest { skip: u64::MAX, ..PageRequest::default() };
    let (none, _) = transcriptions.list(scene.owner, &filter, &beyond, false).await.unwrap();
    assert!(none.items.is_empty() && none.next.is_none());
}

#[tokio::test]
async fn a_list_is_filtered_by_status_and_by_exclusive_instants() {
    let scene = Scene::set().await;
    let first = scene.fakes.clock.now();
    scene.fakes.clock.advance(TimeDelta::seconds(1));
    scene.failed().await;
    let second = scene.services.transcriptions.create(command(scene.owner, URL)).await.unwrap();
    let ids = async |filter: ListFilter| {
        let page = PageRequest::default();
        let listed =
            scene.services.transcriptions.list(scene.owner, &filter, &page, true).await.unwrap();
        let ids: Vec<_> = listed.0.items.iter().map(|t: &Transcription| t.parts().id).collect();
        assert_eq!(listed.1, Some(ids.len() as u64));
        ids
    };
    let all = ListFilter::default();
    assert_eq!(ids(ListFilter { status: Some(Status::Failed), ..all }).await, [scene.id]);
    assert_eq!(ids(ListFilter { status: Some(Status::Completed), ..all }).await, []);
    let later = ids(ListFilter { created_after: Some(first), ..all }).await;
    assert_eq!(later, [second.parts().id]);
    let earlier = ListFilter { created_before: Some(second.parts().created_at), ..all };
    assert_eq!(ids(earlier).await, [scene.id]);
}

#[tokio::test]
async fn a_transcript_is_refused_until_it_is_completed_with_the_status_in_the_reason() {
    let scene = Scene::set().await;
    let transcript = async || scene.services.transcriptions.transcript(scene.owner, scene.id).await;
    let not_completed = |status| {
        move |error: TranscriptionError| {
            assert!(matches!(error, TranscriptionError::NotCompleted(s) if s == status));
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert_eq!(error.code(), "transcription_not_completed");
            assert!(error.to_string().contains(status.as_str()), "{error}");
        }
    };
    not_completed(Status::Pending)(transcript().await.unwrap_err());
    let waiting = scene.submitted().await;
    not_completed(Status::Processing)(transcript().await.unwrap_err());
    let failure = Failure::new(FailureCode::NotEnoughSpeech, Stage::Transcribing);
    let step = PollStep::Fail(failure);
    scene.fakes.store.settle(waiting.job, waiting.epoch, step).await.unwrap();
    not_completed(Status::Failed)(transcript().await.unwrap_err());
}

#[tokio::test]
async fn a_completed_transcription_is_read_with_its_text_and_its_transcript() {
    let scene = Scene::set().await;
    assert_eq!(scene.services.transcriptions.get(scene.owner, scene.id).await.unwrap().text, None);
    scene.completed().await;
    let found = scene.services.transcriptions.get(scene.owner, scene.id).await.unwrap();
    assert_eq!(found.transcription.status(), Status::Completed);
    assert_eq!(found.transcription.parts().facts.title.as_deref(), Some("A talk"));
    assert_eq!(found.text, Some(small_transcript().text));
    let transcript = scene.services.transcriptions.transcript(scene.owner, scene.id).await.unwrap();
    assert_eq!(transcript, small_transcript());
    let format = Format::Text(TextFormat::Srt);
    let export = scene.services.transcriptions.export(scene.owner, scene.id, format).await.unwrap();
    assert_eq!((export.title.as_deref(), export.transcript), (Some("A talk"), small_transcript()));
}

#[tokio::test]
async fn calling_off_ends_it_at_once_and_again_is_no_error() {
    let scene = Scene::set().await;
    let mut hints = scene.fakes.events.subscribe();
    let cancel = async || scene.services.transcriptions.cancel(scene.owner, scene.id).await;
    let canceled = cancel().await.unwrap();
    assert_eq!(canceled.status(), Status::Canceled);
    assert_eq!(hints.try_recv().unwrap(), Hint::Ended(scene.id));
    assert_eq!(scene.fakes.store.job(scene.id), None);
    scene.fakes.clock.advance(TimeDelta::seconds(1));
    assert_eq!(cancel().await.unwrap(), canceled, "the second changes nothing");
}

#[tokio::test]
async fn calling_off_a_job_at_the_engine_puts_its_copy_down_for_erasure() {
    let scene = Scene::set().await;
    scene.submitted().await;
    scene.services.transcriptions.cancel(scene.owner, scene.id).await.unwrap();
    let erasures = scene.fakes.store.erasures();
    assert_eq!(erasures.len(), 1);
    assert_eq!((&*erasures[0].engine, &*erasures[0].provider_id), ("scripted", "provider-1"));
}

#[tokio::test]
async fn what_has_ended_otherwise_cannot_be_called_off() {
    for completed in [true, false] {
        let scene = Scene::set().await;
        if completed {
            scene.completed().await;
        } else {
            scene.failed().await;
        }
        let status = scene.status().await;
        let error = scene.services.transcriptions.cancel(scene.owner, scene.id).await.unwrap_err();
        assert!(matches!(error, TranscriptionError::AlreadyEnded(s) if s == status), "{error:?}");
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Conflict, "transcription_already_ended")
        );
        assert_eq!(scene.status().await, status);
    }
}

#[tokio::test]
async fn deleting_removes_it_in_every_state_and_puts_copies_down_for_erasure() {
    for (case, copies) in [("pending", 0), ("waiting", 1), ("completed", 1), ("failed", 0)] {
        let scene = Scene::set().await;
        match case {
            "waiting" => {
                scene.submitted().await;
            }
            "completed" => scene.completed().await,
            "failed" => scene.failed().await,
            _ => {}
        }
        let transcriptions = &scene.services.transcriptions;
        let mut hints = scene.fakes.events.subscribe();
        transcriptions.delete(scene.owner, scene.id).await.unwrap();
        assert_eq!(hints.try_recv().unwrap(), Hint::Ended(scene.id));
        assert!(scene.fakes.store.jobs().is_empty(), "{case}");
        assert_eq!(scene.fakes.store.transcription(scene.id), None, "{case}");
        assert_eq!(scene.fakes.store.erasures().len(), copies, "{case}");
        let again = transcriptions.delete(scene.owner, scene.id).await.unwrap_err();
        assert!(matches!(again, TranscriptionError::NotFound), "{again:?}");
        let gone = transcriptions.transcript(scene.owner, scene.id).await.unwrap_err();
        assert!(matches!(gone, TranscriptionError::NotFound), "{gone:?}");
    }
}

#[tokio::test]
async fn what_belongs_to_another_is_not_found_and_not_touched() {
    let scene = Scene::set().await;
    scene.completed().await;
    let other = an_owner(&scene.fakes, "eve@example.com").await;
    let transcriptions = &scene.services.transcriptions;
    let errors = [
        transcriptions.get(other, scene.id).await.unwrap_err(),
        transcriptions.transcript(other, scene.id).await.unwrap_err(),
        transcriptions.export(other, scene.id, Format::Json).await.unwrap_err(),
        transcriptions.cancel(other, scene.id).await.unwrap_err(),
        transcriptions.delete(other, scene.id).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, TranscriptionError::NotFound), "{error:?}");
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "transcription_not_found"));
    }
    let (page, filter) = (PageRequest::default(), ListFilter::default());
    let (listed, total) = transcriptions.list(other, &filter, &page, true).await.unwrap();
    assert!(listed.items.is_empty());
    assert_eq!(total, Some(0));
    assert_eq!(scene.status().await, Status::Completed);
}

#[tokio::test]
async fn without_a_database_every_use_case_of_transcriptions_is_unavailable() {
    let fakes = fakes::adapters();
    let (jobs, transcriptions) = (Arc::new(Down), Arc::new(Down));
    let services = services(&Adapters { jobs, transcriptions, ..fakes.adapters() });
    let use_cases = &services.transcriptions;
    let owner = UserId::from_uuid(fakes.ids.next());
    let id = TranscriptionId::from_uuid(fakes.ids.next());
    let (page, filter) = (PageRequest::default(), ListFilter::default());
    let mut hints = fakes.events.subscribe();
    let errors: [Box<dyn UseCaseError>; 7] = [
        Box::new(use_cases.create(command(owner, URL)).await.unwrap_err()),
        Box::new(use_cases.list(owner, &filter, &page, true).await.unwrap_err()),
        Box::new(use_cases.get(owner, id).await.unwrap_err()),
        Box::new(use_cases.transcript(owner, id).await.unwrap_err()),
        Box::new(use_cases.export(owner, id, Format::Json).await.unwrap_err()),
        Box::new(use_cases.cancel(owner, id).await.unwrap_err()),
        Box::new(use_cases.delete(owner, id).await.unwrap_err()),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(error.code(), "temporarily_unavailable");
    }
    assert!(hints.try_recv().is_err(), "nothing happened that anyone should hear of");
}
