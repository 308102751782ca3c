//! Engines to which nothing is submitted for now.

use sea_orm_migration::{
    prelude::*,
    schema::{string_len, timestamp_with_time_zone},
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("engine_pauses")
            .col(string_len("engine", 32).primary_key())
            .col(string_len("code", 64))
            .col(timestamp_with_time_zone("since"))
            .col(timestamp_with_time_zone("until"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("engine_pauses").to_owned()).await
    }
}
