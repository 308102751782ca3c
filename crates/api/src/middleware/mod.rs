//! What happens around every handler, from the outside in: the unread body, the request's context, cross-origin
//! rules, the flood shield, the principal, the rate limit.

pub(crate) mod address;
pub(crate) mod context;
pub(crate) mod limit;
pub(crate) mod principal;
pub(crate) mod unread;

use std::panic::AssertUnwindSafe;

use actix_web::Error;
use futures_util::FutureExt;

use crate::problem::ApiError;

/// Turns a panic of `work` into an error, so that one request cannot take others with it.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // What a panic leaves half done belongs to this request alone; shared state lives behind ports.
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(event = "request_panicked", "a request ended in a panic");
        Err(ApiError::internal().into())
    })
}
