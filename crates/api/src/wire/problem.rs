//! Problem details on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Fault;

/// Problem details as of RFC 9457. Programs go by `code`, people read `detail`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A URI that names the kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub(crate) kind: String,
    /// The name of the status.
    #[schema(example = "Not Found")]
    pub(crate) title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub(crate) status: u16,
    /// A sentence a person can act on.
    #[schema(example = "There is no such transcription.")]
    pub(crate) detail: String,
    /// A stable word for programs. For a 422 it is the code of the faults if all share one, else
    /// `validation_failed`.
    #[schema(example = "transcription_not_found")]
    pub(crate) code: String,
    /// The request, as in the header `X-Request-Id`.
    #[schema(example = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192")]
    pub(crate) request_id: String,
    /// Every broken rule of a 422.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: Vec<FaultBody>,
}

/// One broken rule. The offending value is never repeated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct FaultBody {
    /// Where: a JSON pointer into the body, or `/` and the name of a form field or query parameter.
    #[schema(example = "/video_url")]
    pub(crate) pointer: String,
    /// A stable word for programs.
    #[schema(example = "required")]
    pub(crate) code: String,
    /// What a person can do about it.
    #[schema(example = "is required")]
    pub(crate) detail: String,
}

impl From<&Fault> for FaultBody {
    fn from(fault: &Fault) -> Self {
        Self {
            pointer: fault.pointer.clone(),
            code: fault.code.to_owned(),
            detail: fault.detail.clone(),
        }
    }
}

/// The answer to one call too many: problem details, and the four members of the first version
/// of this service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RateLimitProblem {
    /// Always `rate_limit_exceeded`.
    #[schema(example = "rate_limit_exceeded")]
    error: String,
    /// Which limit it was.
    #[schema(example = "Rate limit exceeded: 5 per 1 minute")]
    message: String,
    /// A sentence a person can act on.
    #[schema(example = "Too many requests. Please wait before trying again.")]
    detail: String,
    /// When to come back, in words; the header `Retry-After` has the number.
    #[schema(example = "41 seconds")]
    retry_after: String,
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "https://iana.org/assignments/http-problem-types#quota-exceeded")]
    kind: String,
    /// The name of the status.
    #[schema(example = "Too Many Requests")]
    title: String,
    /// The HTTP status.
    #[schema(example = 429)]
    status: u16,
    /// Always `rate_limit_exceeded`.
    #[schema(example = "rate_limit_exceeded")]
    code: String,
    /// The request, as in the header `X-Request-Id`.
    #[schema(example = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192")]
    request_id: String,
}
