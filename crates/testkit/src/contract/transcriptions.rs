//! What every [`TranscriptionRepository`](application::ports::TranscriptionRepository) must do.

use chrono::TimeDelta;
use domain::{
    Cursor, ListFilter, Page, PageRequest, PageSize, Status, Transcription, TranscriptionId, UserId,
};

use super::{Stores, a_transcript};

/// Another's transcription is absent, in every query.
pub async fn another_owner_sees_nothing(stores: &Stores) {
    let stranger = stores.owner().await;
    let (waiting, _) = stores.a_waiting_job().await;
    stores.complete(&waiting.lease).await;
    let id = waiting.lease.job;
    let repository = &stores.transcriptions;
    assert_eq!(repository.find(stranger, id).await.expect("it is read"), None);
    assert_eq!(repository.transcript(stranger, id).await.expect("it is read"), None);
    assert!(list(stores, stranger, &PageRequest::default()).await.items.is_empty());
    let all = ListFilter::default();
    assert_eq!(repository.count(stranger, &all).await.expect("they are counted"), 0);
    let owner = waiting.transcription.parts().owner;
    assert_eq!(repository.count(owner, &all).await.expect("they are counted"), 1);
}

/// Text and transcript are absent until the job has completed.
pub async fn a_text_is_there_once_it_is_completed(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    let (owner, id) = (waiting.transcription.parts().owner, waiting.lease.job);
    let repository = &stores.transcriptions;
    let before = repository.find(owner, id).await.expect("it is read").expect("it is there");
    assert_eq!(before.text, None);
    assert_eq!(repository.transcript(owner, id).await.expect("it is read"), None);
    stores.complete(&waiting.lease).await;
    let after = repository.find(owner, id).await.expect("it is read").expect("it is there");
    assert_eq!(after.text, Some(a_transcript().text));
    let read = repository.transcript(owner, id).await.expect("it is read").expect("it is there");
    assert_eq!(read.transcript, a_transcript());
    assert!(read.title.is_some());
    assert_eq!(read.title, after.transcription.parts().facts.title);
}

/// Newest first, however fine the difference, and by identifier within one instant.
pub async fn a_list_is_newest_first(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = crowd(stores, owner).await;
    let page = PageRequest { size: size(100), ..PageRequest::default() };
    let listed = list(stores, owner, &page).await.items;
    assert_eq!(ids(&listed), newest_first(&queued));
    let mut expected = queued;
    expected.sort_by_key(|t| (t.parts().created_at, t.parts().id));
    expected.reverse();
    assert_eq!(listed, expected, "items read back equal");
}

/// Following the cursors shows every item once, also while newer ones come.
pub async fn pages_meet_without_gap_or_overlap(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = crowd(stores, owner).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { after, size: size(4), ..PageRequest::default() };
        let Page { items, next } = list(stores, owner, &page).await;
        assert!(items.len() <= 4);
        seen.extend(ids(&items));
        stores.clock.advance(TimeDelta::microseconds(1));
        stores.queued(owner).await;
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, newest_first(&queued));
}

/// A cursor is given only where something follows, and it is the place of the last item.
pub async fn the_last_page_has_no_next(stores: &Stores) {
    let owner = stores.owner().await;
    stores.queue(owner, 4).await;
    for (asked, more) in [(3, true), (4, false), (5, false)] {
        let page = PageRequest { size: size(asked), ..PageRequest::default() };
        let Page { items, next } = list(stores, owner, &page).await;
        let last = items.last().map(Transcription::parts).expect("there are items");
        let place = Cursor { created_at: last.created_at, id: last.id };
        assert_eq!(next, more.then_some(place), "{asked} of 4");
    }
}

/// Items can be passed over, from the cursor on; too many leave nothing.
pub async fn items_are_passed_over(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = crowd(stores, owner).await;
    let expected = newest_first(&queued);
    let page = PageRequest { skip: 3, size: size(2), ..PageRequest::default() };
    let second = list(stores, owner, &page).await;
    assert_eq!(ids(&second.items), expected[3..5]);
    let page = PageRequest { after: second.next, skip: 1, size: size(2) };
    assert_eq!(ids(&list(stores, owner, &page).await.items), expected[6..8]);
    for skip in [expected.len() as u64, i64::MAX.unsigned_abs()] {
        let page = PageRequest { skip, ..PageRequest::default() };
        let nothing = list(stores, owner, &page).await;
        assert!(nothing.items.is_empty() && nothing.next.is_none());
    }
}

