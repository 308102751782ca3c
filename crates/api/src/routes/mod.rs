//! The one table of routes: what the router, the budgets, `Allow`, the description and the guard
//! tests go by.

pub(crate) mod accounts;
pub(crate) mod callbacks;
pub(crate) mod docs;
pub(crate) mod exports;
pub(crate) mod health;
pub(crate) mod transcriptions;
pub(crate) mod uploads;

use actix_web::{
    HttpRequest, Route,
    dev::{Path, Url},
    guard,
    http::{Method, StatusCode, header},
    web,
};
use application::BudgetName;

use crate::problem::ApiError;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone.
    Public,
    /// Whoever has a valid token of an active account.
    Token,
}

/// One method of one path.
pub(crate) struct Endpoint {
    /// `GET` also answers `HEAD`.
    pub(crate) method: Method,
    /// The path; `{…}` stands for one segment.
    pub(crate) pattern: &'static str,
    /// What a call counts against; `None` where calls are not counted.
    pub(crate) budget: Option<BudgetName>,
    /// Who may call it.
    pub(crate) access: Access,
    /// Whether the description shows it; all but the assets of the pages.
    pub(crate) described: bool,
    handler: fn(Route) -> Route,
}

impl Endpoint {
    const fn public(
        method: Method,
        pattern: &'static str,
        budget: BudgetName,
        handler: fn(Route) -> Route,
    ) -> Self {
        Self {
            method,
            pattern,
            budget: Some(budget),
            access: Access::Public,
            described: true,
            handler,
        }
    }

    const fn token(
        method: Method,
        pattern: &'static str,
        budget: BudgetName,
        handler: fn(Route) -> Route,
    ) -> Self {
        let mut endpoint = Self::public(method, pattern, budget, handler);
        endpoint.access = Access::Token;
        endpoint
    }

    /// For speech engines: not counted, since a call that is refused is a call lost.
    const fn callback(pattern: &'static str, handler: fn(Route) -> Route) -> Self {
        Self {
            method: Method::POST,
            pattern,
            budget: None,
            access: Access::Public,
            described: true,
            handler,
        }
    }

    const fn asset(pattern: &'static str, handler: fn(Route) -> Route) -> Self {
        Self {
            method: Method::GET,
            pattern,
            budget: None,
            access: Access::Public,
            described: false,
            handler,
        }
    }

    fn answers(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }

    /// Whether the router finds the path here. It goes by the decoded path, so nothing here may go
    /// by the path as the client wrote it: `log%69n` would be counted as another route than it is.
    fn matches(&self, path: &Path<Url>) -> bool {
        let (mut wanted, mut given) = (self.pattern.split('/'), path.as_str().split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(w), Some(g)) if w == g || (w.starts_with('{') && !g.is_empty()) => {}
                _ => return false,
            }
        }
    }
}

