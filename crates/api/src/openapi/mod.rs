//! The description of the interface (`OpenAPI` 3.1).

use utoipa::OpenApi;

use crate::routes;

#[derive(OpenApi)]
#[openapi(paths(
    routes::health::root,
    routes::health::health,
    routes::health::live,
    routes::health::ready,
    routes::docs::description,
    routes::docs::swagger,
    routes::docs::redoc,
    routes::accounts::register,
    routes::accounts::login,
    routes::accounts::me,
    routes::transcriptions::create,
    routes::transcriptions::list,
    routes::transcriptions::get,
    routes::transcriptions::delete,
    routes::transcriptions::transcript,
    routes::transcriptions::cancel,
))]
struct Description;

/// The whole description, as `/openapi.json` serves it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}
