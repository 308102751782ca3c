//! What one task of a process does to the jobs, as it comes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use application::ports::{
    ClaimRequest, Claimed, Clock as _, CommitError, EnqueueError, IntentError, JobStore,
    PortFailure, StepEffects,
};
use chrono::TimeDelta;
use domain::{
    CompletedFacts, Failure, FailureCode, PollStep, SourceFacts, Stage, Step, SubmissionState,
    Upload, WorkerId,
};
use infrastructure::{persistence::Store, system::SystemClock};
use testkit::contract::{a_submission, a_transcript, a_transcription};

use super::{Known, known};

/// So few that all meet all the time.
const JOBS: usize = 8;
/// So short that leases end while they are used.
const LEASE: Duration = Duration::from_millis(60);
/// The engine of the samples.
const ENGINE: &str = "contract";

/// One pair of hands of a process.
pub(super) struct Hand {
    store: Arc<Store>,
    known: Arc<Mutex<Known>>,
    worker: WorkerId,
    /// A generator of numbers that look random (xorshift).
    state: u64,
}

/// A machine that is too busy lets calls wait for too long. Nothing else that happens here is a
/// reason for one to fail, and least of all that it waited in a circle.
fn excused(failure: &PortFailure) {
    let told = format!("{failure:?}");
    assert!(failure.is_transient() && !told.contains("40P01"), "{told}");
}

/// What the call did, if it did anything.
fn done<T: Default>(result: Result<T, PortFailure>) -> T {
    result.unwrap_or_else(|failure| {
        excused(&failure);
        T::default()
    })
}

/// Whether the step was taken; somebody else may have taken the job away.
fn taken<T>(result: Result<T, CommitError>) -> bool {
    match result {
        Ok(_) => true,
        Err(CommitError::LeaseLost) => false,
        Err(CommitError::Failed(failure)) => {
            excused(&failure);
            false
        }
    }
}

fn a_failure() -> Failure {
    Failure::new(FailureCode::SourceUnreachable, Stage::Fetching)
}

