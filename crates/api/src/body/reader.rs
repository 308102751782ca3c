//! The bounded reader under every body.

use std::time::Duration;

use actix_web::{
    HttpMessage, HttpRequest,
    error::PayloadError,
    http::{StatusCode, header},
    web::{self, Bytes, BytesMut, Payload},
};
use futures_util::{Stream, StreamExt};

use crate::{ApiState, problem::ApiError};

/// Most bytes of a body.
pub(crate) const LIMIT: usize = 64 * 1024;
/// Most bytes of a body on the routes of accounts.
pub(crate) const AUTH_LIMIT: usize = 16 * 1024;

/// Reads a body of at most `limit` bytes before the deadline.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, ApiError> {
    plain(request)?;
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let state = request.app_data::<web::Data<ApiState>>();
    let deadline = state.map_or(Duration::from_secs(10), |state| state.config.body_deadline);
    tokio::time::timeout(deadline, collect(payload, limit))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

/// 415 for a body that is compressed, or in another character set.
pub(super) fn plain(request: &HttpRequest) -> Result<(), ApiError> {
    let identity = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if request.headers().get(header::CONTENT_ENCODING).is_some_and(|value| !identity(value)) {
        return Err(unsupported("Send the body without a content encoding."));
    }
    if !is_utf8(request) {
        return Err(unsupported("Send the body in UTF-8."));
    }
    Ok(())
}

/// 408.
pub(super) fn too_slow() -> ApiError {
    let detail = "The body did not arrive in time.";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
}

async fn collect(
    mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            let detail = "The body ended early or is not encoded as its headers say.";
            ApiError::new(StatusCode::BAD_REQUEST, "incomplete_body", detail)
        })?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Whether the body is declared to be of the media type `essence`.
pub(crate) fn is(request: &HttpRequest, essence: &str) -> bool {
    request.content_type().eq_ignore_ascii_case(essence)
}

/// Whether the body is in UTF-8, as far as its media type says.
fn is_utf8(request: &HttpRequest) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE);
    let Ok(text) = value.map_or(Ok(""), header::HeaderValue::to_str) else { return false };
    text.split(';').skip(1).filter_map(|parameter| parameter.split_once('=')).all(
        |(name, value)| {
            let value = value.trim().trim_matches('"');
            !name.trim().eq_ignore_ascii_case("charset")
                || ["utf-8", "utf8"].iter().any(|known| value.eq_ignore_ascii_case(known))
        },
    )
}

/// 415.
pub(crate) fn unsupported(detail: &'static str) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

/// 413.
pub(super) fn too_large(limit: usize) -> ApiError {
    let detail = format!("The body must have at most {} KiB.", limit / 1024);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

#[cfg(test)]
mod tests {
    use super::collect;
    use actix_web::{error::PayloadError, http::StatusCode, web::Bytes};
    use futures_util::stream;

    fn chunks(parts: &[&'static str]) -> Vec<Result<Bytes, PayloadError>> {
        parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect()
    }

    #[actix_web::test]
    async fn a_body_up_to_the_limit_is_read() {
        let body = collect(stream::iter(chunks(&["ab", "cd"])), 4).await.expect("read");
        assert_eq!(&body[..], b"abcd");
    }

    #[actix_web::test]
    async fn one_byte_more_is_refused() {
        let error = collect(stream::iter(chunks(&["ab", "cde"])), 4).await.expect_err("refused");
        assert_eq!(error.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[actix_web::test]
    async fn a_body_that_breaks_off_is_the_clients_fault() {
        let mut parts = chunks(&["ab"]);
        parts.push(Err(PayloadError::Incomplete(None)));
        let error = collect(stream::iter(parts), 4).await.expect_err("refused");
        assert_eq!(error.code(), "incomplete_body");
    }
}