/// Every route of the service.
pub(crate) static TABLE: [Endpoint; 21] = {
    use Endpoint as E;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    [
        E::public(GET, "/", BudgetName::Default, |r| r.to(health::root)),
        E::public(GET, "/health", BudgetName::Health, |r| r.to(health::health)),
        E::public(GET, "/health/live", BudgetName::Health, |r| r.to(health::live)),
        E::public(GET, "/health/ready", BudgetName::Health, |r| r.to(health::ready)),
        E::public(GET, "/openapi.json", BudgetName::Docs, |r| r.to(docs::description)),
        E::public(GET, "/docs", BudgetName::Docs, |r| r.to(docs::swagger)),
        E::public(GET, "/redoc", BudgetName::Docs, |r| r.to(docs::redoc)),
        E::asset("/docs/{asset}", |r| r.to(docs::swagger_asset)),
        E::asset("/redoc/{asset}", |r| r.to(docs::redoc_asset)),
        E::public(POST, "/api/auth/register", BudgetName::AuthRegister, |r| {
            r.to(accounts::register)
        }),
        E::public(POST, "/api/auth/login", BudgetName::AuthLogin, |r| r.to(accounts::login)),
        E::token(GET, "/api/auth/me", BudgetName::AuthMe, |r| r.to(accounts::me)),
        E::token(POST, "/api/transcription", BudgetName::TranscriptionCreate, |r| {
            r.to(transcriptions::create)
        }),
        E::token(GET, "/api/transcription", BudgetName::TranscriptionList, |r| {
            r.to(transcriptions::list)
        }),
        // In front of the identifiers, none of which is this word.
        E::token(POST, "/api/transcription/upload", BudgetName::TranscriptionCreate, |r| {
            r.to(uploads::upload)
        }),
        E::token(GET, "/api/transcription/{id}", BudgetName::TranscriptionGet, |r| {
            r.to(transcriptions::get)
        }),
        E::token(DELETE, "/api/transcription/{id}", BudgetName::TranscriptionDelete, |r| {
            r.to(transcriptions::delete)
        }),
        E::token(GET, "/api/transcription/{id}/transcript", BudgetName::TranscriptionGet, |r| {
            r.to(exports::transcript)
        }),
        E::token(
            GET,
            "/api/transcription/{id}/export/{format}",
            BudgetName::TranscriptionExport,
            |r| r.to(exports::export),
        ),
        E::token(POST, "/api/transcription/{id}/cancel", BudgetName::TranscriptionDelete, |r| {
            r.to(transcriptions::cancel)
        }),
        E::callback("/api/callbacks/assemblyai/{token}", |r| r.to(callbacks::assemblyai)),
    ]
};

/// The endpoints of the one resource to which the router leads a path: the first that matches.
fn resource(path: &Path<Url>) -> impl Iterator<Item = &'static Endpoint> {
    let pattern = TABLE.iter().find(|endpoint| endpoint.matches(path)).map(|found| found.pattern);
    TABLE.iter().filter(move |endpoint| Some(endpoint.pattern) == pattern)
}

/// What a call counts against: its route's budget, `default` where there is no such route.
pub(crate) fn budget(method: &Method, path: &Path<Url>) -> Option<BudgetName> {
    resource(path)
        .find(|endpoint| endpoint.answers(method))
        .map_or(Some(BudgetName::Default), |endpoint| endpoint.budget)
}

/// The pattern of a path, for logs: what the client wrote may hold anything.
pub(crate) fn pattern(path: &Path<Url>) -> &'static str {
    resource(path).next().map_or("(none)", |found| found.pattern)
}

/// The methods that a path answers.
fn allowed(path: &Path<Url>) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for endpoint in resource(path) {
        methods.push(endpoint.method.as_str());
        if endpoint.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

/// Builds the router.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    route(config, |_| true);
}

/// Builds the router of a process that only tells how it is.
pub(crate) fn configure_health(config: &mut web::ServiceConfig) {
    route(config, |endpoint| endpoint.budget == Some(BudgetName::Health));
}

fn route(config: &mut web::ServiceConfig, wanted: impl Fn(&Endpoint) -> bool) {
    for (at, first) in TABLE.iter().enumerate() {
        let known = TABLE[..at].iter().any(|earlier| earlier.pattern == first.pattern);
        if known || !wanted(first) {
            continue;
        }
        let mut resource = web::resource(first.pattern);
        for endpoint in TABLE.iter().filter(|endpoint| endpoint.pattern == first.pattern) {
            let guarded = web::route()
                .guard(guard::fn_guard(|context| endpoint.answers(&context.head().method)));
            resource = resource.route((endpoint.handler)(guarded));
        }
        config.service(resource.default_service(web::to(wrong_method)));
    }
    config.default_service(web::to(nowhere));
}

async fn wrong_method(request: HttpRequest) -> Result<String, ApiError> {
    let methods = allowed(request.match_info());
    let detail = format!("This address answers {methods}.");
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    let value = header::HeaderValue::try_from(methods).map_err(|_| ApiError::internal())?;
    Err(error.with_header(header::ALLOW, value))
}

