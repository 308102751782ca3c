//! The rate limit: every call is counted against its route's budget before its body is read.

use std::time::Duration;

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use application::{
    BudgetName,
    ports::{Budget, Taken},
};

use super::{address, caught, principal::Principal};
use crate::{
    ApiState,
    problem::{ApiError, seconds},
    routes,
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The registered problem type of an exhausted quota.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Counts the call, and refuses it when the window is full.
pub(crate) async fn count<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(numbers) = taken(&request).await else {
        return Ok(caught(next.call(request)).await?.map_into_left_body());
    };
    if !numbers.allowed {
        let refusal = HttpResponse::from_error(numbers.refusal());
        return Ok(request.into_response(refusal).map_into_right_body());
    }
    match caught(next.call(request)).await {
        Ok(mut response) => {
            let headers = response.headers_mut();
            for (name, value) in numbers.headers() {
                headers.insert(name, value);
            }
            Ok(response.map_into_left_body())
        }
        Err(mut error) => {
            error.add_response_mapper(move |mut response| {
                for (name, value) in numbers.headers() {
                    response.headers_mut().insert(name, value);
                }
                response
            });
            Err(error)
        }
    }
}

/// Counts; `None` where nothing is to be counted, or nothing can count.
async fn taken(request: &ServiceRequest) -> Option<Numbers> {
    let state = request.app_data::<web::Data<ApiState>>()?.clone();
    let name = routes::budget(request.method(), request.match_info())?;
    let key = key(request);
    match state.services.limits.take(name, &key).await {
        Ok(counted) => counted.map(|(budget, taken)| Numbers::new(&budget, &taken)),
        Err(failure) => {
            warn(name, &failure);
            None
        }
    }
}

fn warn(name: BudgetName, failure: &application::ports::PortFailure) {
    tracing::warn!(
        event = "rate_limiter_unavailable",
        budget = name.as_str(),
        error = %failure,
        "a call was let through uncounted"
    );
}

/// The user when the token is valid, else the client's address.
fn key(request: &ServiceRequest) -> String {
    let user = request.extensions().get::<Principal>().and_then(|principal| principal.0);
    match (user, address::bucket(request)) {
        (Some(user), _) => format!("user:{user}"),
        (None, Some(address)) => format!("address:{address}"),
        (None, None) => "address:unknown".to_owned(),
    }
}

/// What a limited answer says of its budget.
pub(crate) struct Numbers {
    name: &'static str,
    quota: u32,
    window: Duration,
    remaining: u32,
    reset: u64,
    allowed: bool,
}

impl Numbers {
    fn new(budget: &Budget, taken: &Taken) -> Self {
        Self {
            name: budget.name,
            quota: budget.quota,
            window: budget.window,
            remaining: if taken.allowed { taken.remaining } else { 0 },
            reset: seconds(taken.reset_after),
            allowed: taken.allowed,
        }
    }

    /// An exhausted budget.
    #[cfg(feature = "flood-shield")]
    pub(crate) fn exhausted(
        name: &'static str,
        quota: u32,
        window: Duration,
        wait: Duration,
    ) -> Self {
        Self { name, quota, window, remaining: 0, reset: seconds(wait), allowed: false }
    }

    /// The headers.
    fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        let Self { name, quota, remaining, reset, .. } = self;
        let window = seconds(self.window);
        let texts = [
            (LIMIT, format!("{quota}/{}", self.unit())),
            (POLICY, format!("\"{name}\";q={quota};w={window}")),
            (LEFT, format!("\"{name}\";r={remaining};t={reset}")),
        ];
        texts.map(|(header, text)| {
            (header, HeaderValue::try_from(text).expect("digits and names of budgets"))
        })
    }

    fn unit(&self) -> String {
        match seconds(self.window) {
            60 => "minute".to_owned(),
            1 => "second".to_owned(),
            other => format!("{other} seconds"),
        }
    }

    /// The 429.
    pub(crate) fn refusal(&self) -> ApiError {
        let unit = self.unit();
        let per = if unit.contains(' ') { unit } else { format!("1 {unit}") };
        let plural = if self.reset == 1 { "" } else { "s" };
        let refusal = ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            "Too many requests. Please wait before trying again.",
        )
        .with_type(QUOTA_EXCEEDED)
        .with_member("error", "rate_limit_exceeded")
        .with_member("message", format!("Rate limit exceeded: {} per {per}", self.quota))
        .with_member("retry_after", format!("{} second{plural}", self.reset))
        .retry_after(Duration::from_secs(self.reset));
        self.headers()
            .into_iter()
            .fold(refusal, |refusal, (name, value)| refusal.with_header(name, value))
    }
}
