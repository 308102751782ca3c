//! Transcripts on the wire.

use domain::{Transcript, Utterance, Word};
use serde::Serialize;
use utoipa::ToSchema;

/// What was said, by whom, and when. Times are the engine's own.
#[derive(Serialize, ToSchema)]
#[schema(as = Transcript)]
pub(crate) struct TranscriptBody {
    /// The language recognised or used, as a BCP 47 tag.
    #[schema(required = true, example = "en")]
    language: Option<String>,
    /// The length of the recording in milliseconds.
    #[schema(required = true, example = 11000)]
    duration_ms: Option<u64>,
    /// The words in the order of their times.
    words: Vec<WordBody>,
    /// What each speaker says without another in between; empty where speakers were not told apart.
    utterances: Vec<UtteranceBody>,
    /// The labels of the speakers, in the order in which they first speak.
    #[schema(example = json!(["A", "B"]))]
    speakers: Vec<String>,
}

/// One word.
#[derive(Serialize, ToSchema)]
#[schema(as = Word)]
pub(crate) struct WordBody {
    /// The word as it is written.
    #[schema(example = "ask")]
    text: String,
    /// When it begins, in milliseconds.
    #[schema(example = 960)]
    start_ms: u64,
    /// When it ends, in milliseconds.
    #[schema(example = 1200)]
    end_ms: u64,
    /// How sure the engine is, 0 to 1, if it says.
    #[schema(required = true, minimum = 0.0, maximum = 1.0, example = 0.99)]
    confidence: Option<f64>,
    /// Who says it, if speakers were told apart.
    #[schema(required = true, example = "A")]
    speaker: Option<String>,
}

/// What one speaker says without another in between.
#[derive(Serialize, ToSchema)]
#[schema(as = Utterance)]
pub(crate) struct UtteranceBody {
    /// Who speaks.
    #[schema(required = true, example = "A")]
    speaker: Option<String>,
    /// What is said.
    #[schema(example = "Ask not what your country can do for you.")]
    text: String,
    /// When it begins, in milliseconds.
    #[schema(example = 960)]
    start_ms: u64,
    /// When it ends, in milliseconds.
    #[schema(example = 4200)]
    end_ms: u64,
    /// How sure the engine is, 0 to 1, if it says.
    #[schema(required = true, minimum = 0.0, maximum = 1.0, example = 0.97)]
    confidence: Option<f64>,
}

impl From<&Transcript> for TranscriptBody {
    fn from(transcript: &Transcript) -> Self {
        Self {
            language: transcript.language.as_ref().map(|l| l.as_str().to_owned()),
            duration_ms: transcript.duration_ms,
            words: transcript.words.iter().map(WordBody::from).collect(),
            utterances: transcript.utterances.iter().map(UtteranceBody::from).collect(),
            speakers: transcript.speakers().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl From<&Word> for WordBody {
    fn from(word: &Word) -> Self {
        Self {
            text: word.text.clone(),
            start_ms: word.start_ms,
            end_ms: word.end_ms,
            confidence: word.confidence,
            speaker: word.speaker.clone(),
        }
    }
}

impl From<&Utterance> for UtteranceBody {
    fn from(utterance: &Utterance) -> Self {
        Self {
            speaker: utterance.speaker.clone(),
            text: utterance.text.clone(),
            start_ms: utterance.start_ms,
            end_ms: utterance.end_ms,
            confidence: utterance.confidence,
        }
    }
}
