//! Accounts.

use domain::{Email, FullName, PasswordDigest, Role, User, UserId, UserParts};

use crate::persistence::{entities::users::Model, fault::CorruptRow};

pub(in crate::persistence) fn restore(row: Model) -> Result<User, CorruptRow> {
    let corrupt = |why| CorruptRow { table: "users", id: row.id, why };
    let full_name = row.full_name.as_deref().map(FullName::parse).transpose();
    Ok(User::restore(UserParts {
        id: UserId::from_uuid(row.id),
        email: Email::parse(&row.email).map_err(|_| corrupt("email is not an address"))?,
        full_name: full_name.map_err(|_| corrupt("full_name breaks its rules"))?,
        role: Role::from_word(&row.role).ok_or_else(|| corrupt("role is unknown"))?,
        is_active: row.is_active,
        password: PasswordDigest::new(row.password),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }))
}

pub(in crate::persistence) fn row(user: &User) -> Model {
    let parts = user.parts();
    Model {
        id: parts.id.as_uuid(),
        email: parts.email.as_str().to_owned(),
        full_name: parts.full_name.as_ref().map(|name| name.as_str().to_owned()),
        role: parts.role.as_str().to_owned(),
        is_active: parts.is_active,
        password: parts.password.expose().to_owned(),
        created_at: parts.created_at,
        updated_at: parts.updated_at,
    }
}