impl Hand {
    pub(super) fn new(
        store: Arc<Store>,
        known: Arc<Mutex<Known>>,
        worker: WorkerId,
        seed: u64,
    ) -> Self {
        Self { store, known, worker, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    fn number(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).expect("31 bits") % below.max(1)
    }

    fn one<T: Copy>(&mut self, of: impl FnOnce(&Known) -> &Vec<T>) -> Option<T> {
        let picked = self.number(usize::MAX >> 40);
        let known = known(&self.known);
        let all = of(&known);
        all.get(picked % all.len().max(1)).copied()
    }

    pub(super) async fn work(mut self, calls: u32) {
        for _ in 0..calls {
            match self.number(12) {
                0..5 => self.claim().await,
                5 => self.poll().await,
                6 | 7 => {
                    done(self.store.tick(5).await);
                }
                8 => self.call_off().await,
                9 => self.hear().await,
                10 => self.resolve().await,
                _ => self.erase().await,
            }
            self.ask().await;
        }
    }

    /// Keeps a few jobs alive.
    async fn ask(&mut self) {
        let ids: Vec<_> = known(&self.known).jobs.iter().map(|(_, id)| *id).collect();
        let living = done(self.store.living(&ids).await);
        known(&self.known).jobs.retain(|(_, id)| living.contains(id) || !ids.contains(id));
        if living.len() < JOBS
            && let Some(owner) = self.one(|known| &known.owners)
        {
            let wanted = a_transcription(owner, SystemClock.now());
            match self.store.enqueue(&wanted).await {
                Ok(()) => known(&self.known).jobs.push((owner, wanted.parts().id)),
                Err(EnqueueError::Failed(failure)) => excused(&failure),
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    async fn claim(&mut self) {
        let request = ClaimRequest {
            worker: self.worker,
            slots: 2,
            lease: LEASE,
            per_owner: 3,
            provider_cap: Some(6),
        };
        for claimed in done(self.store.claim(&request).await) {
            let lease = (claimed.lease.job, claimed.lease.epoch);
            assert!(known(&self.known).claimed.insert(lease), "{lease:?} was handed out twice");
            self.go_on(&claimed).await;
        }
    }

    /// Takes some of the steps that are next, or dies.
    async fn go_on(&mut self, claimed: &Claimed) {
        let lease = &claimed.lease;
        let nothing = StepEffects::default;
        if self.number(4) == 0 {
            done(self.store.heartbeat(self.worker, &[(lease.job, lease.epoch)], LEASE).await);
        }
        let run_at = SystemClock.now();
        let step = match self.number(10) {
            0 => return,
            1 => Step::Release,
            2 => Step::Retry { failure: a_failure(), run_at },
            3 => Step::Fail(a_failure()),
            _ if claimed.job.parts().stage == Stage::Storing => {
                return self.complete(claimed).await;
            }
            _ => return self.submit(claimed).await,
        };
        taken(self.store.commit(lease, step, nothing()).await);
    }

    async fn complete(&self, claimed: &Claimed) {
        let transcript = a_transcript();
        let facts = CompletedFacts {
            language_detected: transcript.language.clone(),
            confidence: transcript.confidence,
            duration_ms: transcript.duration_ms,
        };
        let effects =
            StepEffects { transcript: Some(transcript), erase: true, ..StepEffects::default() };
        taken(self.store.commit(&claimed.lease, Step::Complete(facts), effects).await);
    }

    async fn submit(&mut self, claimed: &Claimed) {
        let lease = &claimed.lease;
        if claimed.job.parts().stage <= Stage::Uploading {
            let upload =
                Upload { url: "https://upload.example.com/1".to_owned(), at: SystemClock.now() };
            for step in [Step::Fetched(SourceFacts::default()), Step::Uploaded(Some(upload))] {
                let progress = self.store.progress(lease, 0.5).await;
                if !taken(progress)
                    || !taken(self.store.commit(lease, step, StepEffects::default()).await)
                {
                    return;
                }
            }
        }
        let new = a_submission();
        let callback = new.callback.expect("it has one");
        let open = match self.store.intend(lease, new).await {
            Ok(open) => open.id,
            Err(IntentError::LeaseLost) => return,
            Err(IntentError::AlreadyOpen) => claimed.submission.as_ref().expect("it is open").id,
            Err(IntentError::Failed(failure)) => return excused(&failure),
        };
        known(&self.known).submissions.push((open, callback));
        let accepted = Some((open, format!("provider-{open}")));
        let run_at = SystemClock.now();
        let (step, effects) = match self.number(4) {
            0 => (
                Step::Snooze { failure: a_failure(), run_at },
                StepEffects { abandoned: Some(open), ..StepEffects::default() },
            ),
            1 => (Step::Snooze { failure: a_failure(), run_at }, StepEffects::default()),
            _ => (
                Step::Submitted { check_at: run_at },
                StepEffects { accepted, ..StepEffects::default() },
            ),
        };
        let waits = matches!(step, Step::Submitted { .. });
        if taken(self.store.commit(lease, step, effects).await) && waits {
            known(&self.known).waiting.push((lease.job, lease.epoch));
        }
    }

    async fn poll(&mut self) {
        let due = done(self.store.due_polls(3, LEASE).await);
        let mut due: Vec<_> =
            due.iter().map(|due| (due.job.parts().id, due.job.parts().epoch)).collect();
        // And one that another may be asked about at the same time.
        due.extend(self.one(|known| &known.waiting));
        for (job, epoch) in due {
            let run_at = SystemClock.now();
            let step = match self.number(6) {
                0 => PollStep::Pending { check_at: run_at },
                1 => PollStep::Resubmit { failure: a_failure(), run_at },
                2 => PollStep::Fail(a_failure()),
                _ => PollStep::Finished,
            };
            taken(self.store.settle(job, epoch, step).await);
        }
    }

    async fn call_off(&mut self) {
        let Some((owner, job)) = self.one(|known| &known.jobs) else { return };
        if self.number(2) == 0 {
            done(self.store.cancel(owner, job).await);
        } else {
            done(self.store.delete(owner, job).await);
        }
    }

    async fn hear(&mut self) {
        let Some((_, callback)) = self.one(|known| &known.submissions) else { return };
        done(self.store.hear(&callback, Some("a name")).await);
    }

    async fn resolve(&mut self) {
        let since = SystemClock.now() - TimeDelta::hours(1);
        let lost = done(self.store.unresolved(ENGINE, since, 4).await);
        assert!(lost.iter().all(|lost| lost.state == SubmissionState::Abandoned));
        let lost = lost.into_iter().map(|lost| lost.id).collect::<Vec<_>>();
        let any = self.one(|known| &known.submissions).map(|(id, _)| id);
        for id in lost.into_iter().chain(any) {
            let name = format!("provider-{id}{}", ["", "-again"][self.number(8) / 7]);
            if let Err(failure) = self.store.resolve(id, ENGINE, &name).await {
                excused(&failure);
            }
        }
    }

    async fn erase(&self) {
        for erasure in done(self.store.due_erasures(ENGINE, 3, LEASE).await) {
            done(self.store.erased(erasure.id).await);
        }
    }
}
