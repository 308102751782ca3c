//! Rows that nothing here wrote: they end their own job, and hold up nobody else's.

use std::{sync::Arc, time::Duration};

use application::ports::{
    CancelOutcome, ClaimRequest, Claimed, Clock, JobStore, NewSubmission, StepEffects, TickReport,
    TranscriptionRepository, UserRepository,
};
use chrono::TimeDelta;
use domain::{
    Failure, FailureCode, Job, ListFilter, PageRequest, PageSize, Stage, Status, Step,
    SubmissionId, TranscriptionId, UserId, WorkerId,
};
use infrastructure::persistence::Store;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use testkit::contract::{TestClock, a_submission, a_transcription, a_user};
use uuid::Uuid;

use super::{fresh, strings};

/// Ways to spoil a job's rows that the constraints of the tables let pass.
const JOB: [&str; 3] = [
    "UPDATE jobs SET failures = -1 WHERE id = ?",
    "UPDATE jobs SET cost = 'much' WHERE id = ?",
    "UPDATE jobs SET epoch = -1 WHERE id = ?",
];
const TRANSCRIPTION: [&str; 3] = [
    "UPDATE transcriptions SET options = '{}' WHERE id = ?",
    "UPDATE transcriptions SET metadata = 'no json' WHERE id = ?",
    "UPDATE transcriptions SET status = 'canceled', stage = NULL WHERE id = ?",
];
const SUBMISSION: [&str; 3] = [
    "UPDATE provider_submissions SET seq = -1 WHERE job_id = ?",
    "UPDATE provider_submissions SET intent_at = 'once' WHERE job_id = ?",
    "UPDATE provider_submissions SET state = 'error' WHERE job_id = ?",
];

/// A store with the jobs of two users, the one that is spoilt first in every order.
struct Scene {
    store: Store,
    clock: Arc<TestClock>,
    /// Of the one that is spoilt.
    owner: UserId,
    spoilt: TranscriptionId,
    sound: TranscriptionId,
    _directory: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let (store, clock, directory) = fresh().await;
        let (mut ids, mut owners) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let user = a_user(clock.now());
            store.insert(&user).await.expect("it is stored");
            let queued = a_transcription(user.parts().id, clock.now());
            store.enqueue(&queued).await.expect("it is queued");
            ids.push(queued.parts().id);
            owners.push(user.parts().id);
        }
        let (owner, spoilt, sound) = (owners[0], ids[0], ids[1]);
        Self { store, clock, owner, spoilt, sound, _directory: directory }
    }

    async fn spoil(&self, sql: &str) {
        let id = format!("x'{}'", self.spoilt.as_uuid().simple());
        let done = self.store.connection().execute_unprepared(&sql.replace('?', &id)).await;
        assert_eq!(done.expect("it is spoilt").rows_affected(), 1, "{sql}");
    }

    async fn claim_both(&self) -> Vec<Claimed> {
        let claimed = self.claim(2).await;
        assert_eq!(claimed.len(), 2, "both are ready");
        claimed
    }

    async fn claim(&self, slots: u32) -> Vec<Claimed> {
        let request = ClaimRequest {
            worker: WorkerId::from_uuid(Uuid::from_u128(1)),
            slots,
            lease: Duration::from_mins(1),
            per_owner: 1,
            provider_cap: None,
        };
        self.store.claim(&request).await.expect("jobs are claimed")
    }

    /// Brings both jobs to where they wait for the engine.
    async fn submit(&self) {
        for _ in 0..2 {
            let claimed = self.claim(1).await.pop();
            let Claimed { lease, .. } = claimed.expect("one is ready");
            let step = Step::Uploaded(None);
            self.store.commit(&lease, step, StepEffects::default()).await.expect("uploaded");
            let NewSubmission { id, .. } = a_submission();
            self.store
                .intend(&lease, NewSubmission { id, upload_url: None, callback: None })
                .await
                .expect("noted");
            let effects = StepEffects { accepted: Some(name(id)), ..StepEffects::default() };
            let step = Step::Submitted { check_at: self.clock.now() };
            self.store.commit(&lease, step, effects).await.expect("submitted");
            self.clock.advance(TimeDelta::seconds(1));
        }
    }

    /// What the owner of the spoilt one sees, page by page.
    async fn listed(&self, size: u64) -> Vec<TranscriptionId> {
        let size = PageSize::parse(size).expect("a size");
        let mut request = PageRequest { size, ..PageRequest::default() };
        let mut seen = Vec::new();
        for _ in 0..9 {
            let page = self.store.list(self.owner, &ListFilter::default(), &request).await;
            let page = page.expect("it is listed");
            seen.extend(page.items.iter().map(|item| item.parts().id));
            request.after = page.next;
            if page.next.is_none() {
                return seen;
            }
        }
        panic!("the list has no end");
    }

    async fn tick(&self) -> TickReport {
        self.store.tick(9).await.expect("the housekeeping is done")
    }

    /// Whose submissions are looked for at their engine.
    async fn looked_for(&self) -> Vec<TranscriptionId> {
        let engine = strings(self.store.connection(), "SELECT engine FROM transcriptions").await;
        let since = self.clock.now() - TimeDelta::hours(1);
        let found = self.store.unresolved(&engine[0], since, 9).await.expect("they are told");
        found.into_iter().map(|submission| submission.job).collect()
    }

    /// The spoilt job is gone, and whoever can read its transcription sees that it failed.
    async fn assert_given_up(&self, how: &str) {
        let ids = [self.spoilt, self.sound];
        assert_eq!(self.store.living(&ids).await.expect("looked up"), [self.sound], "{how}");
        let sql = format!(
            "SELECT status || ' ' || coalesce(failure_code, '-') FROM transcriptions \
             WHERE id = x'{}'",
            self.spoilt.as_uuid().simple()
        );
        let seen = strings(self.store.connection(), &sql).await;
        let ended = if how.contains("canceled") { "canceled -" } else { "failed internal_error" };
        assert_eq!(seen, [ended], "{how}");
        let sql = "SELECT state FROM provider_submissions WHERE state = 'accepted'";
        assert!(strings(self.store.connection(), sql).await.len() < 2, "{how}");
    }

    fn given_up(&self) -> [(TranscriptionId, FailureCode); 1] {
        [(self.spoilt, FailureCode::Internal)]
    }
}

