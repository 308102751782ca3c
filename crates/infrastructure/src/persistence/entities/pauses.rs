//! Engines to which nothing is submitted for now.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "engine_pauses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub engine: String,
    pub code: String,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
