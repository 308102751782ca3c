//! The steps, oldest first. A step that was released is never changed: a new one follows.

mod m20261122_000001_users;
mod m20261122_000003_transcripts;
mod m20261122_000004_jobs;
mod m20261122_000005_scheduler;
mod m20261122_000007_attempts;
mod m20261122_000008_erasures;
mod m20261123_000002_transcriptions;
mod m20261123_000006_submissions;
mod m20261123_000009_pauses;
mod m20261128_000010_storage;

use sea_orm_migration::{MigrationTrait, prelude::*, sea_orm::DbBackend};

pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261122_000001_users::Migration),
        Box::new(m20261123_000002_transcriptions::Migration),
        Box::new(m20261122_000003_transcripts::Migration),
        Box::new(m20261122_000004_jobs::Migration),
        Box::new(m20261122_000005_scheduler::Migration),
        Box::new(m20261123_000006_submissions::Migration),
        Box::new(m20261122_000007_attempts::Migration),
        Box::new(m20261122_000008_erasures::Migration),
        Box::new(m20261123_000009_pauses::Migration),
        Box::new(m20261128_000010_storage::Migration),
    ]
}

/// The words that a `stage` column may hold.
const STAGES: &str = "('fetching', 'uploading', 'submitting', 'transcribing', 'storing')";

/// A reference that goes with the row it points to.
fn cascade(from: (&'static str, &'static str), to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{}_{}", from.0, from.1))
        .from(from.0, from.1)
        .to(to, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

/// Runs a statement that only PostgreSQL knows, and needs.
async fn on_postgres(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
