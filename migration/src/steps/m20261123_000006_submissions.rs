//! Submissions to paid engines, written down before the engine is asked.
//!
//! They outlive their job, because they say which copies an engine still holds. Their
//! transcription is not referenced: what an engine may have accepted unknown to us is looked for
//! even when its owner has deleted it.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, boolean, pk_uuid, string_len, text_null, timestamp_with_time_zone, uuid,
        var_binary_null,
    },
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
        .col(var_binary_null("callback", 32).check(Expr::cust("length(callback) = 32")))
        .col(big_integer("clean_listings").check(Expr::cust("clean_listings >= 0")))
        .col(text_null("hinted_id").check(Expr::cust("length(hinted_id) BETWEEN 1 AND 200")))
        .col(boolean("is_duplicate"))
        .col(boolean("is_forgotten"))
        .check(Expr::cust("state NOT IN ('accepted', 'finished') OR provider_id IS NOT NULL"))
        .check(Expr::cust("state <> 'intent' OR provider_id IS NULL"))
        .check(Expr::cust("NOT (is_duplicate AND (provider_id IS NULL OR is_forgotten))"))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 7] {
    let index =
        |name: &'static str| Index::create().name(name).table("provider_submissions").to_owned();
    let unique = |name: &'static str| index(name).unique().to_owned();
    [
        unique("ix_provider_submissions_open")
            .col("job_id")
            .and_where(Expr::cust("state IN ('intent', 'accepted')"))
            .to_owned(),
        unique("ix_provider_submissions_seq").col("job_id").col("seq").to_owned(),
        unique("ix_provider_submissions_provider").col("engine").col("provider_id").to_owned(),
        unique("ix_provider_submissions_callback")
            .col("callback")
            .and_where(Expr::cust("callback IS NOT NULL"))
            .to_owned(),
        index("ix_provider_submissions_unresolved")
            .col("engine")
            .col("intent_at")
            .col("id")
            .and_where(Expr::cust("state = 'abandoned' AND provider_id IS NULL"))
            .to_owned(),
        index("ix_provider_submissions_duplicates")
            .col("id")
            .and_where(Expr::cust("is_duplicate"))
            .to_owned(),
        index("ix_provider_submissions_forgotten")
            .col("intent_at")
            .and_where(Expr::cust("is_forgotten"))
            .to_owned(),
    ]
}
