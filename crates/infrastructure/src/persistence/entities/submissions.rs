//! Submissions to engines.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_submissions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub job_id: Uuid,
    pub seq: i64,
    pub upload_url: Option<String>,
    pub epoch: i64,
    pub state: String,
    pub engine: String,
    pub provider_id: Option<String>,
    pub intent_at: DateTime<Utc>,
    pub callback: Option<Vec<u8>>,
    pub clean_listings: i64,
    pub hinted_id: Option<String>,
    pub is_duplicate: bool,
    pub is_forgotten: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
