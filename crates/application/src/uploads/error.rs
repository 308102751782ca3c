//! Why a file was not taken.

use std::time::Duration;

use domain::{FailureClass, FailureCode};

use crate::{
    ErrorKind, UseCaseError,
    ports::{BrokenOff, EnqueueError, FetchError, PortFailure},
};

/// When there may be room again.
const NO_ROOM: Duration = Duration::from_mins(1);

/// When one of a user's uploads may be over.
const TOO_MANY: Duration = Duration::from_secs(5);

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The account is gone.
    #[error("the access token is not valid")]
    NoSuchOwner,
    /// Too much of this user is in work.
    #[error(
        "your transcriptions in work hold as much as you may hand in; wait until one has ended"
    )]
    QuotaExceeded,
    /// The file is larger than allowed.
    #[error("the file must have at most {0} bytes")]
    TooLarge(u64),
    /// Too many uploads of this user are under way.
    #[error("too many uploads at once")]
    TooMany,
    /// There is not enough room for it now.
    #[error("there is not enough room to store the file")]
    NoRoom,
    /// It did not come whole.
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
    /// It is not a recording that can be transcribed.
    #[error("{}", .0.message())]
    Unusable(FailureCode),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortFailure),
}

impl UseCaseError for UploadError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchOwner => ErrorKind::Unauthenticated,
            Self::QuotaExceeded => ErrorKind::Conflict,
            Self::TooLarge(_) => ErrorKind::TooLarge,
            Self::TooMany | Self::NoRoom => ErrorKind::Unavailable,
            Self::BrokenOff(_) | Self::Unusable(_) => ErrorKind::Invalid,
            Self::Failed(failure) => failure.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchOwner => "invalid_token",
            Self::QuotaExceeded => "upload_quota_exceeded",
            Self::TooLarge(_) => FailureCode::SourceTooLarge.as_str(),
            Self::TooMany => "overloaded",
            Self::NoRoom => "storage_full",
            Self::BrokenOff(_) => "incomplete_body",
            Self::Unusable(code) => code.as_str(),
            Self::Failed(failure) => failure.code(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoRoom => Some(NO_ROOM),
            Self::TooMany => Some(TOO_MANY),
            _ => None,
        }
    }
}

impl From<FetchError> for UploadError {
    fn from(error: FetchError) -> Self {
        match error.code.class() {
            FailureClass::Permanent => Self::Unusable(error.code),
            // Our own fault, and perhaps soon mended.
            FailureClass::Transient
            | FailureClass::Throttled
            | FailureClass::ProviderPaused
            | FailureClass::ProviderFailed
            | FailureClass::Ambiguous
            | FailureClass::LocalResource => PortFailure::transient("media.fetch", error).into(),
            FailureClass::Bug => PortFailure::permanent("media.fetch", error).into(),
        }
    }
}

impl From<EnqueueError> for UploadError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::NoSuchOwner => Self::NoSuchOwner,
            EnqueueError::QuotaExceeded => Self::QuotaExceeded,
            EnqueueError::Failed(failure) => failure.into(),
        }
    }
}
