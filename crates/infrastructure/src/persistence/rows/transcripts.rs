//! Transcripts: the text in a column of its own, everything else in one compact JSON text.
//!
//! Words are arrays instead of objects, and a speaker is a place in a list: an hour of speech has
//! ten thousand words, and the names of their fields would be most of the row.

use std::borrow::Cow;

use domain::{Language, Speaker, Transcript, TranscriptionId, Utterance, Word};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::persistence::{
    entities::transcripts::Model,
    fault::{CorruptRow, StoreError},
};

/// The form in which bodies are written. A reader knows every form that ever was.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    v: u32,
    language: Option<Cow<'a, str>>,
    confidence: Option<f64>,
    duration_ms: Option<u64>,
    speakers: Vec<Cow<'a, str>>,
    words: Vec<Said<'a>>,
    utterances: Vec<Said<'a>>,
}

/// Text, start, end, confidence, speaker.
type Said<'a> = (Cow<'a, str>, u64, u64, Option<f64>, Option<usize>);

pub(in crate::persistence) fn restore(row: Model) -> Result<Transcript, CorruptRow> {
    let id: Uuid = row.transcription_id;
    let corrupt = |why| CorruptRow { table: "transcripts", id, why };
    let body: Body<'_> =
        serde_json::from_str(&row.body).map_err(|_| corrupt("body cannot be read"))?;
    if body.v != VERSION {
        return Err(corrupt("body is of an unknown version"));
    }
    let speakers = body.speakers;
    let speaker = |at: Option<usize>| -> Result<Option<Speaker>, CorruptRow> {
        let Some(at) = at else { return Ok(None) };
        let label = speakers.get(at).ok_or_else(|| corrupt("a speaker is not in the list"))?;
        Ok(Some(label.clone().into_owned()))
    };
    let words = body.words.into_iter().map(|(text, start_ms, end_ms, confidence, by)| {
        let text = text.into_owned();
        Ok(Word { text, start_ms, end_ms, confidence, speaker: speaker(by)? })
    });
    let utterances = body.utterances.into_iter().map(|(text, start_ms, end_ms, confidence, by)| {
        let text = text.into_owned();
        Ok(Utterance { speaker: speaker(by)?, text, start_ms, end_ms, confidence })
    });
    let language = body.language.as_deref().map(Language::parse).transpose();
    Ok(Transcript {
        words: words.collect::<Result<_, CorruptRow>>()?,
        utterances: utterances.collect::<Result<_, CorruptRow>>()?,
        language: language.map_err(|_| corrupt("language breaks its rules"))?,
        confidence: body.confidence,
        duration_ms: body.duration_ms,
        text: row.text,
    })
}

pub(in crate::persistence) fn row(
    id: TranscriptionId,
    transcript: Transcript,
) -> Result<Model, StoreError> {
    let speakers = transcript.speakers();
    let place = |speaker: &Option<Speaker>| {
        speaker.as_deref().and_then(|label| speakers.iter().position(|known| *known == label))
    };
    let body = Body {
        v: VERSION,
        language: transcript.language.as_ref().map(|language| language.as_str().into()),
        confidence: transcript.confidence,
        duration_ms: transcript.duration_ms,
        speakers: speakers.iter().map(|label| Cow::from(*label)).collect(),
        words: transcript
            .words
            .iter()
            .map(|w| {
                (w.text.as_str().into(), w.start_ms, w.end_ms, w.confidence, place(&w.speaker))
            })
            .collect(),
        utterances: transcript
            .utterances
            .iter()
            .map(|u| {
                (u.text.as_str().into(), u.start_ms, u.end_ms, u.confidence, place(&u.speaker))
            })
            .collect(),
    };
    let body = serde_json::to_string(&body)
        .map_err(|_| StoreError::Broken("a transcript cannot be written as JSON"))?;
    Ok(Model { transcription_id: id.as_uuid(), text: transcript.text, body })
}
