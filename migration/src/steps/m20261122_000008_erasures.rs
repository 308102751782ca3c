//! Copies at engines that are to be erased. Nothing is referenced: they outlive everything.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, pk_uuid, string_len, text, timestamp_with_time_zone},
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("erasures")
            .col(pk_uuid("id"))
            .col(string_len("engine", 32))
            .col(text("provider_id"))
            .col(big_integer("attempts"))
            .col(timestamp_with_time_zone("due_at"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await?;
        let due = Index::create()
            .name("ix_erasures_due")
            .table("erasures")
            .col("engine")
            .col("due_at")
            .to_owned();
        manager.create_index(due).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("erasures").to_owned()).await
    }
}
