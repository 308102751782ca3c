//! Which engine recognises speech: named by `ENGINE`, or chosen by `ASSEMBLYAI_API_KEY`.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{reader::Reader, values};

/// Who recognises speech.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The engine and what it needs.
    pub choice: EngineChoice,
    /// `MOCK_DELAY_MS`.
    pub mock_delay: Duration,
    /// `ASSEMBLYAI_BASE_URL`.
    pub assemblyai_base_url: Url,
    /// `ASSEMBLYAI_MODELS`, the preferred first.
    pub assemblyai_models: Vec<String>,
    /// `PUBLIC_URL`: where AssemblyAI calls back, if it can.
    pub public_url: Option<Url>,
}

/// The engine that is used.
#[derive(Debug, Clone)]
pub enum EngineChoice {
    /// The mock.
    Mock,
    /// AssemblyAI.
    AssemblyAi {
        /// `ASSEMBLYAI_API_KEY`.
        api_key: SecretString,
    },
}

impl EngineChoice {
    /// The word used in the settings.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::AssemblyAi { .. } => "assemblyai",
        }
    }

    fn gather(reader: &mut Reader) -> Option<Self> {
        let key = reader.text("ASSEMBLYAI_API_KEY").map(str::to_owned);
        let named = match reader.text("ENGINE") {
            None => None,
            Some("mock") => return Some(Self::Mock),
            Some("assemblyai") => Some("assemblyai"),
            Some(_) => {
                reader.fault("ENGINE", "must be assemblyai or mock");
                return None;
            }
        };
        match key.as_deref() {
            None | Some("MOCK") if named.is_some() => {
                reader.fault("ASSEMBLYAI_API_KEY", "must be a key when ENGINE is assemblyai");
                None
            }
            None => {
                let problem = "is missing: set a key, or ENGINE=mock for simulated text";
                reader.refuse_in_production("ASSEMBLYAI_API_KEY", problem);
                Some(Self::Mock)
            }
            Some("MOCK") => {
                if reader.is_production() {
                    reader.fault(
                        "ASSEMBLYAI_API_KEY",
                        "must be a key; ENGINE=mock asks for the mock",
                    );
                }
                Some(Self::Mock)
            }
            Some(key) => {
                let lower = key.to_lowercase();
                if lower.starts_with("your-") || lower.starts_with("change-") {
                    reader.refuse_in_production("ASSEMBLYAI_API_KEY", "is a placeholder");
                }
                Some(Self::AssemblyAi { api_key: key.into() })
            }
        }
    }
}

impl EngineSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let choice = EngineChoice::gather(reader);
        let delay = reader.required("MOCK_DELAY_MS", values::number(0..=3_600_000));
        let base_url = reader.required("ASSEMBLYAI_BASE_URL", values::base_url);
        let models = reader.list("ASSEMBLYAI_MODELS", |text| Ok(text.to_owned()));
        if models.as_ref().is_some_and(Vec::is_empty) {
            reader.fault("ASSEMBLYAI_MODELS", "must name at least one model");
        }
        let public_url = reader.optional("PUBLIC_URL", values::base_url);
        if public_url.as_ref().is_some_and(|url| url.scheme() != "https") {
            let problem = "is not https: whoever reads along could call back, too";
            reader.refuse_in_production("PUBLIC_URL", problem);
        }
        Some(Self {
            choice: choice?,
            mock_delay: Duration::from_millis(delay?),
            assemblyai_base_url: base_url?,
            assemblyai_models: models?,
            public_url,
        })
    }
}
