//! The command `transcribe`: one job through the very pipeline of the service, without a server.
//!
//! Everything it keeps lies in a private folder that goes with it: it may run beside a service,
//! whose data it does not touch.

mod ending;
mod output;
mod progress;
mod request;
mod signals;
mod witness;

pub(crate) use ending::EXIT_CODES;
pub(crate) use output::DEFAULT as DEFAULT_FORMAT;

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use application::{
    Adapters, Engine, EngineConfig, EngineHandle, Transcriptions, ports::Hints,
    transcriptions::TranscriptionError,
};
use domain::{
    Email, Metadata, PasswordDigest, RetryPolicy, Source, SourceFacts, Transcription,
    TranscriptionId, TranscriptionOptions, TranscriptionState, User, UserId,
};
use infrastructure::persistence::Store;
use tempfile::TempDir;

use crate::{
    bootstrap,
    cli::TranscribeArgs,
    database,
    logging::{self, LogFilter},
    settings::{
        DatabaseSettings, EngineChoice, RedisSettings, SecretKey, Settings, StorageSettings,
    },
};
use ending::Ending;
use output::Output;
use progress::Progress;
use request::{HandInError, HandedIn, Request};
use signals::Signals;
use witness::Witness;

/// How long the job may go unnoticed when a hint is lost.
const LOOK: Duration = Duration::from_secs(1);

/// How long the end may take: what runs is finished, and copies at the engine are erased.
const CLOSING: Duration = Duration::from_mins(1);

/// Transcribes one recording, and prints the result.
///
/// # Errors
/// What keeps this machine from trying at all. A job that fails is told on the standard error, and
/// by the exit code.
pub(crate) async fn run(args: &TranscribeArgs, settings: Settings) -> anyhow::Result<ExitCode> {
    let progress = Progress::new();
    let quiet = LogFilter::warnings();
    let filter = if args.verbose { &settings.log.filter } else { &quiet };
    logging::init_onto(filter, settings.log.format, progress.writer())?;
    for warning in &settings.warnings {
        tracing::info!(event = "setting_warning", "{warning}");
    }
    let request = Request::read(args);
    let (request, output) = match request.and_then(|request| Ok((request, Output::open(args)?))) {
        Ok(ready) => ready,
        Err(problem) => return Ok(Ending::Misused(problem).tell()),
    };
    if matches!(settings.engine.choice, EngineChoice::Mock) {
        ending::say(
            "speech is SIMULATED by the mock engine; set ASSEMBLYAI_API_KEY to recognise it",
        );
    }
    let mut signals = Signals::listen()?;
    let folder = private_folder()?;
    let settings = within(settings, folder.path());
    let mut shop = Workshop::open(&settings).await?;
    let ending = shop.transcribe(&request, &settings, &progress, &mut signals).await;
    progress.finish();
    // What was paid for is handed out before anything else can go wrong.
    let ending = ending.map(|ending| ending.hand_out(output));
    let done = matches!(ending, Ok(Ending::HandedOut));
    let code = ending.map(Ending::tell);
    let erase = !done || settings.jobs.erase_provider_copies;
    tokio::select! {
        () = shop.close(erase) => {}
        _ = signals.next() => {}
    }
    code
}

/// A folder that nobody else can look into, and that is removed at the end.
fn private_folder() -> anyhow::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("saas-ia-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().context("cannot make a temporary folder")
}

/// The settings of a process that keeps everything in `folder`.
fn within(mut settings: Settings, folder: &Path) -> Settings {
    settings.storage = StorageSettings {
        data_dir: folder.to_owned(),
        database: DatabaseSettings::Sqlite(folder.join("saas-ia.db")),
        ..settings.storage
    };
    settings.security.secret_key = SecretKey::Kept(folder.join("secret"));
    settings.uploads.bucket = None;
    settings.redis = RedisSettings::none();
    // Nobody here can be called.
    settings.engine.public_url = None;
    settings
}

/// As that of the service, but for a job whose operator is there: what only he can mend is told at
/// once instead of being waited for.
fn engine_config(settings: &Settings) -> EngineConfig {
    let config = bootstrap::serve_config(settings).engine;
    let retry = RetryPolicy { waits_for_operator: false, max_throttled: 1, ..config.retry };
    EngineConfig { retry, ..config }
}

/// The one account of the store, which nobody can sign in to.
async fn open_account(adapters: &Adapters) -> anyhow::Result<UserId> {
    let id = UserId::from_uuid(adapters.ids.next());
    let email = Email::parse("transcribe@saas-ia.example").context("a fixed address")?;
    let user = User::register(id, email, None, PasswordDigest::new("!"), adapters.clock.now());
    adapters.users.insert(&user).await?;
    Ok(id)
}

