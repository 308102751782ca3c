//! What every request can reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::web::Bytes;
use application::Services;
use ipnet::IpNet;

#[cfg(feature = "flood-shield")]
use crate::flood::FloodShield;
use crate::{UploadPace, openapi};

/// How the service presents itself and whom it believes.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// The name of this installation.
    pub app_name: String,
    /// Where it runs, such as `production`.
    pub environment: String,
    /// The version of the service.
    pub version: String,
    /// Origins whose pages may call, exactly as browsers send them; `*` for any.
    pub cors_origins: Vec<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The shield in front of everything; has no effect without the feature `flood-shield`.
    pub flood: Option<FloodLimit>,
    /// Whether answers tell browsers to insist on TLS.
    pub hsts: bool,
    /// How long a client may take to send a body.
    pub body_deadline: Duration,
    /// How slowly a client may send a file.
    pub upload_pace: UploadPace,
    /// Most connections of one worker thread, each of which takes two open files; at least 1.
    pub connections: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            app_name: "SaaS-IA".to_owned(),
            environment: "development".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            flood: None,
            hsts: false,
            body_deadline: Duration::from_secs(10),
            upload_pace: UploadPace::default(),
            connections: 2_000,
        }
    }
}

/// How many calls one address may make before anything looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimit {
    /// Sustained calls a second; at least 1.
    pub per_second: u32,
    /// Calls that may come at once; at least 1.
    pub burst: u32,
}

/// Shared by every request of every worker thread.
pub struct ApiState {
    pub(crate) services: Arc<Services>,
    pub(crate) config: ApiConfig,
    pub(crate) description: Bytes,
    #[cfg(feature = "flood-shield")]
    pub(crate) flood: Option<FloodShield>,
    draining: AtomicBool,
}

impl ApiState {
    /// Prepares what is shared: the description is written once.
    pub fn new(services: Arc<Services>, config: ApiConfig) -> Self {
        let description = openapi().to_json().expect("the description is made of plain values");
        Self {
            #[cfg(feature = "flood-shield")]
            flood: config.flood.and_then(FloodShield::new),
            services,
            config,
            description: Bytes::from(description),
            draining: AtomicBool::new(false),
        }
    }

    /// From now on `/health/ready` answers 503, so that no new work is sent here.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to drain.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
