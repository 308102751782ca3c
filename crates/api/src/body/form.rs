//! The fields of an HTML form, urlencoded or multipart. The form has been read in whole before,
//! so its size is known to be small.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest,
    error::PayloadError,
    http::StatusCode,
    web::{Bytes, Payload},
};
use futures_util::{StreamExt, stream};
use url::form_urlencoded;

use super::reader::{AUTH_LIMIT, is, read};
use crate::problem::ApiError;

/// Most fields of a multipart form.
const MAX_FIELDS: usize = 20;

/// Name and value of a field, in the order of the form.
pub(crate) type Fields = Vec<(String, String)>;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// Whether the body is declared to be a form.
pub(crate) fn is_form(request: &HttpRequest) -> bool {
    is(request, URLENCODED) || is(request, MULTIPART)
}

/// Reads a form.
pub(crate) async fn fields(request: &HttpRequest, payload: Payload) -> Result<Fields, ApiError> {
    let body = read(request, payload, AUTH_LIMIT).await?;
    if is(request, MULTIPART) {
        return multipart(request, body).await;
    }
    Ok(form_urlencoded::parse(&body).into_owned().collect())
}

async fn multipart(request: &HttpRequest, body: Bytes) -> Result<Fields, ApiError> {
    let whole = stream::iter([Ok::<_, PayloadError>(body)]);
    let mut form = Multipart::new(request.headers(), whole);
    let mut fields = Fields::new();
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|_| malformed())?;
        if fields.len() == MAX_FIELDS {
            return Err(malformed());
        }
        let Some(name) = field.name().map(str::to_owned) else { return Err(malformed()) };
        let mut value = Vec::new();
        while let Some(chunk) = field.next().await {
            value.extend_from_slice(&chunk.map_err(|_| malformed())?);
        }
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    Ok(fields)
}

fn malformed() -> ApiError {
    let detail = "The body is not a valid multipart form.";
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_form", detail)
}
