//! What users see.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "transcriptions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub video_url: Option<String>,
    pub source_kind: String,
    pub source_value: String,
    pub source_bytes: Option<i64>,
    pub title: Option<String>,
    pub duration_ms: Option<i64>,
    pub options: Json,
    pub metadata: Json,
    pub engine: String,
    pub status: String,
    pub stage: Option<String>,
    pub progress: Option<f64>,
    pub failure_code: Option<String>,
    pub failure_detail: Option<String>,
    pub failure_stage: Option<String>,
    pub language_detected: Option<String>,
    pub confidence: Option<f64>,
    pub audio_ms: Option<i64>,
    pub retry_count: i64,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
