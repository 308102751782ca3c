//! The service about itself.

use actix_web::{http::StatusCode, web};
use application::ports::Check;
use std::time::Duration;

use crate::{
    ApiState,
    problem::ApiError,
    wire::health::{Health, HealthCheck, Liveness, Readiness, ServiceInfo, ServiceLinks},
};

/// When to look again at a service that is not ready.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Name, version and where everything is
#[utoipa::path(get, path = "/", tag = "service", operation_id = "getServiceInfo",
    responses((status = 200, description = "The service.", body = ServiceInfo)))]
pub(crate) async fn root(state: web::Data<ApiState>) -> web::Json<ServiceInfo> {
    web::Json(ServiceInfo {
        name: state.config.app_name.clone(),
        version: state.config.version.clone(),
        links: ServiceLinks {
            docs: "/docs",
            redoc: "/redoc",
            openapi: "/openapi.json",
            health: "/health",
        },
    })
}

/// Whether the service is up
///
/// Touches nothing but the process itself.
#[utoipa::path(get, path = "/health", tag = "service", operation_id = "getHealth",
    responses((status = 200, description = "The process answers.", body = Health)))]
pub(crate) async fn health(state: web::Data<ApiState>) -> web::Json<Health> {
    web::Json(Health {
        status: "healthy",
        app_name: state.config.app_name.clone(),
        environment: state.config.environment.clone(),
        version: state.config.version.clone(),
    })
}

/// Whether the process is alive
#[utoipa::path(get, path = "/health/live", tag = "service", operation_id = "getLiveness",
    responses((status = 200, description = "The process is alive.", body = Liveness)))]
pub(crate) async fn live() -> web::Json<Liveness> {
    web::Json(Liveness { status: "alive" })
}

/// Whether the service can take work
///
/// Looks at the database, the migrations and the disk; the engine is reported, but never fatal.
#[utoipa::path(get, path = "/health/ready", tag = "service", operation_id = "getReadiness",
    responses((status = 200, description = "The service can take work.", body = Readiness)))]
pub(crate) async fn ready(state: web::Data<ApiState>) -> Result<web::Json<Readiness>, ApiError> {
    if state.is_draining() {
        let detail = "The service is shutting down and takes no new work.";
        return Err(not_ready("draining", detail, Vec::new()));
    }
    let checks = state.services.health.check().await;
    let failing = |check: &&Check| check.required && !check.ok;
    if checks.iter().any(|check| failing(&check)) {
        let detail = "The service cannot do its work; see checks.";
        return Err(not_ready("not_ready", detail, checks));
    }
    let checks = checks.into_iter().map(HealthCheck::from).collect();
    Ok(web::Json(Readiness { status: "ready", checks }))
}

fn not_ready(code: &'static str, detail: &'static str, checks: Vec<Check>) -> ApiError {
    let failing: Vec<_> =
        checks.into_iter().filter(|check| !check.ok).map(HealthCheck::from).collect();
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        .with_member("checks", serde_json::to_value(failing).unwrap_or_default())
        .retry_after(LOOK_AGAIN)
}
