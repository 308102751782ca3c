//! The description, and two pages that show it. Everything they load comes from this binary.

use std::{borrow::Cow, sync::Arc};

use actix_web::{
    HttpResponse,
    http::header::{self, ContentType},
    web::{self, Bytes},
};

use crate::{ApiState, problem::ApiError};

/// What the pages may load: only our own files. Swagger UI and `ReDoc` write styles into the page
/// and draw small images from data; `ReDoc` searches in a worker made from a blob.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Assets change with the binary only.
const ASSET_CACHE: &str = "public, max-age=3600";

static SWAGGER_PAGE: &str = include_str!("../../assets/docs/swagger.html");
static SWAGGER_SCRIPT: &str = include_str!("../../assets/docs/initializer.js");
static REDOC_PAGE: &str = include_str!("../../assets/docs/redoc.html");
static REDOC_STYLE: &str = include_str!("../../assets/docs/page.css");
static REDOC_SCRIPT_GZIP: &[u8] = include_bytes!("../../assets/redoc/redoc.standalone.js.gz");

/// The files of Swagger UI that its page loads.
const SWAGGER_FILES: [&str; 4] =
    ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-16x16.png", "favicon-32x32.png"];

/// The `OpenAPI` description
#[utoipa::path(get, path = "/openapi.json", tag = "docs", operation_id = "getDescription",
    responses((status = 200, description = "The description.",
        content((Object = "application/json")))))]
pub(crate) async fn description(state: web::Data<ApiState>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(state.description.clone())
}

/// The reference to try out, by Swagger UI
#[utoipa::path(get, path = "/docs", tag = "docs", operation_id = "getSwaggerUi",
    responses((status = 200, description = "The page.", content((String = "text/html")))))]
pub(crate) async fn swagger() -> HttpResponse {
    page(SWAGGER_PAGE)
}

/// The reference to read, by `ReDoc`
#[utoipa::path(get, path = "/redoc", tag = "docs", operation_id = "getRedoc",
    responses((status = 200, description = "The page.", content((String = "text/html")))))]
pub(crate) async fn redoc() -> HttpResponse {
    page(REDOC_PAGE)
}

/// A file that the Swagger UI page loads.
pub(crate) async fn swagger_asset(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    if *name == "initializer.js" {
        return Ok(asset("text/javascript; charset=utf-8").body(SWAGGER_SCRIPT));
    }
    if !SWAGGER_FILES.contains(&name.as_str()) {
        return Err(ApiError::no_route());
    }
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    let file = utoipa_swagger_ui::serve(&name, config).ok().flatten();
    let file = file.ok_or_else(ApiError::no_route)?;
    let bytes = match file.bytes {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(made) => Bytes::from(made),
    };
    Ok(asset(&file.content_type).body(bytes))
}

/// A file that the `ReDoc` page loads.
pub(crate) async fn redoc_asset(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    match name.as_str() {
        "redoc.standalone.js" => Ok(asset("text/javascript; charset=utf-8")
            .insert_header((header::CONTENT_ENCODING, "gzip"))
            .body(REDOC_SCRIPT_GZIP)),
        "page.css" => Ok(asset("text/css; charset=utf-8").body(REDOC_STYLE)),
        _ => Err(ApiError::no_route()),
    }
}

fn page(html: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(html)
}

fn asset(content_type: &str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, content_type));
    response.insert_header((header::CACHE_CONTROL, ASSET_CACHE));
    response
}
