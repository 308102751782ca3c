//! Calling off, deleting, and what is to be erased at the engines.

use application::ports::{CancelOutcome, Erasure, PortFailure};
use chrono::{DateTime, Utc};
use domain::{Status, TranscriptionId, UserId};

use super::state::{State, at_most, refused};

impl State {
    pub(super) fn cancel(
        &mut self,
        owner: UserId,
        id: TranscriptionId,
        now: DateTime<Utc>,
    ) -> Result<Option<CancelOutcome>, PortFailure> {
        let Some(found) = self.owned(owner, id) else {
            return Ok(None);
        };
        match found.status() {
            Status::Canceled => {
                return Ok(Some(CancelOutcome::Canceled(Box::new(found.clone()))));
            }
            ended @ (Status::Completed | Status::Failed) => {
                return Ok(Some(CancelOutcome::Ended(ended)));
            }
            Status::Pending | Status::Processing => {}
        }
        let mut canceled = found.clone();
        canceled.cancel(now).map_err(refused("jobs.cancel"))?;
        self.end_submissions(id, now);
        self.jobs.remove(&id);
        self.transcriptions.insert(id, canceled.clone());
        Ok(Some(CancelOutcome::Canceled(Box::new(canceled))))
    }

    pub(super) fn delete(
        &mut self,
        owner: UserId,
        id: TranscriptionId,
        now: DateTime<Utc>,
    ) -> bool {
        if self.owned(owner, id).is_none() {
            return false;
        }
        self.forget_submissions(id, now);
        self.jobs.remove(&id);
        self.transcripts.remove(&id);
        self.transcriptions.remove(&id);
        true
    }

    /// Puts a copy down for erasure, due at once; one that is on the list already stays as it is.
    pub(super) fn put_down(&mut self, engine: &str, provider_id: &str, now: DateTime<Utc>) {
        let listed = |e: &Erasure| e.engine == engine && e.provider_id == provider_id;
        if self.erasures.iter().any(|(_, erasure)| listed(erasure)) {
            return;
        }
        self.erasures_made += 1;
        let erasure = Erasure {
            id: uuid::Uuid::from_u128(self.erasures_made.into()),
            engine: engine.to_owned(),
            provider_id: provider_id.to_owned(),
            attempts: 0,
        };
        self.erasures.push((now, erasure));
    }

    /// Hands out what is due; `attempts` counts the times that it was handed out before.
    pub(super) fn due_erasures(
        &mut self,
        engine: &str,
        limit: u32,
        held_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Vec<Erasure> {
        let is_due = |at: DateTime<Utc>, erasure: &Erasure| at <= now && erasure.engine == engine;
        let mut due: Vec<_> =
            self.erasures.iter_mut().filter(|(at, erasure)| is_due(*at, erasure)).collect();
        due.sort_by_key(|(at, erasure)| (*at, erasure.id));
        let mut handed_out = Vec::new();
        for (at, erasure) in due.into_iter().take(at_most(limit)) {
            handed_out.push(erasure.clone());
            *at = held_until;
            erasure.attempts += 1;
        }
        handed_out
    }
}