fn name(id: SubmissionId) -> (SubmissionId, String) {
    (id, format!("provider-{id}"))
}

#[tokio::test]
async fn a_spoilt_job_does_not_keep_another_from_being_claimed() {
    for how in JOB.into_iter().chain(TRANSCRIPTION) {
        let scene = Scene::new().await;
        // Its work has begun, so that it can be canceled behind its job's back.
        let Claimed { lease, .. } = scene.claim(1).await.remove(0);
        let release = scene.store.commit(&lease, Step::Release, StepEffects::default());
        release.await.expect("it is handed back");
        scene.spoil(how).await;
        let claimed = scene.claim(1).await;
        let ids: Vec<_> = claimed.iter().map(|claimed| claimed.lease.job).collect();
        assert_eq!(ids, [scene.sound], "{how}");
        scene.assert_given_up(how).await;
    }
}

#[tokio::test]
async fn a_spoilt_job_does_not_keep_another_from_being_asked_about() {
    for how in JOB.into_iter().chain(TRANSCRIPTION).chain(SUBMISSION) {
        let scene = Scene::new().await;
        scene.submit().await;
        scene.spoil(how).await;
        let hold = Duration::from_secs(30);
        let first = scene.store.due_polls(1, hold).await.expect("handed out");
        assert!(first.iter().all(|poll| poll.job.parts().id == scene.sound), "{how}");
        let second = scene.store.due_polls(1, hold).await.expect("handed out");
        let ids: Vec<_> = first.iter().chain(&second).map(|poll| poll.job.parts().id).collect();
        assert_eq!(ids, [scene.sound], "{how}");
        scene.assert_given_up(how).await;
        let copies = strings(scene.store.connection(), "SELECT provider_id FROM erasures").await;
        let known = how != SUBMISSION[2];
        assert_eq!(copies.len(), usize::from(known), "what is given up is erased: {how}");
        let next = scene.tick().await.next_due.expect("the sound one is due again");
        assert!(next > scene.clock.now(), "nothing is overdue: {how}");
    }
}

