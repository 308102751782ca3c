//! What every use case says about its failures.

use std::{error::Error, time::Duration};

/// What a caller can do about a failure. The one thing from which a transport derives its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request breaks a rule.
    Invalid,
    /// The caller is nobody we know.
    Unauthenticated,
    /// The caller may not.
    Forbidden,
    /// There is no such thing, or none that the caller may know of.
    NotFound,
    /// More was sent than is taken.
    TooLarge,
    /// The thing is not in a state for this.
    Conflict,
    /// Not now; later.
    Unavailable,
    /// A mistake of ours.
    Internal,
}

/// A failure of a use case.
pub trait UseCaseError: Error + Send + Sync + 'static {
    /// What a caller can do about it.
    fn kind(&self) -> ErrorKind;

    /// Its stable code.
    fn code(&self) -> &'static str;

    /// When to try again, for [`ErrorKind::Unavailable`].
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

impl UseCaseError for crate::ports::PortFailure {
    fn kind(&self) -> ErrorKind {
        if self.is_transient() { ErrorKind::Unavailable } else { ErrorKind::Internal }
    }

    fn code(&self) -> &'static str {
        if self.is_transient() { "temporarily_unavailable" } else { "internal_error" }
    }
}

/// Why an error came to be, cause after cause: what a log should say beside the error itself, since
/// not every way of writing a log follows the chain.
pub fn causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
