//! How each claim of a job ended: a history that is only added to, and pruned by age.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_pk_auto, string_len, string_len_null, timestamp_with_time_zone, uuid,
    },
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("job_attempts")
            .col(big_pk_auto("id"))
            .col(uuid("job_id"))
            .col(big_integer("epoch"))
            .col(string_len("stage", 16))
            .col(string_len("outcome", 16))
            .col(string_len_null("code", 64))
            .col(timestamp_with_time_zone("at"))
            .foreign_key(&mut super::cascade(("job_attempts", "job_id"), "transcriptions"))
            .to_owned();
        manager.create_table(table).await?;
        for (name, column) in [("ix_job_attempts_job", "job_id"), ("ix_job_attempts_at", "at")] {
            let index = Index::create().name(name).table("job_attempts").col(column).to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("job_attempts").to_owned()).await
    }
}
