//! What was said. Apart from the transcriptions, so that lists do not read past it.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, pk_uuid, text},
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("transcripts")
            .col(pk_uuid("transcription_id"))
            .col(text("text"))
            .col(blob("body"))
            .foreign_key(&mut super::cascade(("transcripts", "transcription_id"), "transcriptions"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("transcripts").to_owned()).await
    }
}
