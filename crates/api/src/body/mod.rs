//! Reading bodies: bounded in size, time and depth, and with every fault collected.

pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod members;
pub(crate) mod pace;
mod reader;
pub(crate) mod upload;

pub(crate) use reader::{AUTH_LIMIT, LIMIT, read};

use actix_web::{
    HttpRequest,
    web::{Bytes, Payload},
};

use crate::problem::ApiError;
use members::Members;

/// Reads a JSON object of at most `limit` bytes.
pub(crate) async fn object(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Members, ApiError> {
    if !reader::is(request, "application/json") {
        return Err(reader::unsupported("Send the body as application/json."));
    }
    let bytes: Bytes = read(request, payload, limit).await?;
    Members::of(json::parse(&bytes)?)
}
