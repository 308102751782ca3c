//! The service about itself.

use application::ports::Check;
use serde::Serialize;
use utoipa::ToSchema;

/// Where everything is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServiceInfo {
    /// The name of this installation.
    #[schema(example = "SaaS-IA")]
    pub(crate) name: String,
    /// The version of the service.
    #[schema(example = "0.1.0")]
    pub(crate) version: String,
    /// Where to go from here.
    pub(crate) links: ServiceLinks,
}

/// Paths of the pages about the service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServiceLinks {
    /// The interactive reference.
    #[schema(example = "/docs")]
    pub(crate) docs: &'static str,
    /// The reference to read.
    #[schema(example = "/redoc")]
    pub(crate) redoc: &'static str,
    /// The description for programs.
    #[schema(example = "/openapi.json")]
    pub(crate) openapi: &'static str,
    /// Whether the service is up.
    #[schema(example = "/health")]
    pub(crate) health: &'static str,
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    pub(crate) status: &'static str,
    /// The name of this installation.
    #[schema(example = "SaaS-IA")]
    pub(crate) app_name: String,
    /// Where it runs.
    #[schema(example = "development")]
    pub(crate) environment: String,
    /// The version of the service.
    #[schema(example = "0.1.0")]
    pub(crate) version: String,
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    /// Always `alive`.
    #[schema(example = "alive")]
    pub(crate) status: &'static str,
}

/// The service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Always `ready`.
    #[schema(example = "ready")]
    pub(crate) status: &'static str,
    /// Everything that was looked at.
    pub(crate) checks: Vec<HealthCheck>,
}

/// One thing that the service depends on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthCheck {
    /// What was looked at.
    #[schema(example = "database")]
    pub(crate) name: String,
    /// Whether it is well.
    #[schema(example = true)]
    pub(crate) ok: bool,
    /// Whether the service is not ready without it.
    #[schema(example = true)]
    pub(crate) required: bool,
    /// A word on it.
    #[schema(example = "ok")]
    pub(crate) detail: String,
}

impl From<Check> for HealthCheck {
    fn from(check: Check) -> Self {
        Self {
            name: check.name.to_owned(),
            ok: check.ok,
            required: check.required,
            detail: check.detail,
        }
    }
}
