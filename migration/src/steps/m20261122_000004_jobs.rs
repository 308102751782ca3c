//! Live jobs. A row goes when its job ends.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, double, pk_uuid, string_len, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const STATES: &str = "state IN ('scheduled', 'ready', 'leased', 'waiting')";

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
        manager.drop_table(Table::drop().table("jobs").to_owned()).await
    }
}

fn table() -> TableCreateStatement {
    let known_stage = format!("stage IN {}", super::STAGES);
    Table::create()
        .table("jobs")
        .col(pk_uuid("id"))
        .col(uuid("user_id"))
        .col(string_len("state", 16).check(Expr::cust(STATES)))
        .col(string_len("stage", 16).check(Expr::cust(known_stage)))
        .col(double("vtime"))
        .col(double("cost"))
        .col(timestamp_with_time_zone("run_at"))
        .col(big_integer("failures"))
        .col(big_integer("crashes"))
        .col(big_integer("polls"))
        .col(big_integer("epoch"))
        .col(uuid_null("lease_owner"))
        .col(timestamp_with_time_zone_null("lease_until"))
        .col(timestamp_with_time_zone("deadline_at"))
        .col(timestamp_with_time_zone_null("await_until"))
        .col(text_null("upload_url"))
        .col(timestamp_with_time_zone_null("uploaded_at"))
        .foreign_key(&mut super::cascade(("jobs", "id"), "transcriptions"))
        .check(Expr::cust("(state = 'leased') = (lease_owner IS NOT NULL)"))
        .check(Expr::cust("(lease_owner IS NULL) = (lease_until IS NULL)"))
        .check(Expr::cust("(upload_url IS NULL) = (uploaded_at IS NULL)"))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 5] {
    let index = |name: &'static str| Index::create().name(name).table("jobs").to_owned();
    [
        index("ix_jobs_ready")
            .col("vtime")
            .col("id")
            .and_where(Expr::cust("state = 'ready'"))
            .to_owned(),
        index("ix_jobs_due")
            .col("state")
            .col("run_at")
            // Not IN: SQLite does not see that state = 'waiting' implies it.
            .and_where(Expr::cust("state = 'scheduled' OR state = 'waiting'"))
            .to_owned(),
        // The end of the lease is not indexed: every heartbeat would have to move it.
        index("ix_jobs_leased").col("user_id").and_where(Expr::cust("state = 'leased'")).to_owned(),
        index("ix_jobs_deadline")
            .col("deadline_at")
            .and_where(Expr::cust("state <> 'leased'"))
            .to_owned(),
        index("ix_jobs_await")
            // By the state too, or SQLite takes the index above for the better one.
            .col("state")
            .col("await_until")
            .and_where(Expr::cust("state = 'waiting'"))
            .to_owned(),
    ]
}
