//! The effective settings as the environment would write them, secrets hidden.

use std::path::PathBuf;

use application::{BudgetName, limits::Quotas};

use super::{CorsOrigins, EngineChoice, SecretKey, Settings};

/// What is shown of a secret that is set.
pub(super) const HIDDEN: &str = "***";

impl Settings {
    /// Every setting as a line `NAME=value`, in the order of the documentation. A secret is shown
    /// as `***`, one that the service makes itself as `(generated)`, and an absent value as
    /// nothing.
    pub fn describe(&self) -> String {
        let groups = [
            self.service(),
            self.serving(),
            self.redis.describe(),
            self.guarding(),
            self.working(),
            self.uploads.describe(),
        ];
        let lines = groups.into_iter().flatten().map(|(name, value)| format!("{name}={value}\n"));
        lines.collect()
    }

    fn service(&self) -> Vec<(&'static str, String)> {
        let config_dir = self.config_dir.as_ref().map(|dir| dir.display().to_string());
        vec![
            ("ENVIRONMENT", self.environment.as_str().to_owned()),
            ("CONFIG_DIR", config_dir.unwrap_or_default()),
            ("APP_NAME", self.app_name.clone()),
            ("LOG_LEVEL", self.log.filter.as_str().to_owned()),
            ("LOG_FORMAT", self.log.format.as_str().to_owned()),
        ]
    }

    fn serving(&self) -> Vec<(&'static str, String)> {
        let http = &self.http;
        let origins = match &http.cors_origins {
            CorsOrigins::Any => "*".to_owned(),
            CorsOrigins::Only(origins) => origins.join(","),
        };
        vec![
            ("HOST", http.host.clone()),
            ("PORT", http.port.to_string()),
            (
                "WORKER_HEALTH_PORT",
                http.worker_health_port.map(|port| port.to_string()).unwrap_or_default(),
            ),
            ("WORKERS", http.workers.to_string()),
            ("DATA_DIR", self.storage.data_dir.display().to_string()),
            ("DATABASE_URL", self.storage.database.to_string()),
            ("DATABASE_POOL_SIZE", self.storage.pool_size.to_string()),
            ("CORS_ORIGINS", origins),
            ("TRUSTED_PROXIES", joined(&http.trusted_proxies)),
            ("RATE_LIMITS", rate_limits(&http.quotas)),
            ("FLOOD_LIMIT", http.flood_limit.map_or_else(|| "off".to_owned(), |l| l.to_string())),
        ]
    }

    fn guarding(&self) -> Vec<(&'static str, String)> {
        let security = &self.security;
        let secret_key = match security.secret_key {
            SecretKey::Given(_) => HIDDEN,
            SecretKey::Kept(_) => "(generated)",
        };
        let minutes = security.access_token_ttl.as_secs() / 60;
        vec![
            ("SECRET_KEY", secret_key.to_owned()),
            ("ALGORITHM", security.algorithm.as_str().to_owned()),
            ("ACCESS_TOKEN_EXPIRE_MINUTES", minutes.to_string()),
            ("PASSWORD_PEPPER", security.pepper.as_ref().map_or("", |_| HIDDEN).to_owned()),
            ("BCRYPT_COST", security.bcrypt_cost.to_string()),
        ]
    }

    fn working(&self) -> Vec<(&'static str, String)> {
        let (engine, jobs, media) = (&self.engine, &self.jobs, &self.media);
        let api_key = match engine.choice {
            EngineChoice::Mock => "",
            EngineChoice::AssemblyAi { .. } => HIDDEN,
        };
        let base_url = engine.assemblyai_base_url.as_str().trim_end_matches('/');
        let public_url = engine.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/'));
        let program = |found: &Option<PathBuf>| {
            found.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
        };
        vec![
            ("ENGINE", engine.choice.as_str().to_owned()),
            ("ASSEMBLYAI_API_KEY", api_key.to_owned()),
            ("ASSEMBLYAI_BASE_URL", base_url.to_owned()),
            ("ASSEMBLYAI_MODELS", engine.assemblyai_models.join(",")),
            ("PUBLIC_URL", public_url.unwrap_or_default().to_owned()),
            ("MOCK_DELAY_MS", engine.mock_delay.as_millis().to_string()),
            ("JOB_CONCURRENCY", jobs.concurrency.to_string()),
            ("JOB_LEASE_SECONDS", jobs.lease.as_secs().to_string()),
            ("PROVIDER_CONCURRENCY", jobs.provider_concurrency.to_string()),
            ("SUBMISSION_SETTLE_SECONDS", jobs.settle.as_secs().to_string()),
            ("ERASE_PROVIDER_COPIES", jobs.erase_provider_copies.to_string()),
            ("MEDIA_MAX_BYTES", media.max_bytes.to_string()),
            ("MEDIA_MAX_SECONDS", media.max_duration.as_secs().to_string()),
            ("MEDIA_ALLOWED_NETWORKS", joined(&media.allowed_networks)),
            ("FFPROBE_PATH", program(&media.ffprobe)),
            ("YTDLP_PATH", program(&media.ytdlp)),
            ("FFMPEG_PATH", program(&media.ffmpeg)),
        ]
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn rate_limits(quotas: &Quotas) -> String {
    if *quotas == Quotas::OFF {
        return "off".to_owned();
    }
    let budgets = BudgetName::TABLE.map(|(budget, name, _)| match quotas.get(budget) {
        None => format!("{name}=off"),
        Some(budget) => format!("{name}={}/minute", budget.quota),
    });
    budgets.join(",")
}
