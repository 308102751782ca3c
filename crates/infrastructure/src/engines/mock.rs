//! An engine that pretends: for development, and for trying the service without an account.
//!
//! It keeps nothing in memory: the name of a job says when it was submitted and when it is due,
//! so that a job outlives the process. Its text says plainly that it is simulated.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use application::ports::{
    Capabilities, Clock, PollAnswer, SpeechError, SpeechToText, SubmitAnswer, SubmitRequest, Wanted,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{FailureCode, Language, Transcript, Word};

/// What every simulated result says of its own certainty.
const CONFIDENCE: f64 = 0.95;
/// How long every simulated recording is.
const DURATION_MS: u64 = 180_000;

/// The mock engine.
pub struct MockEngine {
    delay: TimeDelta,
    clock: Arc<dyn Clock>,
}

impl MockEngine {
    /// An engine whose jobs take `delay`.
    pub fn new(delay: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { delay: TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX), clock }
    }
}

/// A job, as its name tells it: `mock-{submitted}-{due}-{number}`, the instants in microseconds
/// since 1970.
struct Ticket {
    submitted: DateTime<Utc>,
    due: DateTime<Utc>,
    number: u64,
}

impl Ticket {
    fn issue(submitted: DateTime<Utc>, delay: TimeDelta) -> Self {
        // Tells apart what is submitted within one instant; means nothing else.
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        let due = submitted.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { submitted, due, number: ISSUED.fetch_add(1, Ordering::Relaxed) }
    }

    fn name(&self) -> String {
        let (submitted, due) = (self.submitted.timestamp_micros(), self.due.timestamp_micros());
        format!("mock-{submitted}-{due}-{}", self.number)
    }

    /// Reads a name.
    ///
    /// # Errors
    /// `provider_job_missing` for a name that was not given by this engine.
    fn read(name: &str) -> Result<Self, SpeechError> {
        let instant = |micros: &str| DateTime::from_timestamp_micros(micros.parse().ok()?);
        let read = |rest: &str| {
            let (submitted, rest) = rest.split_once('-')?;
            let (due, number) = rest.split_once('-')?;
            Some(Self {
                submitted: instant(submitted)?,
                due: instant(due)?,
                number: number.parse().ok()?,
            })
        };
        name.strip_prefix("mock-")
            .and_then(read)
            .filter(|ticket| ticket.submitted <= ticket.due)
            .ok_or_else(|| failure(FailureCode::ProviderJobMissing))
    }
}

#[async_trait]
impl SpeechToText for MockEngine {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            needs_audio: false,
            resubmission_is_harmless: true,
            limited_concurrency: false,
        }
    }

    /// # Errors
    /// Always: whoever brings audio has not asked what the engine needs.
    async fn upload(&self, _audio: &Path) -> Result<String, SpeechError> {
        Err(failure(FailureCode::Internal))
    }

    async fn submit(&self, _request: SubmitRequest<'_>) -> Result<SubmitAnswer, SpeechError> {
        let ticket = Ticket::issue(self.clock.now(), self.delay);
        Ok(SubmitAnswer { provider_id: ticket.name(), check_after: ticket.due - ticket.submitted })
    }

    async fn find(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, SpeechError> {
        Ok(vec![None; wanted.len()])
    }

    async fn poll(
        &self,
        provider_id: &str,
        _polls: u32,
        _since: DateTime<Utc>,
        _jitter: f64,
    ) -> Result<PollAnswer, SpeechError> {
        let now = self.clock.now();
        Ok(match Ticket::read(provider_id) {
            Ok(ticket) if ticket.due <= now => PollAnswer::Finished,
            Ok(ticket) => PollAnswer::Pending { check_after: ticket.due - now },
            Err(missing) => PollAnswer::Failed(missing),
        })
    }

    async fn result(&self, provider_id: &str, video_url: &str) -> Result<Transcript, SpeechError> {
        let text = text(video_url, Ticket::read(provider_id)?.due);
        Ok(Transcript {
            words: words(&text),
            text,
            language: Some(Language::Tag("fr".to_owned())),
            confidence: Some(CONFIDENCE),
            duration_ms: Some(DURATION_MS),
            utterances: Vec::new(),
        })
    }

    async fn erase(&self, _provider_id: &str) -> Result<(), SpeechError> {
        Ok(())
    }
}

fn failure(code: FailureCode) -> SpeechError {
    SpeechError { code, retry_after: None, detail: None }
}

/// The text of the original service, to the blank: clients and its guides know it.
fn text(video_url: &str, at: DateTime<Utc>) -> String {
    // An instant without a zone, whose fraction is left out when it is zero.
    let timestamp = match at.timestamp_subsec_micros() {
        0 => at.format("%Y-%m-%dT%H:%M:%S").to_string(),
        _ => at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
    };
    let lines = [
        "Ceci est une transcription SIMULÉE pour le test.",
        "",
        &format!("URL de la vidéo : {video_url}"),
        "",
        "Cette transcription est générée en mode MOCK car aucune clé API Assembly AI réelle n'est \
         configurée.",
        "",
        "Pour utiliser Assembly AI réellement :",
        "1. Obtenez une clé API sur https://www.assemblyai.com/",
        "2. Modifiez .env : ASSEMBLYAI_API_KEY=votre-clé-réelle",
        "3. Redémarrez le backend",
        "",
        "En mode MOCK, vous pouvez tester toutes les fonctionnalités de l'API sans consommer de \
         crédits Assembly AI.",
        "",
        &format!("Timestamp : {timestamp}"),
    ];
    lines.join("\n        ")
}

/// The words of the text, spread evenly over the simulated recording.
fn words(text: &str) -> Vec<Word> {
    let count = text.split_whitespace().count() as u64;
    (0..count)
        .zip(text.split_whitespace())
        .map(|(n, word)| Word {
            text: word.to_owned(),
            start_ms: DURATION_MS * n / count,
            end_ms: DURATION_MS * (n + 1) / count,
            confidence: Some(CONFIDENCE),
            speaker: None,
        })
        .collect()
}
