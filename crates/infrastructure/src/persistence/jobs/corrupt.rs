//! Rows that cannot be understood: their jobs are given up, so that they hold up nobody else's.

use chrono::{DateTime, Utc};
use domain::{FailureCode, Stage, Status, TranscriptionId};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Select,
    sea_query::{Expr, Keyword, SimpleExpr},
};
use uuid::Uuid;

use super::{
    load::{Live, readable, with_transcriptions},
    submissions,
};
use crate::persistence::{
    entities::{jobs, transcriptions},
    fault::{CorruptRow, StoreError, unreadable},
    store::WriteTx,
};

/// Reads jobs, and gives up those that cannot be read.
pub(super) struct Sieve<'a> {
    pub(super) tx: &'a WriteTx,
    pub(super) now: DateTime<Utc>,
    /// What was given up.
    pub(super) gone: Vec<TranscriptionId>,
}

impl<'a> Sieve<'a> {
    pub(super) const fn new(tx: &'a WriteTx, now: DateTime<Utc>) -> Self {
        Self { tx, now, gone: Vec::new() }
    }

    /// The rows that `select` finds.
    pub(super) async fn rows(
        &mut self,
        select: Select<jobs::Entity>,
    ) -> Result<Vec<jobs::Model>, StoreError> {
        loop {
            match select.clone().all(&self.tx.db()).await {
                Ok(rows) => return Ok(rows),
                Err(error) if unreadable(&error) => self.drop_unreadable(&select, error).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn drop_unreadable(
        &mut self,
        select: &Select<jobs::Entity>,
        error: DbErr,
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = select
            .clone()
            .select_only()
            .column(jobs::Column::Id)
            .into_tuple()
            .all(&self.tx.db())
            .await?;
        let (_, unread) =
            readable(self.tx, &ids, |ids| jobs::Entity::find().filter(jobs::Column::Id.is_in(ids)))
                .await?;
        if unread.is_empty() {
            return Err(error.into());
        }
        for id in unread {
            let why = "a column cannot be read";
            self.give_up(id, &CorruptRow { table: "jobs", id, why }).await?;
        }
        Ok(())
    }

    /// The jobs in `rows` with their transcriptions.
    pub(super) async fn live(&mut self, rows: Vec<jobs::Model>) -> Result<Vec<Live>, StoreError> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut sound = Vec::with_capacity(ids.len());
        for (id, live) in ids.into_iter().zip(with_transcriptions(self.tx, rows).await?) {
            match live {
                Ok(live) => sound.push(live),
                Err(corrupt) => self.give_up(id, &corrupt).await?,
            }
        }
        Ok(sound)
    }

    /// Ends a job without reading it: its row goes, its transcription failed if it had not ended.
    pub(super) async fn give_up(&mut self, id: Uuid, why: &CorruptRow) -> Result<(), StoreError> {
        tracing::error!(
            event = "job_row_corrupt",
            job.id = %id,
            error = %why,
            "a job was given up because what is stored of it cannot be"
        );
        jobs::Entity::delete_by_id(id).exec(&self.tx.db()).await?;
        submissions::end(self.tx, id, self.now).await?;
        fail(self.tx, id, self.now).await?;
        self.gone.push(TranscriptionId::from_uuid(id));
        Ok(())
    }
}

async fn fail(tx: &WriteTx, id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    use transcriptions::Column;
    let null = || SimpleExpr::Keyword(Keyword::Null);
    let stage = Expr::col(Column::Stage).if_null(Stage::Fetching.as_str());
    let alive = [Status::Pending.as_str(), Status::Processing.as_str()];
    transcriptions::Entity::update_many()
        .col_expr(Column::Status, Expr::value(Status::Failed.as_str()))
        .col_expr(Column::FailureCode, Expr::value(FailureCode::Internal.as_str()))
        .col_expr(Column::FailureStage, stage)
        .col_expr(Column::FailureDetail, null())
        .col_expr(Column::Stage, null())
        .col_expr(Column::Progress, null())
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.is_in(alive))
        .exec(&tx.db())
        .await?;
    Ok(())
}
