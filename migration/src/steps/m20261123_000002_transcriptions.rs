//! What users see: transcriptions.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, double_null, json_binary, pk_uuid, string_len,
        string_len_null, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
        uuid,
    },
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const STATUSES: &str = "status IN ('pending', 'processing', 'completed', 'failed', 'canceled')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(table()).await?;
        let newest_first = Index::create()
            .name("ix_transcriptions_user_newest")
            .table("transcriptions")
            .col("user_id")
            .col(("created_at", IndexOrder::Desc))
            .col(("id", IndexOrder::Desc))
            .to_owned();
        manager.create_index(newest_first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("transcriptions").to_owned()).await
    }
}

fn table() -> TableCreateStatement {
    Table::create()
        .table("transcriptions")
        .col(pk_uuid("id"))
        .col(uuid("user_id"))
        .col(text_null("video_url"))
        .col(
            string_len("source_kind", 16)
                .check(Expr::cust("source_kind IN ('youtube', 'media', 'upload')")),
        )
        .col(text("source_value"))
        .col(big_integer_null("source_bytes"))
        .col(text_null("title"))
        .col(big_integer_null("duration_ms"))
        .col(json_binary("options"))
        .col(json_binary("metadata"))
        .col(string_len("engine", 32))
        .col(string_len("status", 16).check(Expr::cust(STATUSES)))
        .col(stage("stage"))
        .col(double_null("progress"))
        .col(string_len_null("failure_code", 64))
        .col(text_null("failure_detail"))
        .col(stage("failure_stage"))
        .col(string_len_null("language_detected", 35))
        .col(double_null("confidence"))
        .col(big_integer_null("audio_ms"))
        .col(big_integer("retry_count"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(&mut super::cascade(("transcriptions", "user_id"), "users"))
        .check(Expr::cust("(source_kind = 'upload') = (source_bytes IS NOT NULL)"))
        .check(Expr::cust("(source_kind = 'upload') = (video_url IS NULL)"))
        .check(Expr::cust("(status = 'processing') = (stage IS NOT NULL)"))
        .check(Expr::cust("(status = 'completed') = (completed_at IS NOT NULL)"))
        .check(Expr::cust("(status = 'failed') = (failure_code IS NOT NULL)"))
        .check(Expr::cust("(failure_code IS NULL) = (failure_stage IS NULL)"))
        .to_owned()
}

fn stage(name: &'static str) -> ColumnDef {
    let known = format!("{name} IS NULL OR {name} IN {}", super::STAGES);
    string_len_null(name, 16).check(Expr::cust(known)).to_owned()
}
