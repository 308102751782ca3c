//! Accounts.

use application::ports::{InsertUserError, PortFailure, UserRepository};
use async_trait::async_trait;
use domain::{Email, PasswordDigest, User, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, SqlErr,
    sea_query::Expr,
};

use super::{
    entities::users::{Column, Entity},
    fault::{CorruptRow, Stop, bounded},
    rows::users::{restore, row},
    store::{Lane, Store},
};

#[async_trait]
impl UserRepository for Store {
    async fn insert(&self, user: &User) -> Result<(), InsertUserError> {
        bounded("users.insert", async {
            let tx = self.begin(Lane::Api).await?;
            Entity::insert(row(user).into_active_model().reset_all())
                .exec_without_returning(&tx.db())
                .await
                .map_err(taken)?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortFailure> {
        bounded("users.find", async {
            let found = Entity::find_by_id(id.as_uuid()).one(&self.reader(Lane::Api)).await?;
            Ok::<_, Stop<PortFailure>>(found.map(restore).transpose()?)
        })
        .await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PortFailure> {
        bounded("users.find_by_email", async {
            let by_email = Entity::find().filter(Column::Email.eq(email.as_str()));
            let found = by_email.one(&self.reader(Lane::Api)).await?;
            let user: Option<Result<User, CorruptRow>> = found.map(restore);
            Ok::<_, Stop<PortFailure>>(user.transpose()?)
        })
        .await
    }

    async fn replace_password(
        &self,
        id: UserId,
        old: &PasswordDigest,
        new: &PasswordDigest,
    ) -> Result<(), PortFailure> {
        bounded("users.replace_password", async {
            let tx = self.begin(Lane::Api).await?;
            Entity::update_many()
                .col_expr(Column::Password, Expr::value(new.expose()))
                .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
                .filter(Column::Id.eq(id.as_uuid()))
                .filter(Column::Password.eq(old.expose()))
                .exec(&tx.db())
                .await?;
            Ok::<_, Stop<PortFailure>>(tx.commit().await?)
        })
        .await
    }
}

/// Tells a taken address from any other failure. `SQLite` names the column of a unique index,
/// other databases the index.
fn taken(error: DbErr) -> Stop<InsertUserError> {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(what))
            if what.contains("users.email") || what.contains("ix_users_email") =>
        {
            Stop::Refused(InsertUserError::EmailTaken)
        }
        _ => error.into(),
    }
}