#[tokio::test]
async fn a_spoilt_job_whose_holder_died_does_not_keep_another_from_being_reaped() {
    for how in JOB.into_iter().chain(TRANSCRIPTION) {
        let scene = Scene::new().await;
        scene.claim_both().await;
        scene.spoil(how).await;
        scene.clock.advance(TimeDelta::minutes(2));
        let report = scene.tick().await;
        assert_eq!((report.reaped, report.crashed_out), (1, 0), "{how}");
        assert_eq!(report.ended, scene.given_up(), "{how}");
        scene.assert_given_up(how).await;
    }
}

#[tokio::test]
async fn a_spoilt_job_does_not_keep_another_from_being_promoted() {
    for how in JOB {
        let scene = Scene::new().await;
        let run_at = scene.clock.now() + TimeDelta::seconds(9);
        for claimed in scene.claim_both().await {
            let failure = Failure::new(FailureCode::SourceUnreachable, Stage::Fetching);
            let retry = Step::Retry { failure, run_at };
            let done = scene.store.commit(&claimed.lease, retry, StepEffects::default());
            done.await.expect("it is tried again");
        }
        scene.spoil(how).await;
        scene.clock.advance(TimeDelta::seconds(9));
        let report = scene.tick().await;
        assert_eq!((report.promoted, report.next_due), (1, None), "{how}");
        assert_eq!(report.ended, scene.given_up(), "{how}");
        scene.assert_given_up(how).await;
    }
}

#[tokio::test]
async fn a_spoilt_job_does_not_keep_another_from_being_given_up_in_time() {
    for how in JOB.into_iter().chain(TRANSCRIPTION) {
        let scene = Scene::new().await;
        scene.submit().await;
        scene.spoil(how).await;
        scene.clock.advance(Job::AWAIT + TimeDelta::seconds(9));
        let mut report = scene.tick().await;
        assert_eq!(report.expired, 1, "{how}");
        report.ended.sort_by_key(|(id, _)| *id);
        let late = (scene.sound, FailureCode::ProviderTimeout);
        assert_eq!(report.ended, [scene.given_up()[0], late], "{how}");
        let sql = "SELECT state FROM provider_submissions";
        let submissions = strings(scene.store.connection(), sql).await;
        assert_eq!(submissions, ["error", "error"], "neither is waited for: {how}");
    }
}

#[tokio::test]
async fn a_spoilt_job_gives_its_open_submission_up() {
    for how in JOB.into_iter().chain(TRANSCRIPTION) {
        let scene = Scene::new().await;
        for Claimed { lease, .. } in scene.claim_both().await {
            scene.store.intend(&lease, a_submission()).await.expect("noted");
        }
        scene.spoil(how).await;
        scene.clock.advance(TimeDelta::minutes(2));
        scene.tick().await;
        scene.assert_given_up(how).await;
        assert_eq!(scene.looked_for().await, [scene.spoilt], "{how}");
    }
}

#[tokio::test]
async fn a_spoilt_submission_does_not_keep_another_from_being_looked_for() {
    for how in [SUBMISSION[0], SUBMISSION[1]] {
        let scene = Scene::new().await;
        for Claimed { lease, .. } in scene.claim_both().await {
            scene.store.intend(&lease, a_submission()).await.expect("noted");
            let failure = Failure::new(FailureCode::SubmissionUnknown, Stage::Submitting);
            let end = scene.store.commit(&lease, Step::Fail(failure), StepEffects::default());
            end.await.expect("it ends");
        }
        assert_eq!(scene.looked_for().await.len(), 2);
        scene.spoil(how).await;
        assert_eq!(scene.looked_for().await, [scene.sound], "{how}");
    }
}

