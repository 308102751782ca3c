//! The groups of settings, each as the part of the program needs it that it is for.
//!
//! Every value of a group is read before the first is used, so that all faults are seen.

use std::{path::PathBuf, time::Duration};

use application::limits::Quotas;
use infrastructure::security::JwtAlgorithm;
use ipnet::IpNet;
use secrecy::SecretString;

use super::{
    CorsOrigins, DatabaseSettings, Environment, FloodLimit, SecretKey, database, reader::Reader,
    secret_key, values,
};
use crate::logging::{LogFilter, LogFormat};

/// This machine alone.
const LOOPBACK: &str = "127.0.0.1";

/// What is logged.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `LOG_LEVEL`.
    pub filter: LogFilter,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
}

impl LogSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let filter = reader.required("LOG_LEVEL", LogFilter::parse);
        let format = reader.required("LOG_FORMAT", |text| match text {
            "pretty" => Ok(LogFormat::Pretty),
            "json" => Ok(LogFormat::Json),
            _ => Err("must be pretty or json".to_owned()),
        });
        Some(Self { filter: filter?, format: format? })
    }
}

/// How clients are served.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `HOST`: a name or an address, IPv6 without brackets.
    pub host: String,
    /// `PORT`; 0 takes a free one.
    pub port: u16,
    /// `WORKER_HEALTH_PORT`: where a process that only runs jobs tells how it is.
    pub worker_health_port: Option<u16>,
    /// On which host it does: `HOST` where an operator has set it, else this machine alone.
    pub worker_health_host: String,
    /// `WORKERS`: HTTP threads.
    pub workers: usize,
    /// `CORS_ORIGINS`.
    pub cors_origins: CorsOrigins,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
    /// `RATE_LIMITS`.
    pub quotas: Quotas,
    /// `FLOOD_LIMIT`; `None` when it, or `RATE_LIMITS` as a whole, is off.
    pub flood_limit: Option<FloodLimit>,
}

impl HttpSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let host = reader.required("HOST", values::host);
        let health_host = host.clone().filter(|_| reader.is_chosen("HOST"));
        let port = reader.required("PORT", values::number(0..=65_535));
        let health_port = reader.optional("WORKER_HEALTH_PORT", values::number(1..=65_535));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = match reader.text("WORKERS") {
            None => Some(cores),
            Some(_) => reader
                .optional("WORKERS", values::number(1..=1_024))
                .and_then(|workers| usize::try_from(workers).ok()),
        };
        let cors_origins = match reader.text("CORS_ORIGINS") {
            None => Some(CorsOrigins::Only(Vec::new())),
            Some(_) => reader.optional("CORS_ORIGINS", values::cors_origins),
        };
        if cors_origins == Some(CorsOrigins::Any) {
            reader.refuse_in_production("CORS_ORIGINS", "lets every site use the API");
        }
        let trusted_proxies = reader.list("TRUSTED_PROXIES", values::network);
        let quotas = Self::gather_quotas(reader);
        let flood_limit = reader.required("FLOOD_LIMIT", values::flood_limit);
        Some(Self {
            host: host?,
            port: u16::try_from(port?).ok()?,
            worker_health_host: health_host.unwrap_or_else(|| LOOPBACK.to_owned()),
            worker_health_port: health_port.and_then(|port| u16::try_from(port).ok()),
            workers: workers?,
            cors_origins: cors_origins?,
            trusted_proxies: trusted_proxies?,
            quotas: quotas?,
            flood_limit: flood_limit?.filter(|_| quotas != Some(Quotas::OFF)),
        })
    }

    fn gather_quotas(reader: &mut Reader) -> Option<Quotas> {
        let quotas = match reader.text("RATE_LIMITS") {
            None => Some(Quotas::default()),
            Some(_) => reader.optional("RATE_LIMITS", values::rate_limits),
        };
        if quotas == Some(Quotas::OFF) {
            reader.refuse_in_production("RATE_LIMITS", "turns every limit off");
        }
        quotas
    }
}

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct StorageSettings {
    /// `DATA_DIR`.
    pub data_dir: PathBuf,
    /// `DATABASE_URL`.
    pub database: DatabaseSettings,
    /// `DATABASE_POOL_SIZE`: connections of this process that serve requests.
    pub pool_size: usize,
}

impl StorageSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let data_dir = reader.required("DATA_DIR", |text| Ok(text.to_owned()));
        let database = DatabaseSettings::gather(reader, data_dir.as_deref().unwrap_or_default());
        let pool_size = database::gather_pool_size(reader);
        Some(Self {
            data_dir: PathBuf::from(data_dir?),
            database: database?,
            pool_size: pool_size?,
        })
    }
}

