//! The description of the interface (`OpenAPI` 3.1).
//!
//! What is peculiar to an operation is written beside its handler; what follows from the route
//! table (security, limits, problems, common headers) is added here, so that it cannot differ.

mod answers;
mod parameters;

use actix_web::http::Method;
use utoipa::{
    OpenApi,
    openapi::{
        License, RefOr, SecurityRequirement,
        path::{Operation, PathItem},
        schema::{AdditionalProperties, Schema},
        security::{Flow, Http, HttpAuthScheme, OAuth2, Password, Scopes, SecurityScheme},
    },
};

use crate::{
    routes::{self, Access, Endpoint, TABLE},
    wire::problem::{Problem, RateLimitProblem},
};

const BEARER: &str = "bearer";
const OAUTH2: &str = "password";

/// What every reader of the description must know.
const INTRODUCTION: &str = "\
Send the address of a recording, read what was said, by whom, and when.

**Signing in.** Open an account with `POST /api/auth/register`, sign in with `POST /api/auth/login`, \
and send the token as `Authorization: Bearer …`.

**Changes are additive.** A client must tolerate members and enum values that it does not know. \
Every path answers with and without a trailing slash.

**What goes wrong** is answered with `application/problem+json` (RFC 9457). Programs go by `code`; \
`errors` names every broken rule of a 422 at once, and the code of a 422 is that of its rules when \
they all share one, else `validation_failed`. Quote `request_id` when you ask for help.

**Limits** are counted in windows of a minute that open with the first call, by user where the \
token is valid, else by address. `RateLimit`, `RateLimit-Policy` and `X-RateLimit-Limit` say what is \
left.

**Bodies** are JSON of at most 64 KiB (16 KiB on the routes of accounts) and 32 levels; a recording \
is handed in as multipart, with the same options as parts beside it. Unknown and \
doubled members are refused; `null` is the same as absent. Instants are RFC 3339 in UTC with \
microseconds, identifiers are `UUIDv7`.";

/// Bodies that refuse what they do not know.
const STRICT: [&str; 4] =
    ["RegisterRequest", "LoginRequest", "TranscriptionRequest", "UploadRequest"];

#[derive(OpenApi)]
#[openapi(
    info(title = "SaaS-IA"),
    servers((url = "/", description = "This installation.")),
    tags(
        (name = "accounts", description = "Registering and signing in."),
        (name = "transcriptions", description = "Asking for transcriptions and reading them."),
        (name = "callbacks", description = "Called by speech engines. Not for clients."),
        (name = "service", description = "The service about itself."),
        (name = "docs", description = "This description and the pages that show it."),
    ),
    components(schemas(Problem, RateLimitProblem)),
    paths(
        routes::accounts::register,
        routes::accounts::login,
        routes::accounts::me,
        routes::transcriptions::create,
        routes::uploads::upload,
        routes::transcriptions::list,
        routes::transcriptions::get,
        routes::transcriptions::delete,
        routes::exports::transcript,
        routes::exports::export,
        routes::transcriptions::cancel,
        routes::callbacks::assemblyai,
        routes::health::root,
        routes::health::health,
        routes::health::live,
        routes::health::ready,
        routes::docs::description,
        routes::docs::swagger,
        routes::docs::redoc,
    )
)]
struct Description;

/// The whole description, as `/openapi.json` serves it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    describe_service(&mut description);
    for endpoint in TABLE.iter().filter(|endpoint| endpoint.described) {
        let item = description.paths.paths.get_mut(endpoint.pattern);
        if let Some(operation) = item.and_then(|item| operation(item, &endpoint.method)) {
            complete(operation, endpoint);
        }
    }
    description
}

fn describe_service(description: &mut utoipa::openapi::OpenApi) {
    description.info.description = Some(INTRODUCTION.to_owned());
    let mut licence = License::new("MIT");
    licence.identifier = Some("MIT".to_owned());
    description.info.license = Some(licence);
    description.security = Some(vec![SecurityRequirement::default()]);
    let Some(components) = &mut description.components else { return };
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of a sign-in."))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(token));
    let flow = Flow::Password(Password::new("/api/auth/login", Scopes::new()));
    let form = OAuth2::with_description([flow], "Signs in with e-mail address and password.");
    components.add_security_scheme(OAUTH2, SecurityScheme::OAuth2(form));
    for name in STRICT {
        if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(name) {
            schema.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}

fn complete(operation: &mut Operation, endpoint: &Endpoint) {
    operation.security = Some(match endpoint.access {
        Access::Public => Vec::new(),
        Access::Token => {
            let none: [&str; 0] = [];
            vec![SecurityRequirement::new(BEARER, none), SecurityRequirement::new(OAUTH2, none)]
        }
    });
    parameters::add(operation, endpoint);
    answers::add(operation, endpoint);
}
