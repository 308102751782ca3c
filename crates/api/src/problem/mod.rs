//! Problem details (RFC 9457): the one shape of everything that goes wrong.

mod failure;

use std::{borrow::Cow, fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use domain::Invalid;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::wire::problem::{FaultBody, Problem};

/// The media type of problem details.
const PROBLEM_JSON: &str = "application/problem+json";

/// Most faults that one answer lists.
const MAX_FAULTS: usize = 100;

/// One broken rule of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) pointer: String,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Fault {
    /// A fault at `pointer`; `detail` is lower case, without a full stop.
    pub(crate) fn new(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }

    /// What the domain refused, at `pointer`.
    pub(crate) fn invalid(pointer: impl Into<String>, invalid: &Invalid) -> Self {
        Self::new(pointer, invalid.code(), invalid.detail())
    }
}

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    code: &'static str,
    rest: Box<Rest>,
}

/// On the heap, so that results stay small.
#[derive(Debug)]
struct Rest {
    kind: &'static str,
    detail: Cow<'static, str>,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: Map<String, Value>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let rest = Rest {
            kind: "about:blank",
            detail: detail.into(),
            faults: Vec::new(),
            headers: Vec::new(),
            members: Map::new(),
        };
        Self { status, code, rest: Box::new(rest) }
    }

    /// 422 with every fault. Its code is that of the faults where they all share one.
    pub(crate) fn invalid(mut faults: Vec<Fault>) -> Self {
        faults.truncate(MAX_FAULTS);
        let shared = faults.first().map(|first| first.code);
        let code = shared
            .filter(|code| faults.iter().all(|fault| fault.code == *code))
            .unwrap_or("validation_failed");
        let detail = match faults.as_slice() {
            [only] if only.pointer.is_empty() => sentence(&only.detail),
            [only] => format!("{} {}.", only.pointer.trim_start_matches('/'), only.detail),
            _ => format!("The request breaks {} rules; see errors.", faults.len()),
        };
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        error.rest.faults = faults;
        error
    }

    /// 401 for every cause that a token can have.
    pub(crate) fn unauthenticated() -> Self {
        let detail = "A valid access token is required: sign in and send it as a bearer token.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_token", detail).challenge()
    }

    /// 404 for a path that leads nowhere.
    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
    }

    /// 500 with nothing but the fact.
    pub(crate) fn internal() -> Self {
        let detail = "Something went wrong on our side. Please quote the request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    /// What a layer outside of ours answered, in our words.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::no_route(),
            StatusCode::BAD_REQUEST => {
                Self::new(status, "bad_request", "The request cannot be understood.")
            }
            _ if status.is_client_error() => {
                Self::new(status, "request_refused", "The request was refused.")
            }
            _ => Self { status, ..Self::internal() },
        }
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.rest.headers.push((name, value));
        self
    }

    /// Adds a member to the body.
    pub(crate) fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.rest.members.insert(name.to_owned(), value.into());
        self
    }

    /// Names the problem by a URI of its own.
    pub(crate) fn with_type(mut self, uri: &'static str) -> Self {
        self.rest.kind = uri;
        self
    }

    /// Says when to come back: whole seconds, rounded up, at least one.
    pub(crate) fn retry_after(self, delay: Duration) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds(delay)))
    }

    fn challenge(self) -> Self {
        self.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// The stable code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The broken rules.
    #[cfg(test)]
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.rest.faults
    }

    /// The body, but for the name of the request.
    fn body(&self) -> Unsigned {
        let problem = Problem {
            kind: self.rest.kind.to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.rest.detail.clone().into_owned(),
            code: self.code.to_owned(),
            request_id: String::new(),
            errors: self.rest.faults.iter().map(FaultBody::from).collect(),
        };
        Unsigned { problem, members: self.rest.members.clone() }
    }
}

/// A body on its way to the outermost layer, which knows the name of the request.
#[derive(Serialize)]
struct Unsigned {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// Gives everything that goes wrong its one shape, and the name of the request.
pub(crate) fn signed(mut response: HttpResponse, request_id: &str) -> HttpResponse {
    let status = response.status();
    if status.as_u16() < 400 {
        return response;
    }
    let ours = response.extensions_mut().remove::<Unsigned>();
    let mut body = ours.unwrap_or_else(|| ApiError::from_status(status).body());
    request_id.clone_into(&mut body.problem.request_id);
    let body = serde_json::to_string(&body).unwrap_or_default();
    let mut response = response.set_body(BoxBody::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.rest.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self.body());
        response
    }
}

/// Whole seconds, rounded up, at least one: a client that obeys is not refused again.
pub(crate) fn seconds(delay: Duration) -> u64 {
    (delay.as_secs() + u64::from(delay.subsec_nanos() > 0)).max(1)
}

fn sentence(phrase: &str) -> String {
    let mut chars = phrase.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::{ApiError, Fault, seconds, sentence};
    use std::time::Duration;

    #[test]
    fn one_fault_lends_its_code_and_several_kinds_do_not() {
        let one = ApiError::invalid(vec![Fault::new("/a", "required", "is missing")]);
        assert_eq!(one.code(), "required");
        let same = ApiError::invalid(vec![
            Fault::new("/a", "required", "is missing"),
            Fault::new("/b", "required", "is missing"),
        ]);
        assert_eq!(same.code(), "required");
        let mixed = ApiError::invalid(vec![
            Fault::new("/a", "required", "is missing"),
            Fault::new("/b", "too_long", "is too long"),
        ]);
        assert_eq!(mixed.code(), "validation_failed");
        assert_eq!(mixed.faults().len(), 2);
    }

    #[test]
    fn seconds_are_rounded_up_and_never_zero() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(41)), 41);
        assert_eq!(seconds(Duration::from_millis(41_001)), 42);
    }

    #[test]
    fn phrases_become_sentences() {
        assert_eq!(sentence("there is none"), "There is none.");
    }
}
