//! Accounts.

use sea_orm_migration::{
    prelude::*,
    schema::{boolean, pk_uuid, string_len, string_len_null, text, timestamp_with_time_zone},
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("users")
            .col(pk_uuid("id"))
            .col(string_len("email", 254))
            .col(string_len_null("full_name", 255))
            .col(string_len("role", 16).check(Expr::cust("role IN ('user', 'admin')")))
            .col(boolean("is_active"))
            .col(text("password"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .to_owned();
        manager.create_table(table).await?;
        let email =
            Index::create().name("ix_users_email").table("users").col("email").unique().to_owned();
        manager.create_index(email).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("users").to_owned()).await
    }
}
