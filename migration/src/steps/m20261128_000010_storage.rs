//! How PostgreSQL stores what changes all the time. Nothing to do on SQLite.
//!
//! A heartbeat writes every leased job anew. With room on its page the new version stays there,
//! and no index is touched, since none has a column that heartbeats change. What is left behind
//! is cleared away by number, not by share: the table is small and turns over fast.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let set = "ALTER TABLE jobs SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, \
                   autovacuum_vacuum_threshold = 500)";
        super::on_postgres(manager, set).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let reset = "ALTER TABLE jobs RESET (fillfactor, autovacuum_vacuum_scale_factor, \
                     autovacuum_vacuum_threshold)";
        super::on_postgres(manager, reset).await
    }
}
