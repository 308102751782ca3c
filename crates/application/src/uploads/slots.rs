//! How many uploads a user has under way in this process: each takes memory and room on the disk
//! before any quota knows of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::UserId;

type Counts = Mutex<HashMap<UserId, u32>>;

pub(super) struct Slots {
    at_once: u32,
    taken: Arc<Counts>,
}

/// One upload, until it is dropped.
pub(super) struct Slot {
    owner: UserId,
    taken: Arc<Counts>,
}

impl Slots {
    pub(super) fn new(at_once: u32) -> Self {
        Self { at_once, taken: Arc::default() }
    }

    /// A slot for one more upload of `owner`, if there is one.
    pub(super) fn take(&self, owner: UserId) -> Option<Slot> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(owner).or_default();
        if *count >= self.at_once {
            return None;
        }
        *count += 1;
        Some(Slot { owner, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.owner) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                taken.remove(&self.owner);
            }
        }
    }
}

fn lock(taken: &Counts) -> MutexGuard<'_, HashMap<UserId, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use domain::UserId;
    use uuid::Uuid;

    use super::{Slots, lock};

    #[test]
    fn a_user_has_so_many_at_once_and_others_do_not_matter() {
        let (one, other) = (UserId::from_uuid(Uuid::from_u128(1)), UserId::from_uuid(Uuid::nil()));
        let slots = Slots::new(2);
        let (first, second) = (slots.take(one), slots.take(one));
        assert!(first.is_some() && second.is_some() && slots.take(one).is_none());
        assert!(slots.take(other).is_some());
        drop(first);
        let third = slots.take(one);
        assert!(third.is_some() && slots.take(one).is_none());
        drop((second, third));
        assert!(lock(&slots.taken).is_empty(), "nobody is remembered");
    }
}
