//! The application: middleware around the route table, outermost last.

use actix_cors::Cors;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::header,
    middleware::from_fn,
    web,
};

use crate::{
    ApiState, flood,
    middleware::{context, limit, principal, unread},
    routes, watch,
};

/// Response headers that pages of other origins may read.
const EXPOSED: [&str; 8] = [
    "Location",
    "Link",
    "ETag",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-Request-Id",
];

/// How long browsers may remember a preflight, in seconds.
const PREFLIGHT_SECONDS: usize = 3_600;

/// The whole application, for a server or a test.
pub fn app(
    state: web::Data<ApiState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let cors = cors(&state.config.cors_origins);
    let shield = flood::middleware(&state);
    App::new()
        .app_data(state)
        .configure(routes::configure)
        .wrap(from_fn(limit::count))
        .wrap(from_fn(principal::identify))
        .wrap(shield)
        // Outside of the shield, so that pages can read its 429. Preflights therefore pass it: their
        // answer is made of the configuration alone and costs less than counting them would.
        .wrap(cors)
        .wrap(from_fn(context::surround))
        .wrap(from_fn(unread::hold))
        .wrap(from_fn(watch::note))
}

fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "DELETE"])
        .allowed_headers([
            header::ACCEPT.as_str(),
            header::AUTHORIZATION.as_str(),
            header::CONTENT_TYPE.as_str(),
            header::IF_NONE_MATCH.as_str(),
            "x-request-id",
        ])
        .expose_headers(EXPOSED)
        .max_age(PREFLIGHT_SECONDS);
    if origins.iter().any(|origin| origin == "*") {
        return cors.send_wildcard().allow_any_origin();
    }
    origins.iter().fold(cors.supports_credentials(), |cors, origin| cors.allowed_origin(origin))
}
