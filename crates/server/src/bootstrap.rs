//! The composition root: settings become adapters, adapters become a service.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use api::{ApiConfig, FloodLimit};
use application::{
    Adapters, EngineConfig,
    ports::{Clock, SpeechToText},
    uploads::UploadLimits,
};
use chrono::TimeDelta;
use domain::{AddressPolicy, SettlePolicy};
use infrastructure::{
    confinement::Confinement,
    engines::{
        assemblyai::{AssemblyAi, AssemblyAiConfig},
        mock::MockEngine,
    },
    media::{ClaimedFolder, FetchLimits, MediaConfig, MediaLibrary, YouTubeState},
    objects::Objects,
    persistence::Store,
    security::{BcryptConfig, BcryptHasher, JwtConfig, JwtTokens},
    system::{OsEntropy, UuidV7Ids},
};

use crate::{
    probe::Probe,
    serve::ServeConfig,
    settings::{CorsOrigins, EngineChoice, Environment, Settings},
    sharing,
};

/// What fetched audio leaves free on the disk, in bytes. Well above the floor of the readiness
/// check: large recordings wait long before the database, on the same disk, is short of room.
const MIN_FREE_BYTES: u64 = 256 * 1024 * 1024;

/// Where in the data folder recordings lie that are worked on.
const WORK: &str = "work";

/// Connects every port to the adapter that the settings choose.
///
/// # Errors
/// When one of them cannot work.
pub fn adapters(settings: &Settings, store: &Arc<Store>) -> anyhow::Result<Adapters> {
    let clock = store.clock();
    let ids = Arc::new(UuidV7Ids);
    let security = &settings.security;
    let secret = security.secret_key.resolve(&OsEntropy).context("SECRET_KEY")?;
    let speech = speech(settings, &clock)?;
    let data_dir = settings.storage.data_dir.clone();
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("cannot make {}", data_dir.display()))?;
    let objects = Arc::new(objects(settings)?);
    let work =
        ClaimedFolder::take(&data_dir.join(WORK)).context("cannot take a folder to work in")?;
    let media = MediaLibrary::new(media(settings)).holding(work).with_uploads(objects.clone());
    let media = Arc::new(media);
    tokio::spawn(tell_of_youtube(media.clone()));
    let shared = sharing::shared(settings, store.clone(), &clock, &*ids)?;
    Ok(Adapters {
        users: shared.users,
        transcriptions: store.clone(),
        jobs: store.clone(),
        media: media.clone(),
        objects,
        limiter: shared.limiter,
        events: shared.events,
        hasher: Arc::new(BcryptHasher::new(&BcryptConfig {
            cost: security.bcrypt_cost,
            pepper: security.pepper.clone(),
            previous_peppers: security.previous_peppers.clone(),
            ..BcryptConfig::default()
        })),
        tokens: Arc::new(JwtTokens::new(
            &JwtConfig { secret, algorithm: security.algorithm, ttl: security.access_token_ttl },
            ids.clone(),
        )),
        health: Arc::new(
            Probe::new(store.clone(), data_dir, speech.name(), media).with_redis(shared.redis),
        ),
        speech,
        clock,
        ids,
        entropy: Arc::new(OsEntropy),
    })
}

