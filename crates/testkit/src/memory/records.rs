//! Accounts, and what a user sees of transcriptions.

use std::cmp::Reverse;

use application::ports::{
    Found, InsertUserError, PortFailure, TitledTranscript, TranscriptionRepository, UserRepository,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    Cursor, Email, ListFilter, Page, PageRequest, PasswordDigest, Transcription, TranscriptionId,
    User, UserId, UserParts,
};

use super::{InMemoryStore, state::State};

#[async_trait]
impl UserRepository for InMemoryStore {
    async fn insert(&self, user: &User) -> Result<(), InsertUserError> {
        let mut state = self.lock();
        if state.user_of(&user.parts().email).is_some() {
            return Err(InsertUserError::EmailTaken);
        }
        if state.users.contains_key(&user.parts().id) {
            return Err(PortFailure::permanent("users.insert", "the identifier is taken").into());
        }
        state.users.insert(user.parts().id, user.clone());
        Ok(())
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure> {
        Ok(self.lock().users.get(&id).cloned())
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortFailure> {
        Ok(self.lock().user_of(email).cloned())
    }

    async fn replace_password(
        &self,
        id: UserId,
        old: &PasswordDigest,
        new: &PasswordDigest,
    ) -> Result<(), PortFailure> {
        let now = self.clock.now();
        if let Some(user) = self.lock().users.get_mut(&id).filter(|u| u.parts().password == *old) {
            let parts =
                UserParts { password: new.clone(), updated_at: now, ..user.parts().clone() };
            *user = User::restore(parts);
        }
        Ok(())
    }
}

#[async_trait]
impl TranscriptionRepository for InMemoryStore {
    async fn find(&self, owner: UserId, id: TranscriptionId) -> Result<Option<Found>, PortFailure> {
        let state = self.lock();
        Ok(state.owned(owner, id).map(|transcription| Found {
            transcription: transcription.clone(),
            text: state.transcripts.get(&id).map(|transcript| transcript.text.clone()),
        }))
    }

    async fn transcript(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<TitledTranscript>, PortFailure> {
        let state = self.lock();
        let found = state.owned(owner, id).zip(state.transcripts.get(&id));
        Ok(found.map(|(transcription, transcript)| TitledTranscript {
            title: transcription.parts().facts.title.clone(),
            transcript: transcript.clone(),
        }))
    }

    async fn list(
        &self,
        owner: UserId,
        filter: &ListFilter,
        page: &PageRequest,
    ) -> Result<Page<Transcription>, PortFailure> {
        let state = self.lock();
        let mut matching: Vec<&Transcription> = state.matching(owner, filter).collect();
        matching.sort_unstable_by_key(|t| Reverse(place(t)));
        let skip = usize::try_from(page.skip).unwrap_or(usize::MAX);
        let size = usize::from(page.size.get());
        let mut rest = matching
            .into_iter()
            .filter(|t| page.after.is_none_or(|after| place(t) < (after.created_at, after.id)))
            .skip(skip);
        let items: Vec<Transcription> = rest.by_ref().take(size).cloned().collect();
        let next = rest.next().and_then(|_| items.last()).map(|last| {
            let (created_at, id) = place(last);
            Cursor { created_at, id }
        });
        Ok(Page { items, next })
    }

    async fn count(&self, owner: UserId, filter: &ListFilter) -> Result<u64, PortFailure> {
        let count = self.lock().matching(owner, filter).count();
        u64::try_from(count).map_err(|error| PortFailure::permanent("transcriptions.count", error))
    }
}

impl State {
    fn user_of(&self, email: &Email) -> Option<&User> {
        self.users.values().find(|user| user.parts().email == *email)
    }

    pub(super) fn owned(&self, owner: UserId, id: TranscriptionId) -> Option<&Transcription> {
        self.transcriptions.get(&id).filter(|t| t.parts().owner == owner)
    }

    fn matching(&self, owner: UserId, filter: &ListFilter) -> impl Iterator<Item = &Transcription> {
        self.transcriptions.values().filter(move |transcription| {
            let parts = transcription.parts();
            parts.owner == owner
                && filter.status.is_none_or(|status| transcription.status() == status)
                && filter.created_after.is_none_or(|after| parts.created_at > after)
                && filter.created_before.is_none_or(|before| parts.created_at < before)
        })
    }
}

/// Where a transcription stands in a list.
fn place(transcription: &Transcription) -> (DateTime<Utc>, TranscriptionId) {
    (transcription.parts().created_at, transcription.parts().id)
}
