//! What users see. Every query names the owner.

use application::ports::{Found, PortFailure, TitledTranscript, TranscriptionRepository};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Cursor, ListFilter, Page, PageRequest, Transcription, TranscriptionId, UserId};
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, FromQueryResult, JoinType, PaginatorTrait,
    QueryFilter, QueryOrder, QueryResult, QuerySelect, RelationDef, Select,
};
use uuid::Uuid;

use super::{
    entities::{
        transcriptions::{Column, Entity, Model},
        transcripts,
    },
    fault::{CorruptRow, Stop, StoreError, bounded, unreadable},
    rows::{transcriptions::restore, transcripts as transcript_rows},
    store::{Lane, Store},
};

#[async_trait]
impl TranscriptionRepository for Store {
    async fn find(&self, owner: UserId, id: TranscriptionId) -> Result<Option<Found>, PortFailure> {
        bounded("transcriptions.find", async {
            let found = Entity::find_by_id(id.as_uuid())
                .filter(Column::UserId.eq(owner.as_uuid()))
                .join(JoinType::LeftJoin, to_transcript())
                .column_as(transcripts::Column::Text, "transcript_text")
                .into_model::<WithText>()
                .one(&self.reader(Lane::Api))
                .await?;
            let Some(WithText { row, text }) = found else { return Ok(None) };
            Ok::<_, Stop<PortFailure>>(Some(Found { transcription: restore(row)?, text }))
        })
        .await
    }

    async fn transcript(
        &self,
        owner: UserId,
        id: TranscriptionId,
    ) -> Result<Option<TitledTranscript>, PortFailure> {
        bounded("transcriptions.transcript", async {
            let found = transcripts::Entity::find_by_id(id.as_uuid())
                .join(JoinType::InnerJoin, to_transcript().rev())
                .filter(Column::UserId.eq(owner.as_uuid()))
                .column_as(Column::Title, "title")
                .into_model::<WithTitle>()
                .one(&self.reader(Lane::Api))
                .await?;
            let Some(WithTitle { row, title }) = found else { return Ok(None) };
            let transcript = transcript_rows::restore(row)?;
            Ok::<_, Stop<PortFailure>>(Some(TitledTranscript { title, transcript }))
        })
        .await
    }

    async fn list(
        &self,
        owner: UserId,
        filter: &ListFilter,
        page: &PageRequest,
    ) -> Result<Page<Transcription>, PortFailure> {
        bounded("transcriptions.list", async {
            let size = usize::from(page.size.get());
            let mut page = *page;
            loop {
                let rows = on_page(owner, filter, &page).into_model::<Listed>();
                let mut rows = rows.all(&self.reader(Lane::Api)).await?;
                let more = rows.len() > size;
                rows.truncate(size);
                let last = rows.iter().rev().find_map(Listed::place);
                if more && last.is_none() {
                    // None of these can be read, and none tells where the next page begins.
                    page.skip = page.skip.saturating_add(u64::from(page.size.get()));
                    continue;
                }
                let items = rows.into_iter().filter_map(|row| row.read().transpose());
                let items = items.collect::<Result<_, _>>()?;
                return Ok::<_, Stop<PortFailure>>(Page { items, next: last.filter(|_| more) });
            }
        })
        .await
    }

    async fn count(&self, owner: UserId, filter: &ListFilter) -> Result<u64, PortFailure> {
        bounded("transcriptions.count", async {
            Ok::<_, Stop<PortFailure>>(
                selected(owner, filter).count(&self.reader(Lane::Api)).await?,
            )
        })
        .await
    }
}

fn selected(owner: UserId, filter: &ListFilter) -> Select<Entity> {
    let mut select = Entity::find().filter(Column::UserId.eq(owner.as_uuid()));
    if let Some(status) = filter.status {
        select = select.filter(Column::Status.eq(status.as_str()));
    }
    if let Some(after) = filter.created_after {
        select = select.filter(Column::CreatedAt.gt(comparable(after)));
    }
    if let Some(before) = filter.created_before {
        select = select.filter(Column::CreatedAt.lt(comparable(before)));
    }
    select
}

/// A page, and one row more than asked for, which tells whether there is a next one.
pub(super) fn on_page(owner: UserId, filter: &ListFilter, page: &PageRequest) -> Select<Entity> {
    selected(owner, filter)
        .filter(page.after.map_or_else(Condition::all, behind))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .offset(page.skip.min(i64::MAX.unsigned_abs()))
        .limit(u64::from(page.size.get()) + 1)
}

/// What comes after the cursor, newest first. Written so that the index is entered at the cursor.
fn behind(cursor: Cursor) -> Condition {
    let at = comparable(cursor.created_at);
    Condition::all()
        .add(Column::CreatedAt.lte(at))
        .add(Condition::any().add(Column::CreatedAt.lt(at)).add(Column::Id.lt(cursor.id.as_uuid())))
}

/// Years of more than four digits are written with a sign, which would sort before every other.
fn comparable(at: DateTime<Utc>) -> DateTime<Utc> {
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).and_then(|day| day.and_hms_opt(23, 59, 59));
    last.map_or(at, |last| at.min(last.and_utc()))
}

fn to_transcript() -> RelationDef {
    Entity::belongs_to(transcripts::Entity)
        .from(Column::Id)
        .to(transcripts::Column::TranscriptionId)
        .into()
}

/// A row of the join.
struct WithText {
    row: Model,
    text: Option<String>,
}

impl FromQueryResult for WithText {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let row = Model::from_query_result(result, prefix)?;
        Ok(Self { row, text: result.try_get(prefix, "transcript_text")? })
    }
}

/// A row of the same join, from the other side.
struct WithTitle {
    row: transcripts::Model,
    title: Option<String>,
}

impl FromQueryResult for WithTitle {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let row = transcripts::Model::from_query_result(result, prefix)?;
        Ok(Self { row, title: result.try_get(prefix, "title")? })
    }
}

/// A row of a list. One that cannot be read still has a place, so that the list goes on behind it.
struct Listed {
    id: Uuid,
    created_at: Option<DateTime<Utc>>,
    row: Result<Model, DbErr>,
}

impl FromQueryResult for Listed {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            id: result.try_get(prefix, "id")?,
            created_at: result.try_get(prefix, "created_at").ok(),
            row: Model::from_query_result(result, prefix),
        })
    }
}

impl Listed {
    fn place(&self) -> Option<Cursor> {
        let created_at = self.created_at?;
        Some(Cursor { created_at, id: TranscriptionId::from_uuid(self.id) })
    }

    /// Nothing where the row cannot be read: it must not hide the others from their owner.
    fn read(self) -> Result<Option<Transcription>, StoreError> {
        let why = "a column cannot be read";
        let row = match self.row {
            Err(error) if unreadable(&error) => {
                Err(CorruptRow { table: "transcriptions", id: self.id, why })
            }
            row => Ok(row?),
        };
        match row.and_then(restore) {
            Ok(transcription) => Ok(Some(transcription)),
            Err(corrupt) => {
                tracing::error!(
                    event = "transcription_row_corrupt",
                    job.id = %self.id,
                    error = %corrupt,
                    "a transcription is left out of a list because its row cannot be read"
                );
                Ok(None)
            }
        }
    }
}
