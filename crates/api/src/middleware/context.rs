//! The outermost layer: a name for the request, one line in the log, the headers that every
//! answer has, and one shape for everything that goes wrong.

use std::{rc::Rc, time::Instant};

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode, Uri,
        header::{self, HeaderMap, HeaderName, HeaderValue},
        uri::PathAndQuery,
    },
    middleware::Next,
    web,
};
use tracing::Instrument;

use super::{address, caught};
use crate::{ApiState, problem::signed, routes};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is taken over.
const MAX_ID: usize = 128;

/// Surrounds a request.
pub(crate) async fn surround(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    trim(&mut request);
    let id = request_id(&request);
    let route = routes::pattern(request.match_info());
    let method = word(request.method());
    let hsts = request.app_data::<web::Data<ApiState>>().is_some_and(|state| state.config.hsts);
    let span = tracing::info_span!("request", request.id = %id, method, route);
    async move {
        let answer = match caught(next.call(request)).await {
            Ok(response) => {
                report_limit(&response, route);
                let (request, response) = response.map_into_boxed_body().into_parts();
                Ok(ServiceResponse::new(request, finished(response, &id, hsts)))
            }
            Err(mut error) => {
                // No inner layer answered, and there is no request any more to answer with.
                error.add_response_mapper(move |response| finished(response, &id, hsts));
                Err(error)
            }
        };
        let status = match &answer {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        log(status, began, route);
        answer
    }
    .instrument(span)
    .await
}

/// Every route answers with and without a trailing slash.
fn trim(request: &mut ServiceRequest) {
    let Some(path) = request.path().strip_suffix('/').filter(|path| !path.is_empty()) else {
        return;
    };
    let trimmed = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(trimmed).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// The client's own name for the request if it is harmless, else a new one.
fn request_id(request: &ServiceRequest) -> Rc<str> {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        (1..=MAX_ID).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    match (given.filter(harmless), request.app_data::<web::Data<ApiState>>()) {
        (Some(id), _) => id.into(),
        (None, Some(state)) => state.services.ids.next().to_string().into(),
        (None, None) => "unknown".into(),
    }
}

/// Finishes an answer: problems get their shape, every answer its headers.
fn finished(response: HttpResponse, id: &str, hsts: bool) -> HttpResponse {
    let mut response = signed(response, id);
    add_headers(response.headers_mut(), id, hsts);
    response
}

fn add_headers(headers: &mut HeaderMap, id: &str, hsts: bool) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let defaults = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let strict = (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    for (name, value) in defaults.into_iter().chain(hsts.then_some(strict)) {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Tells the log of a call too many, whoever refused it.
fn report_limit<B>(response: &ServiceResponse<B>, path: &str) {
    if response.status() != StatusCode::TOO_MANY_REQUESTS {
        return;
    }
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let client = address::of(response.request()).map(|client| client.to_string());
    tracing::warn!(
        event = "rate_limit_exceeded",
        client,
        path,
        limit = text("x-ratelimit-limit"),
        policy = text("ratelimit-policy"),
        "rate limit exceeded"
    );
}

/// The method, as one of a few words: clients can invent others.
fn word(method: &Method) -> &'static str {
    const KNOWN: [Method; 8] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ];
    const WORDS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    KNOWN.iter().position(|known| known == method).map_or("OTHER", |at| WORDS[at])
}

fn log(status: StatusCode, began: Instant, route: &str) {
    let status = status.as_u16();
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if route.starts_with("/health") {
        tracing::debug!(event = "request_completed", status, duration_ms, "request completed");
    } else {
        tracing::info!(event = "request_completed", status, duration_ms, "request completed");
    }
}
