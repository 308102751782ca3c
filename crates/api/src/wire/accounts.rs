//! Accounts on the wire.

use application::ports::IssuedToken;
use domain::User;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A new account.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
pub(crate) struct RegisterRequest {
    /// The address to sign in with. Upper and lower case are the same.
    #[schema(format = Email, max_length = 254, example = "ada@example.com")]
    email: String,
    /// 8 to 128 characters of any script, every one of them counts. Refused only when the whole
    /// of it is a common password, the e-mail address, its local part or the service's name.
    #[schema(format = Password, min_length = 8, max_length = 128, example = "Test123!")]
    password: String,
    /// What to call the person.
    #[schema(max_length = 255, example = "Ada Lovelace")]
    full_name: Option<String>,
}

/// The password form of `OAuth2` (RFC 6749, 4.3.2). Other members of the form are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
pub(crate) struct LoginForm {
    /// The e-mail address.
    #[schema(example = "ada@example.com")]
    username: String,
    /// The password.
    #[schema(format = Password, example = "Test123!")]
    password: String,
}

/// The same form as multipart.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
pub(crate) struct LoginMultipart {
    /// The e-mail address.
    #[schema(example = "ada@example.com")]
    username: String,
    /// The password.
    #[schema(format = Password, example = "Test123!")]
    password: String,
}

/// The two members of the form as JSON.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
pub(crate) struct LoginRequest {
    /// The e-mail address.
    #[schema(example = "ada@example.com")]
    username: String,
    /// The password.
    #[schema(format = Password, example = "Test123!")]
    password: String,
}

/// What a sign-in gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPair {
    /// To be sent as `Authorization: Bearer …`.
    #[schema(example = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl")]
    access_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long the access token is valid, in seconds.
    #[schema(example = 1800)]
    expires_in: u64,
}

impl From<IssuedToken> for TokenPair {
    fn from(issued: IssuedToken) -> Self {
        Self {
            access_token: issued.token,
            token_type: "bearer",
            expires_in: issued.expires_in.as_secs(),
        }
    }
}

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserBody {
    /// Who it is.
    #[schema(example = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192")]
    id: Uuid,
    /// The address it signs in with.
    #[schema(format = Email, example = "ada@example.com")]
    email: String,
    /// What to call the person.
    #[schema(required = true, example = "Ada Lovelace")]
    full_name: Option<String>,
    /// What it may do: `user` or `admin`, others may follow.
    #[schema(example = "user")]
    role: &'static str,
    /// Whether it may be used.
    #[schema(example = true)]
    is_active: bool,
    /// When it was registered.
    #[schema(format = DateTime, example = "2026-11-22T17:05:09.123456Z")]
    created_at: String,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        let parts = user.parts();
        Self {
            id: parts.id.as_uuid(),
            email: parts.email.as_str().to_owned(),
            full_name: parts.full_name.as_ref().map(|name| name.as_str().to_owned()),
            role: parts.role.as_str(),
            is_active: parts.is_active,
            created_at: super::instant(parts.created_at),
        }
    }
}
