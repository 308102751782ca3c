//! Accounts: registering, signing in, and who is calling.

use std::{sync::Arc, time::Duration};

use domain::{Email, FullName, Password, User, UserId};

use crate::{
    Adapters, ErrorKind, UseCaseError,
    ports::{
        Clock, HashError, Ids, InsertUserError, IssuedToken, PasswordHasher, PortFailure,
        TokenError, TokenIssuer, UserRepository,
    },
};

/// A new account.
#[derive(Debug)]
pub struct RegisterAccount {
    /// The address to sign in with.
    pub email: Email,
    /// The password chosen.
    pub password: Password,
    /// What the person is called.
    pub full_name: Option<FullName>,
}

/// Why an account was not opened.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The address has an account.
    #[error("this e-mail address already has an account")]
    EmailTaken,
    /// Too much at once.
    #[error("too many sign-ins at once")]
    Overloaded(Duration),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

impl UseCaseError for RegisterError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EmailTaken => ErrorKind::Conflict,
            Self::Overloaded(_) => ErrorKind::Unavailable,
            Self::Failed(failure) => failure.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "email_already_registered",
            Self::Overloaded(_) => "overloaded",
            Self::Failed(failure) => failure.code(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded(delay) => Some(*delay),
            Self::EmailTaken | Self::Failed(_) => None,
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such account, a wrong password, or an account that may not sign in: one answer for all.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// Too much at once.
    #[error("too many sign-ins at once")]
    Overloaded(Duration),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

impl UseCaseError for LoginError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidCredentials => ErrorKind::Unauthenticated,
            Self::Overloaded(_) => ErrorKind::Unavailable,
            Self::Failed(failure) => failure.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidCredentials => "invalid_credentials",
            Self::Overloaded(_) => "overloaded",
            Self::Failed(failure) => failure.code(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded(delay) => Some(*delay),
            Self::InvalidCredentials | Self::Failed(_) => None,
        }
    }
}

/// Why a caller with a valid token is not let in.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The account is gone.
    #[error("the access token is not valid")]
    Unknown,
    /// The account is disabled.
    #[error("this account is disabled")]
    Disabled,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

impl UseCaseError for CallerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown => ErrorKind::Unauthenticated,
            Self::Disabled => ErrorKind::Forbidden,
            Self::Failed(failure) => failure.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "invalid_token",
            Self::Disabled => "account_disabled",
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// The use cases of accounts.
pub struct Accounts {
    users: Arc<dyn UserRepository>,
    hasher: Arc<dyn PasswordHasher>,
    tokens: Arc<dyn TokenIssuer>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Accounts {
    /// Takes its ports.
    pub fn new(adapters: &Adapters) -> Self {
        Self {
            users: Arc::clone(&adapters.users),
            hasher: Arc::clone(&adapters.hasher),
            tokens: Arc::clone(&adapters.tokens),
            clock: Arc::clone(&adapters.clock),
            ids: Arc::clone(&adapters.ids),
        }
    }

    /// Opens an account.
    ///
    /// # Errors
    /// [`RegisterError`].
    #[tracing::instrument(name = "accounts.register", skip_all)]
    pub async fn register(&self, command: RegisterAccount) -> Result<User, RegisterError> {
        // Spares the hash; the database decides the race.
        if self.users.find_by_email(&command.email).await?.is_some() {
            return Err(RegisterError::EmailTaken);
        }
        let digest =
            self.hasher.hash(command.password.expose()).await.map_err(|error| match error {
                HashError::Overloaded { retry_after } => RegisterError::Overloaded(retry_after),
                HashError::Failed(failure) => failure.into(),
            })?;
        let id = UserId::from_uuid(self.ids.next());
        let user = User::register(id, command.email, command.full_name, digest, self.clock.now());
        self.users.insert(&user).await.map_err(|error| match error {
            InsertUserError::EmailTaken => RegisterError::EmailTaken,
            InsertUserError::Failed(failure) => failure.into(),
        })?;
        tracing::info!(event = "user_registered", user.id = %id, "account opened");
        Ok(user)
    }

    /// Signs in. Every cause of a refusal costs one hash and answers alike.
    ///
    /// # Errors
    /// [`LoginError`].
    #[tracing::instrument(name = "accounts.login", skip_all)]
    pub async fn login(&self, email: &str, password: &str) -> Result<IssuedToken, LoginError> {
        let user = match Email::parse(email) {
            Ok(email) => self.users.find_by_email(&email).await?,
            Err(_) => None,
        };
        let user = user.filter(|user| user.parts().is_active);
        let digest = user.as_ref().map(|user| &user.parts().password);
        let verified = self.hasher.verify(password, digest).await.map_err(login_failure)?;
        let Some(user) = user.filter(|_| verified.matches) else {
            tracing::info!(event = "login_failed", "credentials refused");
            return Err(LoginError::InvalidCredentials);
        };
        if verified.outdated {
            let fresh = self.hasher.hash(password).await.map_err(login_failure)?;
            self.users.replace_password(user.parts().id, &user.parts().password, &fresh).await?;
        }
        let id = user.parts().id;
        let token = self.tokens.issue(id, self.clock.now())?;
        tracing::info!(event = "login_succeeded", user.id = %id, "signed in");
        Ok(token)
    }

    /// Whose token it is. A computation: nothing is looked up.
    ///
    /// # Errors
    /// [`TokenError`], whose cause is for the log.
    pub fn identify(&self, token: &str) -> Result<UserId, TokenError> {
        self.tokens.verify(token, self.clock.now())
    }

    /// The account behind a valid token.
    ///
    /// # Errors
    /// [`CallerError`].
    pub async fn caller(&self, id: UserId) -> Result<User, CallerError> {
        let user = self.users.find(id).await?.ok_or(CallerError::Unknown)?;
        if user.parts().is_active { Ok(user) } else { Err(CallerError::Disabled) }
    }
}

fn login_failure(error: HashError) -> LoginError {
    match error {
        HashError::Overloaded { retry_after } => LoginError::Overloaded(retry_after),
        HashError::Failed(failure) => failure.into(),
    }
}
