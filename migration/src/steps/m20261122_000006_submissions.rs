//! Submissions to paid engines, written down before the engine is asked.
//!
//! They outlive their job, because they say which copies an engine still holds, and go with the
//! transcription.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, pk_uuid, string_len, text_null, timestamp_with_time_zone, uuid},
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const STATES: &str = "state IN ('intent', 'accepted', 'finished', 'error', 'abandoned')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(table()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("provider_submissions").to_owned()).await
    }
}

fn table() -> TableCreateStatement {
    Table::create()
        .table("provider_submissions")
        .col(pk_uuid("id"))
        .col(uuid("job_id"))
        .col(big_integer("seq"))
        .col(text_null("upload_url"))
        .col(big_integer("epoch"))
        .col(string_len("state", 16).check(Expr::cust(STATES)))
        .col(string_len("engine", 32))
        .col(text_null("provider_id"))
        .col(timestamp_with_time_zone("intent_at"))
        .foreign_key(&mut super::cascade(("provider_submissions", "job_id"), "transcriptions"))
        .check(Expr::cust("state NOT IN ('accepted', 'finished') OR provider_id IS NOT NULL"))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 3] {
    let unique = |name: &'static str| {
        Index::create().name(name).table("provider_submissions").unique().to_owned()
    };
    [
        unique("ix_provider_submissions_open")
            .col("job_id")
            .and_where(Expr::cust("state IN ('intent', 'accepted')"))
            .to_owned(),
        unique("ix_provider_submissions_seq").col("job_id").col("seq").to_owned(),
        unique("ix_provider_submissions_provider").col("engine").col("provider_id").to_owned(),
    ]
}