async fn nowhere() -> Result<String, ApiError> {
    Err(ApiError::no_route())
}

#[cfg(test)]
mod tests {
    use super::{Method, Path, TABLE, Url};
    use actix_web::{dev::ResourceDef, http::Uri};
    use application::BudgetName;

    fn path(text: &str) -> Path<Url> {
        Path::new(Url::new(text.parse::<Uri>().unwrap()))
    }

    fn pattern(text: &str) -> &'static str {
        super::pattern(&path(text))
    }

    #[test]
    fn paths_are_matched_segment_by_segment() {
        assert_eq!(pattern("/api/transcription/x"), "/api/transcription/{id}");
        assert_eq!(pattern("/api/transcription/x/cancel"), "/api/transcription/{id}/cancel");
        assert_eq!(pattern("/api/transcription/x/y"), "(none)");
        assert_eq!(
            pattern("/api/transcription/x/export/srt"),
            "/api/transcription/{id}/export/{format}"
        );
        assert_eq!(pattern("/api/transcription/x/export/"), "(none)");
        assert_eq!(pattern("/api/transcription//cancel"), "(none)");
        assert_eq!(pattern("/"), "/");
        assert_eq!(pattern("*"), "(none)");
    }

    #[test]
    fn paths_are_matched_as_the_router_matches_them() {
        let texts = [
            "/",
            "//",
            "/%2F",
            "/health",
            "/h%65alth",
            "/h%2565alth",
            "//health",
            "/health%2F",
            "/health%00",
            "/health;x",
            "/./health",
            "/%2e/health",
            "/HEALTH",
            "/api/auth/log%69n",
            "/api/auth%2flogin",
            "/api/%61uth/login%20",
            "/api/transcription/%0A",
            "/api/transcription/%FF%ff",
            "/api/transcription/a%2Fcancel",
            "/api/transcription//cancel",
            "/api/transcription/x/c%61ncel",
            "/api/transcription/x/export/s%72t",
            "/api/transcription/x/export/a%2Fb",
            "/docs/..",
            "/docs/%2e%2e",
            "/docs/a%5Cb",
        ];
        for endpoint in &TABLE {
            let router = ResourceDef::new(endpoint.pattern);
            for text in texts {
                let path = path(text);
                let expected = router.is_match(path.unprocessed());
                assert_eq!(endpoint.matches(&path), expected, "{text} {}", endpoint.pattern);
            }
        }
    }

    #[test]
    fn an_unknown_call_counts_against_the_default() {
        let of = |method, text| super::budget(&method, &path(text));
        assert_eq!(of(Method::GET, "/nothing"), Some(BudgetName::Default));
        assert_eq!(of(Method::PUT, "/api/auth/login"), Some(BudgetName::Default));
        assert_eq!(of(Method::POST, "/api/auth/login"), Some(BudgetName::AuthLogin));
        assert_eq!(
            of(Method::POST, "/api/transcription/upload"),
            Some(BudgetName::TranscriptionCreate)
        );
        assert_eq!(of(Method::GET, "/api/transcription/upload"), Some(BudgetName::Default));
        assert_eq!(of(Method::HEAD, "/health"), Some(BudgetName::Health));
        assert_eq!(of(Method::GET, "/docs/swagger-ui.css"), None);
        assert_eq!(of(Method::POST, "/api/callbacks/assemblyai/x"), None);
        assert_eq!(of(Method::GET, "/api/callbacks/assemblyai/x"), Some(BudgetName::Default));
    }

    #[test]
    fn the_allowed_methods_are_the_true_ones() {
        let allowed = |text| super::allowed(&path(text));
        assert_eq!(allowed("/api/transcription"), "POST, GET, HEAD");
        assert_eq!(allowed("/api/transcription/x"), "GET, HEAD, DELETE");
        assert_eq!(allowed("/api/transcription/upload"), "POST");
        assert_eq!(allowed("/api/auth/login"), "POST");
        assert_eq!(allowed("/api/auth/log%69n"), "POST");
    }
}
