//! What use cases fail with, as problems: the only place where a failure gets its status.

use std::{error::Error, time::Duration};

use actix_web::http::StatusCode;
use application::{ErrorKind, UseCaseError, causes};

use super::{ApiError, sentence};

/// When to come back after a failure that may pass, where nobody knows better.
const PASSING: Duration = Duration::from_secs(5);

impl<E: UseCaseError> From<E> for ApiError {
    fn from(error: E) -> Self {
        let kind = error.kind();
        match kind {
            ErrorKind::Internal => {
                log_failure(&error);
                Self { code: error.code(), ..Self::internal() }
            }
            ErrorKind::Unavailable => {
                log_failure(&error);
                let detail = "The service cannot do this right now. Please try again shortly.";
                Self::new(status(kind), error.code(), detail)
                    .retry_after(error.retry_after().unwrap_or(PASSING))
            }
            ErrorKind::Unauthenticated if error.code() == "invalid_token" => {
                Self::unauthenticated()
            }
            ErrorKind::Unauthenticated => {
                Self::new(status(kind), error.code(), sentence(&error.to_string())).challenge()
            }
            ErrorKind::Invalid
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::Conflict => {
                Self::new(status(kind), error.code(), sentence(&error.to_string()))
            }
        }
    }
}

/// The only table from kinds of failure to statuses.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn log_failure(error: &dyn Error) {
    let causes = causes(error);
    tracing::error!(event = "use_case_failed", error = %error, causes, "a use case failed");
}
