//! A thousand callbacks, most of them wrong, change nothing about how jobs end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{
    moody::{Moody, Secret},
    path,
};
use crate::app::{MEDIA, PASSWORD, TestApp};

const MAIL: &str = "a@example.com";
const JOBS: usize = 42;
const CALLBACKS: usize = 1_000;
/// While jobs live; the rest comes late.
const CALLBACKS_A_STEP: usize = 3;

/// How everything ended.
#[derive(Debug, PartialEq)]
struct End {
    /// What the user sees of each job, but for instants.
    jobs: Vec<Value>,
    /// Under which names the engine accepted jobs, and whether it has erased them.
    ledger: BTreeMap<String, bool>,
    duplicates: u64,
    erasures: usize,
}

/// How often each kind of callback was sent.
type Counts = BTreeMap<&'static str, usize>;

struct World {
    app: TestApp,
    speech: Arc<Moody>,
    ids: Vec<String>,
}

impl World {
    async fn new() -> Self {
        let builder = TestApp::builder();
        let speech = Arc::new(Moody::new(builder.fakes.clock.clone()));
        let app = builder.with(|adapters, _| adapters.speech = speech.clone()).start();
        let user = app.token(MAIL).await;
        let mut ids = Vec::new();
        for mark in 0..JOBS {
            let body = json!({ "video_url": MEDIA, "keyterms": [mark.to_string()] });
            let created = app.post("/api/transcription", &user, &body).await;
            ids.push(created.json()["id"].as_str().unwrap().to_owned());
        }
        Self { app, speech, ids }
    }

    async fn step(&self) {
        self.app.advance(10);
        self.app.run_pending_jobs().await;
    }

    fn is_over(&self) -> bool {
        self.app.fakes.store.jobs().is_empty()
    }

    async fn end(&self) -> End {
        self.app.advance(3_600);
        while self.app.engine().erase().await.unwrap() > 0 {}
        self.app.engine().reconcile_orphans().await.unwrap();
        // The first token is too old by now.
        let user = self.app.login(MAIL, PASSWORD).await.ok()["access_token"].clone();
        let mut jobs = Vec::new();
        for id in &self.ids {
            let mut job = self.app.transcription(user.as_str().unwrap(), id).await;
            for changing in ["id", "user_id", "links", "updated_at", "started_at", "completed_at"] {
                job.as_object_mut().unwrap().remove(changing);
            }
            jobs.push(job);
        }
        let ledger = self.speech.ledger().into_iter().map(|job| (job.provider_id, job.erased));
        End {
            jobs,
            ledger: ledger.collect(),
            duplicates: self.app.adapters.jobs.duplicates().await.unwrap(),
            erasures: self.app.fakes.store.erasures().len(),
        }
    }

    async fn call(&self, token: &str, name: &str) -> u16 {
        let body = json!({ "transcript_id": name, "status": "completed" });
        self.app.post(&path(token), "", &body).await.status
    }

    /// One callback, of a kind that follows from `n`.
    async fn disturb(&self, n: usize, counts: &mut Counts) {
        let secrets = self.speech.secrets();
        let pick = |n: usize| secrets.get(n.wrapping_mul(2_654_435_761) % secrets.len().max(1));
        let (Some(one), Some(other)) = (pick(n), pick(n / 3 + 1)) else { return };
        let (kind, status, expected) = match n % 5 {
            0 => ("forged", self.call(&format!("{n:064x}"), &one.provider_id).await, 404),
            1 => ("replayed", self.call(&one.token, &one.provider_id).await, 204),
            2 => ("of a swapped job", self.call(&one.token, &other.provider_id).await, 204),
            3 => {
                self.call(&one.token, &one.provider_id).await;
                *counts.entry("duplicate").or_default() += 1;
                ("duplicate", self.call(&one.token, &one.provider_id).await, 204)
            }
            _ => ("of nobody's job", self.call(&one.token, "job-0-0").await, 204),
        };
        assert_eq!(status, expected, "{kind}");
        *counts.entry(kind).or_default() += 1;
    }

    /// Calls back before the engine has answered, with the right name, or with that of another.
    fn call_early(&self, early: &Arc<AtomicUsize>) {
        let (client, early) = (reqwest::Client::builder().no_proxy(), Arc::clone(early));
        let client = client.tls_certs_only([]).build().unwrap();
        let address = self.app.address();
        self.speech.before_answers(Box::new(move |secret: Secret| {
            let n = early.fetch_add(1, Ordering::Relaxed);
            let name = if n.is_multiple_of(2) { secret.provider_id } else { "job-1-1".to_owned() };
            let body = json!({ "transcript_id": name, "status": "completed" }).to_string();
            let request = client.post(format!("http://{address}{}", path(&secret.token)));
            async move {
                let answer = request.body(body).send().await.unwrap();
                assert_eq!(answer.status(), 204);
            }
            .boxed()
        }));
    }
}

async fn quiet() -> End {
    let world = World::new().await;
    for _ in 0..1_000 {
        if world.is_over() {
            return world.end().await;
        }
        world.step().await;
    }
    panic!("jobs are left: {:?}", world.app.fakes.store.jobs());
}

async fn stormy() -> (End, Counts) {
    let (world, mut counts) = (World::new().await, Counts::new());
    let early = Arc::new(AtomicUsize::new(0));
    world.call_early(&early);
    let sent = |counts: &Counts| counts.values().sum::<usize>() + early.load(Ordering::Relaxed);
    let mut n = 0;
    for _ in 0..1_000 {
        if world.is_over() {
            break;
        }
        world.step().await;
        for _ in 0..CALLBACKS_A_STEP {
            n += 1;
            world.disturb(n, &mut counts).await;
        }
    }
    assert!(world.is_over(), "jobs are left: {:?}", world.app.fakes.store.jobs());
    let alive = sent(&counts);
    while sent(&counts) < CALLBACKS {
        n += 1;
        world.disturb(n, &mut counts).await;
        world.app.run_pending_jobs().await;
    }
    counts.insert("early", early.load(Ordering::Relaxed));
    counts.insert("late, of whichever kind", sent(&counts) - alive);
    (world.end().await, counts)
}

#[tokio::test]
async fn a_thousand_callbacks_leave_everything_as_polling_alone_does() {
    let expected = quiet().await;
    let (end, counts) = stormy().await;
    println!("callbacks: {counts:?}");
    assert!(counts.len() == 7 && counts.values().all(|count| *count > 20), "{counts:?}");
    assert_eq!(end, expected);
    let status = |status: &str| end.jobs.iter().filter(|job| job["status"] == status).count();
    assert_eq!((status("completed"), status("failed")), (JOBS * 6 / 7, JOBS / 7));
    assert_eq!((end.duplicates, end.erasures), (0, 0));
    // Those that failed once were accepted twice, which is not paid for twice.
    assert_eq!(end.ledger.len(), JOBS * 8 / 7);
    assert!(end.ledger.values().all(|erased| *erased), "{:?}", end.ledger);
}