/// A status selects, in the list and in the count.
pub async fn a_list_is_filtered_by_status(stores: &Stores) {
    let claimed = stores.a_leased_job().await;
    let owner = claimed.transcription.parts().owner;
    let pending = stores.queue(owner, 2).await;
    for (status, expected) in [
        (Status::Pending, pending.iter().rev().copied().collect()),
        (Status::Processing, vec![claimed.lease.job]),
        (Status::Completed, vec![]),
        (Status::Failed, vec![]),
        (Status::Canceled, vec![]),
    ] {
        let filter = ListFilter { status: Some(status), ..ListFilter::default() };
        assert_filtered(stores, owner, &filter, &expected).await;
    }
}

/// Instants bound a list on both sides, themselves excluded, to the microsecond.
pub async fn a_list_is_filtered_by_instants(stores: &Stores) {
    let owner = stores.owner().await;
    let queued = crowd(stores, owner).await;
    let newest = newest_first(&queued);
    for middle in &queued {
        let at = middle.parts().created_at;
        let keep = |keeps: &dyn Fn(&Transcription) -> bool| -> Vec<TranscriptionId> {
            let kept = |id: &&TranscriptionId| {
                queued.iter().any(|queued| queued.parts().id == **id && keeps(queued))
            };
            newest.iter().filter(kept).copied().collect()
        };
        let later = ListFilter { created_after: Some(at), ..ListFilter::default() };
        assert_filtered(stores, owner, &later, &keep(&|t| t.parts().created_at > at)).await;
        let earlier = ListFilter { created_before: Some(at), ..ListFilter::default() };
        assert_filtered(stores, owner, &earlier, &keep(&|t| t.parts().created_at < at)).await;
    }
    let far = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    let never = ListFilter { created_after: Some(far), ..ListFilter::default() };
    assert_filtered(stores, owner, &never, &[]).await;
    let always = ListFilter { created_before: Some(far), ..ListFilter::default() };
    assert_filtered(stores, owner, &always, &newest).await;
}

/// A count does not depend on the page.
pub async fn a_count_is_of_all_pages(stores: &Stores) {
    let owner = stores.owner().await;
    stores.queue(owner, 7).await;
    let count = stores.transcriptions.count(owner, &ListFilter::default()).await;
    assert_eq!(count.expect("they are counted"), 7);
}

/// Queues jobs at instants whose fractions of a second are written with different lengths, and
/// two at one instant.
async fn crowd(stores: &Stores, owner: UserId) -> Vec<Transcription> {
    let mut queued = Vec::new();
    for micros in [0, 1, 9, 90, 900, 99_000, 400_000, 500_000, 0, 1_000_000, 10] {
        stores.clock.advance(TimeDelta::microseconds(micros));
        queued.push(stores.queued(owner).await);
    }
    queued
}

async fn list(stores: &Stores, owner: UserId, page: &PageRequest) -> Page<Transcription> {
    let listed = stores.transcriptions.list(owner, &ListFilter::default(), page).await;
    listed.expect("they are listed")
}

async fn assert_filtered(
    stores: &Stores,
    owner: UserId,
    filter: &ListFilter,
    expected: &[TranscriptionId],
) {
    let page = PageRequest { size: size(100), ..PageRequest::default() };
    let listed = stores.transcriptions.list(owner, filter, &page).await.expect("they are listed");
    assert_eq!(ids(&listed.items), expected, "{filter:?}");
    let count = stores.transcriptions.count(owner, filter).await.expect("they are counted");
    assert_eq!(count, expected.len() as u64, "{filter:?}");
}

fn size(size: u64) -> PageSize {
    PageSize::parse(size).expect("a size")
}

fn ids(items: &[Transcription]) -> Vec<TranscriptionId> {
    items.iter().map(|item| item.parts().id).collect()
}

fn newest_first(queued: &[Transcription]) -> Vec<TranscriptionId> {
    let mut keys: Vec<_> =
        queued.iter().map(|queued| (queued.parts().created_at, queued.parts().id)).collect();
    keys.sort_unstable();
    keys.into_iter().rev().map(|(_, id)| id).collect()
}