#[tokio::test]
async fn an_instant_that_is_none_does_not_stop_the_housekeeping() {
    let scene = Scene::new().await;
    scene.submit().await;
    scene.spoil("UPDATE jobs SET run_at = 'at once' WHERE id = ?").await;
    let sql = "DELETE FROM jobs WHERE run_at <> 'at once'";
    scene.store.connection().execute_unprepared(sql).await.expect("it is the only one left");
    let report = scene.tick().await;
    assert_eq!((report.next_due, &report.ended[..]), (None, &scene.given_up()[..]));
}

#[tokio::test]
async fn a_spoilt_transcription_hides_no_other_from_its_owner_and_can_be_deleted() {
    let unreadable = [
        TRANSCRIPTION[0],
        TRANSCRIPTION[1],
        "UPDATE transcriptions SET created_at = 'once' WHERE id = ?",
        "UPDATE transcriptions SET created_at = '' WHERE id = ?",
        "UPDATE transcriptions SET created_at = created_at || 'x' WHERE id = ?",
    ];
    for how in unreadable {
        let scene = Scene::new().await;
        let mut others = Vec::new();
        for seconds in [1, -1, -2] {
            let at = scene.clock.now() + TimeDelta::seconds(seconds);
            let other = a_transcription(scene.owner, at);
            scene.store.enqueue(&other).await.expect("it is queued");
            others.push(other.parts().id);
        }
        scene.spoil(how).await;
        for size in 1..=4 {
            assert_eq!(scene.listed(size).await, others, "pages of {size}: {how}");
        }

        let stranger = a_user(scene.clock.now()).parts().id;
        let refused = scene.store.delete(stranger, scene.spoilt).await;
        assert!(!refused.expect("it is looked up"), "it is not the stranger's: {how}");
        assert!(scene.store.delete(scene.owner, scene.spoilt).await.expect("deleted"), "{how}");
        let sql = "SELECT CAST(count(*) AS TEXT) FROM transcriptions WHERE user_id = ";
        let sql = format!("{sql}x'{}'", scene.owner.as_uuid().simple());
        assert_eq!(strings(scene.store.connection(), &sql).await, ["3"], "{how}");
        let living = scene.store.living(&[scene.spoilt]).await;
        assert_eq!(living.expect("looked up"), [], "its job went with it: {how}");
    }
}

#[tokio::test]
async fn a_job_whose_rows_are_spoilt_can_be_called_off_and_deleted() {
    for how in JOB.into_iter().chain([SUBMISSION[0], SUBMISSION[1]]) {
        for delete in [false, true] {
            let scene = Scene::new().await;
            scene.submit().await;
            scene.spoil(how).await;
            let (store, owner, id) = (&scene.store, scene.owner, scene.spoilt);
            if delete {
                assert!(store.delete(owner, id).await.expect("it is deleted"), "{how}");
            } else {
                let outcome = store.cancel(owner, id).await.expect("it is called off");
                let Some(CancelOutcome::Canceled(canceled)) = outcome else { panic!("{how}") };
                assert_eq!(canceled.status(), Status::Canceled, "{how}");
            }
            let living = store.living(&[id, scene.sound]).await.expect("looked up");
            assert_eq!(living, [scene.sound], "{how}");
            let copies = strings(store.connection(), "SELECT provider_id FROM erasures").await;
            assert_eq!(copies.len(), 1, "the engine's copy is to be erased: {how}");
        }
    }
}

#[tokio::test]
async fn a_pause_for_a_reason_that_nobody_knows_lasts_as_long_as_it_says() {
    let (store, clock, _directory) = fresh().await;
    let until = clock.now() + TimeDelta::minutes(9);
    let code = FailureCode::ProviderPaymentRequired;
    store.pause("engine", code, until).await.expect("it is stopped");
    let sql = "UPDATE engine_pauses SET code = 'of_another_version'";
    store.connection().execute_unprepared(sql).await.expect("it is spoilt");
    let pause = store.paused("engine").await.expect("it is told").expect("it lasts");
    assert_eq!((pause.code, pause.until), (FailureCode::ProviderAuth, until));
    store.resume("engine").await.expect("it is lifted");
    assert_eq!(store.paused("engine").await.expect("it is told"), None);
}
