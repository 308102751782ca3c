//! The fair queue: where each user stands in it, and how far it has come.

use sea_orm_migration::{
    prelude::*,
    schema::{double, integer, pk_uuid},
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tenants = Table::create()
            .table("tenant_sched")
            .col(pk_uuid("user_id"))
            .col(double("last_vtime"))
            .foreign_key(&mut super::cascade(("tenant_sched", "user_id"), "users"))
            .to_owned();
        manager.create_table(tenants).await?;
        let clock = Table::create()
            .table("sched_clock")
            .col(integer("id").primary_key().check(Expr::cust("id = 1")))
            .col(double("vclock"))
            .to_owned();
        manager.create_table(clock).await?;
        let start = Query::insert()
            .into_table("sched_clock")
            .columns(["id", "vclock"])
            .values_panic([1.into(), 0.0.into()])
            .to_owned();
        manager.get_connection().execute(&start).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("sched_clock").to_owned()).await?;
        manager.drop_table(Table::drop().table("tenant_sched").to_owned()).await
    }
}