/// What one job needs: a store with one account, and an engine while the job lives.
struct Workshop {
    adapters: Adapters,
    store: Arc<Store>,
    witness: Arc<Witness>,
    owner: UserId,
    transcriptions: Transcriptions,
    engine: Option<EngineHandle>,
}

impl Workshop {
    async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let store = database::open_own(settings).await?;
        let mut adapters = bootstrap::adapters(settings, &store)?;
        let witness = Arc::new(Witness::new(Arc::clone(&adapters.speech)));
        adapters.speech = witness.clone();
        let owner = open_account(&adapters).await?;
        let transcriptions = Transcriptions::new(&adapters, bootstrap::policy(settings));
        Ok(Self { adapters, store, witness, owner, transcriptions, engine: None })
    }

    /// Runs the job to its end, or calls it off at a signal.
    async fn transcribe(
        &mut self,
        request: &Request,
        settings: &Settings,
        progress: &Progress,
        signals: &mut Signals,
    ) -> anyhow::Result<Ending> {
        let handed_in = request.hand_in(&self.adapters, settings.media.max_bytes);
        let source = tokio::select! {
            handed_in = handed_in => match handed_in {
                Ok(source) => source,
                Err(HandInError::Refused(ending)) => return Ok(ending),
                Err(HandInError::Failed(error)) => return Err(error),
            },
            signal = signals.next() => return Ok(Ending::Stopped(signal)),
        };
        if let Source::Media(url) = &source.source
            && let Err(invalid) = bootstrap::policy(settings).screen(url)
        {
            return Ok(Ending::Misused(format!("the URL {invalid}")));
        }
        let hints = self.adapters.events.subscribe();
        let id = self.enqueue(source, request.options.clone()).await?;
        self.engine = Some(Engine::new(&self.adapters, engine_config(settings)).start());
        tokio::select! {
            ended = self.until_ended(id, hints, progress) => self.ending(ended?).await,
            signal = signals.next() => self.call_off(id, signal).await,
        }
    }

    /// Puts the job in the queue; it is the only one there.
    async fn enqueue(
        &self,
        HandedIn { video_url, source, title }: HandedIn,
        options: TranscriptionOptions,
    ) -> anyhow::Result<TranscriptionId> {
        let now = self.adapters.clock.now();
        let mut job = Transcription::request(
            TranscriptionId::from_uuid(self.adapters.ids.next()),
            self.owner,
            video_url,
            source,
            options,
            Metadata::default(),
            self.adapters.speech.name().to_owned(),
            now,
        );
        job.learn(SourceFacts { title, duration_ms: None }, now);
        self.adapters.jobs.enqueue(&job).await?;
        Ok(job.parts().id)
    }

    async fn until_ended(
        &self,
        id: TranscriptionId,
        mut hints: Hints,
        progress: &Progress,
    ) -> anyhow::Result<Transcription> {
        loop {
            let job = self.transcriptions.get(self.owner, id).await?.transcription;
            if job.status().is_terminal() {
                return Ok(job);
            }
            if let TranscriptionState::Processing { stage, progress: share, .. } = job.parts().state
            {
                progress.show(stage, share);
            }
            // A hint only makes it sooner.
            let _ = tokio::time::timeout(LOOK, hints.recv()).await;
        }
    }

    /// Calls the job off; one that has just ended has ended.
    async fn call_off(&self, id: TranscriptionId, signal: u8) -> anyhow::Result<Ending> {
        match self.transcriptions.cancel(self.owner, id).await {
            Ok(_) => Ok(Ending::Stopped(signal)),
            Err(TranscriptionError::AlreadyEnded(_)) => {
                let job = self.transcriptions.get(self.owner, id).await?.transcription;
                self.ending(job).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn ending(&self, job: Transcription) -> anyhow::Result<Ending> {
        let parts = job.parts();
        if let TranscriptionState::Failed { failure, .. } = &parts.state {
            return Ok(Ending::Failed(failure.clone()));
        }
        let transcript = self.transcriptions.transcript(self.owner, parts.id).await?;
        Ok(Ending::Done { transcript: Box::new(transcript), title: parts.facts.title.clone() })
    }

    /// Finishes what must not be torn, and, if it is to `erase`, leaves nothing behind at the
    /// speech engine.
    async fn close(&mut self, erase: bool) {
        let closing = async {
            if let Some(engine) = self.engine.take() {
                engine.drain().await;
            }
            if erase {
                self.witness.erase_rest().await;
            }
            self.store.close().await;
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!(event = "closing_slow", "not everything was tidied up in time");
        }
    }
}