/// Passwords and tokens.
#[derive(Debug, Clone)]
pub struct SecuritySettings {
    /// `SECRET_KEY`.
    pub secret_key: SecretKey,
    /// `ALGORITHM`.
    pub algorithm: JwtAlgorithm,
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`.
    pub access_token_ttl: Duration,
    /// The first of `PASSWORD_PEPPER`, for new digests.
    pub pepper: Option<SecretString>,
    /// The others of `PASSWORD_PEPPER`, for digests made before it was changed.
    pub previous_peppers: Vec<SecretString>,
    /// `BCRYPT_COST`.
    pub bcrypt_cost: u32,
}

impl SecuritySettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let secret_key = Self::gather_secret_key(reader);
        let algorithm = reader.required("ALGORITHM", |text| {
            JwtAlgorithm::from_word(text).ok_or_else(|| "must be HS256, HS384 or HS512".to_owned())
        });
        let minutes = reader.required("ACCESS_TOKEN_EXPIRE_MINUTES", values::number(1..=10_080));
        let mut peppers = Self::gather_peppers(reader);
        let lowest = if reader.environment == Environment::Test { 4 } else { 10 };
        let bcrypt_cost = reader.required("BCRYPT_COST", values::number(lowest..=20));
        let first = (!peppers.is_empty()).then(|| peppers.remove(0));
        Some(Self {
            secret_key: secret_key?,
            algorithm: algorithm?,
            access_token_ttl: Duration::from_secs(minutes? * 60),
            pepper: first,
            previous_peppers: peppers,
            bcrypt_cost: u32::try_from(bcrypt_cost?).ok()?,
        })
    }

    fn gather_secret_key(reader: &mut Reader) -> Option<SecretKey> {
        let Some(secret) = reader.text("SECRET_KEY").map(str::to_owned) else {
            if reader.is_production() {
                reader.fault("SECRET_KEY", "is missing; make one with `openssl rand -base64 48`");
                return None;
            }
            return Some(SecretKey::Kept(
                PathBuf::from(reader.text("DATA_DIR")?).join("secret-key"),
            ));
        };
        if let Err(problem) = secret_key::judge(&secret) {
            reader.refuse_in_production("SECRET_KEY", &problem);
        }
        Some(SecretKey::Given(secret.into()))
    }

    /// One pepper, or several with the newest first, separated by commas or blanks.
    fn gather_peppers(reader: &mut Reader) -> Vec<SecretString> {
        let text = reader.text("PASSWORD_PEPPER").unwrap_or_default().to_owned();
        let is_break = |c: char| c == ',' || c.is_whitespace();
        let peppers: Vec<&str> = text.split(is_break).filter(|part| !part.is_empty()).collect();
        if peppers.iter().any(|pepper| reader.text("SECRET_KEY") == Some(pepper)) {
            reader.fault("PASSWORD_PEPPER", "must differ from SECRET_KEY");
        }
        for problem in peppers.iter().filter_map(|pepper| secret_key::judge(pepper).err()) {
            reader.refuse_in_production("PASSWORD_PEPPER", &problem);
        }
        peppers.into_iter().map(SecretString::from).collect()
    }
}

/// How jobs are run.
#[derive(Debug, Clone, Copy)]
pub struct JobSettings {
    /// `JOB_CONCURRENCY`: leased stages at once in this process.
    pub concurrency: u32,
    /// `JOB_LEASE_SECONDS`.
    pub lease: Duration,
    /// `PROVIDER_CONCURRENCY`: jobs at AssemblyAI at once, over all processes.
    pub provider_concurrency: u32,
    /// `SUBMISSION_SETTLE_SECONDS`: how long a submission whose answer was lost is looked for.
    pub settle: Duration,
    /// `ERASE_PROVIDER_COPIES`: whether AssemblyAI's copy goes once the transcript is stored.
    pub erase_provider_copies: bool,
}

impl JobSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let concurrency = reader.required("JOB_CONCURRENCY", values::number(1..=1_000));
        let lease = reader.required("JOB_LEASE_SECONDS", values::number(1..=3_600));
        let provider = reader.required("PROVIDER_CONCURRENCY", values::number(1..=100_000));
        let settle = reader.required("SUBMISSION_SETTLE_SECONDS", values::number(1..=86_400));
        let erase = reader.required("ERASE_PROVIDER_COPIES", values::truth);
        Some(Self {
            concurrency: u32::try_from(concurrency?).ok()?,
            lease: Duration::from_secs(lease?),
            provider_concurrency: u32::try_from(provider?).ok()?,
            settle: Duration::from_secs(settle?),
            erase_provider_copies: erase?,
        })
    }
}

/// What may be fetched.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// `MEDIA_MAX_BYTES`.
    pub max_bytes: u64,
    /// `MEDIA_MAX_SECONDS`.
    pub max_duration: Duration,
    /// `MEDIA_ALLOWED_NETWORKS`.
    pub allowed_networks: Vec<IpNet>,
    /// `FFPROBE_PATH`; once [`super::Settings::read`] has looked for it, the program itself, or
    /// `None` when there is none.
    pub ffprobe: Option<PathBuf>,
    /// `YTDLP_PATH`, likewise.
    pub ytdlp: Option<PathBuf>,
    /// `FFMPEG_PATH`, likewise.
    pub ffmpeg: Option<PathBuf>,
}

impl MediaSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let max_bytes = reader.required("MEDIA_MAX_BYTES", values::bytes);
        let seconds = reader.required("MEDIA_MAX_SECONDS", values::number(1..=360_000));
        let allowed_networks = reader.list("MEDIA_ALLOWED_NETWORKS", values::network);
        let program = |name: &str| reader.text(name).map(PathBuf::from);
        let (ffprobe, ytdlp) = (program("FFPROBE_PATH"), program("YTDLP_PATH"));
        let ffmpeg = program("FFMPEG_PATH");
        Some(Self {
            max_bytes: max_bytes?,
            max_duration: Duration::from_secs(seconds?),
            allowed_networks: allowed_networks?,
            ffprobe,
            ytdlp,
            ffmpeg,
        })
    }
}