fn speech(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn SpeechToText>> {
    let engine = &settings.engine;
    Ok(match &engine.choice {
        EngineChoice::Mock => Arc::new(MockEngine::new(engine.mock_delay, clock.clone())),
        EngineChoice::AssemblyAi { api_key } => {
            let mut config = AssemblyAiConfig::new(
                engine.assemblyai_base_url.clone(),
                api_key.clone(),
                engine.assemblyai_models.clone(),
            );
            config.public_url.clone_from(&engine.public_url);
            Arc::new(AssemblyAi::new(config, clock.clone()).context("ASSEMBLYAI settings")?)
        }
    })
}

/// Says in the log whether videos of `YouTube` can be fetched.
async fn tell_of_youtube(media: Arc<MediaLibrary>) {
    match media.youtube().await {
        state @ YouTubeState::Ready(_) => {
            tracing::info!(event = "youtube_ready", "YouTube is fetched with {state}");
        }
        state @ YouTubeState::Missing(_) => {
            tracing::info!(event = "youtube_unavailable", "YouTube is not fetched: {state}");
        }
        state @ (YouTubeState::Outdated(_) | YouTubeState::Broken(_)) => {
            tracing::warn!(event = "youtube_unavailable", "YouTube is not fetched: {state}");
        }
    }
}

/// By what foreign programs are held: by this binary, also when its file has been replaced since.
fn confinement() -> Confinement {
    if cfg!(target_os = "linux") {
        Confinement::by("/proc/self/exe".into())
    } else {
        Confinement::none()
    }
}

fn media(settings: &Settings) -> MediaConfig {
    let media = &settings.media;
    if media.ffprobe.is_none() {
        tracing::info!(
            event = "ffprobe_missing",
            "no ffprobe on PATH: recordings are not looked at before they are sent"
        );
    }
    MediaConfig {
        work_dir: settings.storage.data_dir.join(WORK),
        max_bytes: media.max_bytes,
        min_free_bytes: MIN_FREE_BYTES,
        max_seconds: media.max_duration.as_secs(),
        policy: policy(settings),
        ffprobe: media.ffprobe.clone(),
        ytdlp: media.ytdlp.clone(),
        ffmpeg: media.ffmpeg.clone(),
        confinement: confinement(),
        limits: FetchLimits::default(),
    }
}

fn objects(settings: &Settings) -> anyhow::Result<Objects> {
    if let Some(bucket) = &settings.uploads.bucket {
        return Objects::in_bucket(bucket).context("OBJECT_STORE settings");
    }
    let folder = settings.storage.data_dir.join("uploads");
    Objects::in_folder(&folder, MIN_FREE_BYTES).context("DATA_DIR")
}

/// Which addresses may be fetched from.
pub fn policy(settings: &Settings) -> AddressPolicy {
    AddressPolicy::new(settings.media.allowed_networks.clone())
}

/// A window of at most a day, as the settings have it.
fn settle(window: Duration) -> TimeDelta {
    TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX)
}

/// What the service needs beside its adapters.
pub fn serve_config(settings: &Settings) -> ServeConfig {
    let (http, jobs) = (&settings.http, &settings.jobs);
    ServeConfig {
        quotas: http.quotas,
        policy: policy(settings),
        uploads: UploadLimits {
            max_bytes: settings.media.max_bytes,
            quota_bytes: settings.uploads.quota_bytes,
            ..UploadLimits::default()
        },
        engine: EngineConfig {
            slots: jobs.concurrency,
            // One slot is always left for somebody else: slow sources of one user must not stop
            // all others.
            per_owner: jobs.concurrency.saturating_sub(1).max(1),
            provider_cap: jobs.provider_concurrency,
            alone: !settings.storage.database.is_shared(),
            lease: jobs.lease,
            settle: SettlePolicy { window: settle(jobs.settle), ..SettlePolicy::default() },
            erase_after_store: jobs.erase_provider_copies,
            ..EngineConfig::default()
        },
        api: ApiConfig {
            app_name: settings.app_name.clone(),
            environment: settings.environment.as_str().to_owned(),
            cors_origins: match &http.cors_origins {
                CorsOrigins::Any => vec!["*".to_owned()],
                CorsOrigins::Only(origins) => origins.clone(),
            },
            trusted_proxies: http.trusted_proxies.clone(),
            flood: http
                .flood_limit
                .map(|limit| FloodLimit { per_second: limit.per_second, burst: limit.burst }),
            hsts: settings.environment == Environment::Production,
            ..ApiConfig::default()
        },
        workers: http.workers,
    }
}
