//! Handing out ready jobs, in the order of the fair queue, within every limit.

use std::collections::{HashMap, HashSet};

use application::ports::{ClaimRequest, Claimed, Lease, PortFailure};
use chrono::{DateTime, Utc};
use domain::{JobState, Stage};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    corrupt::Sieve,
    delta,
    enqueue::advance_clock,
    load::{self, Live, save_jobs, save_transcriptions},
    locks,
};
use crate::persistence::{
    entities::jobs::{Column, Entity, Model},
    fault::{Stop, StoreError},
    store::WriteTx,
};

/// How many jobs that are another's just now are passed over at most.
const MOST_HELD: usize = 256;

pub(super) async fn claim(
    tx: &WriteTx,
    request: &ClaimRequest,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, Stop<PortFailure>> {
    // Without the lock, for which all processes queue: most looks find nothing.
    if tx.is_postgres() && !is_anything_ready(tx).await? {
        return Ok(Vec::new());
    }
    locks::claims(tx).await?;
    let mut sieve = Sieve::new(tx, now);
    let mut claimed = Vec::new();
    let mut slots = request.slots;
    let mut held = HashSet::new();
    loop {
        let picked = pick(&mut sieve, &ClaimRequest { slots, ..*request }, &held).await?;
        let wanted: Vec<Uuid> = picked.iter().map(|row| row.id).collect();
        let picked = lock(&mut sieve, picked).await?;
        let seen = held.len();
        held.extend(wanted.into_iter().filter(|id| !picked.iter().any(|row| row.id == *id)));
        let leased = lease(&mut sieve, request, picked).await?;
        slots = slots.saturating_sub(u32::try_from(leased.len()).unwrap_or(u32::MAX));
        claimed.extend(leased);
        // What was given up, or is another's just now, makes room for others.
        let done = std::mem::take(&mut sieve.gone).is_empty() && held.len() == seen;
        if done || held.len() > MOST_HELD {
            return Ok(claimed);
        }
    }
}

async fn is_anything_ready(tx: &WriteTx) -> Result<bool, StoreError> {
    let ready = Entity::find().filter(Expr::cust("state = 'ready'")).select_only();
    let first: Option<Uuid> = ready.column(Column::Id).limit(1).into_tuple().one(&tx.db()).await?;
    Ok(first.is_some())
}

/// Locks what was picked. Where changes run side by side, it may have been called off or have ended
/// since it was looked at, or somebody may be about to call it off.
async fn lock(sieve: &mut Sieve<'_>, picked: Vec<Model>) -> Result<Vec<Model>, StoreError> {
    if picked.is_empty() || !sieve.tx.is_postgres() {
        return Ok(picked);
    }
    let ready = Entity::find()
        .filter(Column::Id.is_in(picked.iter().map(|row| row.id)))
        .filter(Column::State.eq(JobState::Ready.as_str()))
        .order_by_asc(Column::Vtime)
        .order_by_asc(Column::Id);
    sieve.rows(locks::free(ready)).await
}

/// Leases what was picked; what cannot be understood is given up instead.
async fn lease(
    sieve: &mut Sieve<'_>,
    request: &ClaimRequest,
    picked: Vec<Model>,
) -> Result<Vec<Claimed>, StoreError> {
    let (tx, now) = (sieve.tx, sieve.now);
    let picked = sieve.live(picked).await?;
    let ids = picked.iter().map(|live| live.job.parts().id);
    let mut submissions = load::submissions_in_force(tx, ids).await?;
    let mut claimed = Vec::with_capacity(picked.len());
    let mut started = Vec::new();
    for Live { mut job, mut transcription, .. } in picked {
        let id = job.parts().id;
        let submission = match submissions.remove(&id).transpose() {
            Ok(submission) => submission,
            Err(corrupt) => {
                sieve.give_up(id.as_uuid(), &corrupt).await?;
                continue;
            }
        };
        let before = transcription.status();
        transcription.start(now)?;
        job.lease(request.worker, now + delta(request.lease))?;
        if transcription.status() != before {
            started.push(transcription.clone());
        }
        let lease = Lease { job: id, epoch: job.parts().epoch };
        claimed.push(Claimed { lease, job, transcription, submission });
    }
    save_transcriptions(tx, &started).await?;
    // They are in the order of their places, so the last one is the furthest.
    if let Some(last) = claimed.last() {
        advance_clock(tx, last.job.parts().vtime).await?;
    }
    let jobs: Vec<_> = claimed.iter().map(|claimed| &claimed.job).collect();
    save_jobs(tx, &jobs).await?;
    Ok(claimed)
}

/// Walks the queue from its head and takes every job that the limits admit, until the slots are
/// filled. Each further page leaves out whom the limits have shut out meanwhile, so a user with
/// ten thousand jobs costs one scan of an index, not ten thousand rows.
/// What is `held` is passed over.
async fn pick(
    sieve: &mut Sieve<'_>,
    request: &ClaimRequest,
    held: &HashSet<Uuid>,
) -> Result<Vec<Model>, StoreError> {
    let slots = request.slots as usize;
    let size = request.slots.saturating_mul(8).max(64);
    let mut limits = Limits::load(sieve.tx, request).await?;
    let mut picked: Vec<Model> = Vec::new();
    let mut behind = None;
    while picked.len() < slots {
        let page = sieve.rows(queue(&limits, behind).limit(u64::from(size))).await?;
        let whole = page.len() < size as usize;
        behind = page.last().map(|row| (row.vtime, row.id));
        for row in page {
            if picked.len() < slots && !held.contains(&row.id) && limits.admit(&row) {
                picked.push(row);
            }
        }
        if whole {
            break;
        }
    }
    Ok(picked)
}

pub(super) fn queue(limits: &Limits, behind: Option<(f64, Uuid)>) -> Select<Entity> {
    let mut rest = Condition::all()
        // As constants, so that SQLite sees that the partial index holds these rows.
        .add(Expr::cust("state = 'ready'"))
        .add(Column::UserId.is_not_in(limits.full_owners()));
    if limits.room == 0 {
        rest = rest.add(Column::Stage.eq(Stage::Storing.as_str()));
    }
    if let Some((vtime, id)) = behind {
        let further = Condition::any().add(Column::Vtime.gt(vtime)).add(Column::Id.gt(id));
        rest = rest.add(Column::Vtime.gte(vtime)).add(further);
    }
    Entity::find().filter(rest).order_by_asc(Column::Vtime).order_by_asc(Column::Id)
}

/// What may still be leased.
pub(super) struct Limits {
    pub(super) per_owner: u32,
    /// How many more jobs may be at the engine or on their way there.
    pub(super) room: u32,
    pub(super) leased: HashMap<Uuid, u32>,
}

impl Limits {
    async fn load(tx: &WriteTx, request: &ClaimRequest) -> Result<Self, StoreError> {
        let counts: Vec<(Uuid, String, i64)> = Entity::find()
            .select_only()
            .columns([Column::UserId, Column::Stage])
            .column_as(Column::Id.count(), "jobs")
            .filter(Expr::cust("state = 'leased'"))
            .group_by(Column::UserId)
            .group_by(Column::Stage)
            .into_tuple()
            .all(&tx.db())
            .await?;
        let (mut leased, mut on_their_way) = (HashMap::new(), 0_u32);
        for (owner, stage, count) in counts {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            *leased.entry(owner).or_default() += count;
            if stage != Stage::Storing.as_str() {
                on_their_way = on_their_way.saturating_add(count);
            }
        }
        let room = match request.provider_cap {
            None => u32::MAX,
            Some(cap) => {
                let waiting = Entity::find().filter(Expr::cust("state = 'waiting'"));
                let waiting = u32::try_from(waiting.count(&tx.db()).await?).unwrap_or(u32::MAX);
                cap.saturating_sub(on_their_way).saturating_sub(waiting)
            }
        };
        Ok(Self { per_owner: request.per_owner, room, leased })
    }

    fn full_owners(&self) -> Vec<Uuid> {
        let full = self.leased.iter().filter(|(_, count)| **count >= self.per_owner);
        full.map(|(owner, _)| *owner).collect()
    }

    /// Counts a job in, if nothing stands against it.
    fn admit(&mut self, row: &Model) -> bool {
        let storing = row.stage == Stage::Storing.as_str();
        let leased = self.leased.entry(row.user_id).or_default();
        if *leased >= self.per_owner || (!storing && self.room == 0) {
            return false;
        }
        *leased += 1;
        if !storing {
            self.room = self.room.saturating_sub(1);
        }
        true
    }
}
