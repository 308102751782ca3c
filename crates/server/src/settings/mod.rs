//! What the operator decides: read from files and the environment, judged as a whole, and passed
//! on as typed values. No other part of the program reads the environment.
//!
//! In rising order: the `config/` of the repository, carried by the binary (`default.toml`, then
//! that of the environment), the same two files of a folder, `.env` in development, the
//! environment. An empty value is no value. Every fault is reported at once, by name.

mod database;
mod describe;
mod engine;
mod groups;
mod networks;
mod programs;
mod reader;
mod redis;
mod secret_key;
mod sources;
mod uploads;
mod values;

use std::{fmt, path::PathBuf};

pub use database::{DatabaseSettings, PostgresUrl};
pub use engine::{EngineChoice, EngineSettings};
pub use groups::{
    HttpSettings, JobSettings, LogSettings, MediaSettings, SecuritySettings, StorageSettings,
};
pub use redis::RedisSettings;
pub use secret_key::SecretKey;
pub use sources::Sources;
pub use uploads::UploadSettings;
pub use values::{CorsOrigins, FloodLimit};

use reader::Reader;

/// Every setting of this version.
const NAMES: [&str; 46] = [
    "ENVIRONMENT",
    "CONFIG_DIR",
    "APP_NAME",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "HOST",
    "PORT",
    "WORKER_HEALTH_PORT",
    "WORKERS",
    "DATA_DIR",
    "DATABASE_URL",
    "DATABASE_POOL_SIZE",
    "REDIS_URL",
    "SECRET_KEY",
    "ALGORITHM",
    "ACCESS_TOKEN_EXPIRE_MINUTES",
    "PASSWORD_PEPPER",
    "BCRYPT_COST",
    "CORS_ORIGINS",
    "TRUSTED_PROXIES",
    "RATE_LIMITS",
    "FLOOD_LIMIT",
    "ENGINE",
    "ASSEMBLYAI_API_KEY",
    "ASSEMBLYAI_BASE_URL",
    "ASSEMBLYAI_MODELS",
    "PUBLIC_URL",
    "MOCK_DELAY_MS",
    "JOB_CONCURRENCY",
    "JOB_LEASE_SECONDS",
    "PROVIDER_CONCURRENCY",
    "SUBMISSION_SETTLE_SECONDS",
    "ERASE_PROVIDER_COPIES",
    "MEDIA_MAX_BYTES",
    "MEDIA_MAX_SECONDS",
    "MEDIA_ALLOWED_NETWORKS",
    "FFPROBE_PATH",
    "UPLOAD_QUOTA_BYTES",
    "OBJECT_STORE_URL",
    "OBJECT_STORE_ENDPOINT",
    "OBJECT_STORE_REGION",
    "OBJECT_STORE_ACCESS_KEY_ID",
    "OBJECT_STORE_SECRET_ACCESS_KEY",
    "OBJECT_STORE_ALLOW_HTTP",
    "YTDLP_PATH",
    "FFMPEG_PATH",
];

/// Settings of other versions: to set one is no fault, but it does nothing here.
const UNUSED: [&str; 2] = ["METRICS_TOKEN", "REFRESH_TOKEN_EXPIRE_DAYS"];

/// Where the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's machine: works with nothing set.
    Development,
    /// For others: refuses what is not safe.
    Production,
    /// In a suite.
    Test,
}

impl Environment {
    const ALL: [Self; 3] = [Self::Development, Self::Production, Self::Test];

    /// The word used in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

/// The settings in force. Secrets are in types that do not show them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ENVIRONMENT`.
    pub environment: Environment,
    /// `APP_NAME`.
    pub app_name: String,
    /// The folder whose files were read, if there was one.
    pub config_dir: Option<PathBuf>,
    /// What is logged.
    pub log: LogSettings,
    /// How clients are served.
    pub http: HttpSettings,
    /// Where things are kept.
    pub storage: StorageSettings,
    /// What instances share.
    pub redis: RedisSettings,
    /// Passwords and tokens.
    pub security: SecuritySettings,
    /// Who recognises speech.
    pub engine: EngineSettings,
    /// How jobs are run.
    pub jobs: JobSettings,
    /// What may be fetched.
    pub media: MediaSettings,
    /// What users may hand in.
    pub uploads: UploadSettings,
    /// What is allowed but should be said at start.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads and judges the settings of this process, and looks for the programs they name.
    ///
    /// # Errors
    /// [`SettingsError`] with every fault.
    pub fn read() -> Result<Self, SettingsError> {
        let mut settings = Self::load(&Sources::read())?;
        let media = &mut settings.media;
        let mut faults = Vec::new();
        for (name, program, default) in [
            ("FFPROBE_PATH", &mut media.ffprobe, "ffprobe"),
            ("YTDLP_PATH", &mut media.ytdlp, "yt-dlp"),
            ("FFMPEG_PATH", &mut media.ffmpeg, "ffmpeg"),
        ] {
            match programs::resolve(name, program.as_deref(), default) {
                Ok(found) => *program = found,
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(SettingsError { faults });
        }
        Ok(settings)
    }

    /// Judges what was read. A computation: no I/O.
    ///
    /// # Errors
    /// [`SettingsError`] with every fault.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(sources);
        let settings = Self::gather(&mut reader, sources);
        match settings {
            Some(settings) if reader.faults.is_empty() => {
                Ok(Self { warnings: reader.warnings, ..settings })
            }
            _ => Err(SettingsError { faults: reader.faults }),
        }
    }

    fn gather(reader: &mut Reader, sources: &Sources) -> Option<Self> {
        let app_name = reader.required("APP_NAME", |text| {
            domain::text::check(text, 100).map(|()| text.to_owned()).map_err(|e| e.to_string())
        });
        let log = LogSettings::gather(reader);
        let http = HttpSettings::gather(reader);
        let storage = StorageSettings::gather(reader);
        let redis = RedisSettings::gather(reader);
        let security = SecuritySettings::gather(reader);
        let engine = EngineSettings::gather(reader);
        let jobs = JobSettings::gather(reader);
        let media = MediaSettings::gather(reader);
        let uploads = UploadSettings::gather(reader);
        if let (Some(storage), Some(UploadSettings { bucket: None, .. })) = (&storage, &uploads)
            && storage.database.is_shared()
        {
            reader.warn(
                "OBJECT_STORE_URL is not set: every process that uses this database needs the \
                 same folder as `uploads` in its DATA_DIR, or it does not find the files that \
                 users hand in",
            );
        }
        if let (Some(storage), Some(SecuritySettings { secret_key: SecretKey::Kept(path), .. })) =
            (&storage, &security)
            && storage.database.is_shared()
        {
            reader.warn(format!(
                "SECRET_KEY is not set, and a random one is kept in {}: a process that does not \
                 have that file refuses the sessions of this one",
                path.display()
            ));
        }
        reader.warn_of_unused();
        Some(Self {
            environment: reader.environment,
            app_name: app_name?,
            config_dir: sources.config_dir.clone(),
            log: log?,
            http: http?,
            storage: storage?,
            redis: redis?,
            security: security?,
            engine: engine?,
            jobs: jobs?,
            media: media?,
            uploads: uploads?,
            warnings: Vec::new(),
        })
    }
}

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable, or the file.
    pub name: String,
    /// What is wrong. Never the value: it could be a secret.
    pub problem: String,
}

/// Why the service does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used:")?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {}: {}", fault.name, fault.problem))
    }
}
