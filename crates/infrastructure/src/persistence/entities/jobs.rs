//! Live jobs.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub state: String,
    pub stage: String,
    pub vtime: f64,
    pub cost: f64,
    pub run_at: DateTime<Utc>,
    pub failures: i64,
    pub crashes: i64,
    pub polls: i64,
    pub epoch: i64,
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<DateTime<Utc>>,
    pub deadline_at: DateTime<Utc>,
    pub await_until: Option<DateTime<Utc>>,
    pub upload_url: Option<String>,
    pub uploaded_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
