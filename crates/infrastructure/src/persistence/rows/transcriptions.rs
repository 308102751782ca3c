//! Transcriptions.

use std::collections::BTreeMap;

use domain::{
    CompletedFacts, Failure, FailureCode, Keyterms, Language, MediaUrl, Metadata, Source,
    SourceFacts, Stage, Transcription, TranscriptionId, TranscriptionOptions, TranscriptionParts,
    TranscriptionState, UploadId, UploadedFile, UserId, YouTubeId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::stored;
use crate::persistence::{entities::transcriptions::Model, fault::CorruptRow};

type Reason = &'static str;

#[derive(Serialize, Deserialize)]
struct Options {
    language: String,
    speaker_labels: bool,
    speakers_expected: Option<u8>,
    keyterms: Vec<String>,
}

pub(in crate::persistence) fn restore(row: Model) -> Result<Transcription, CorruptRow> {
    let id = row.id;
    parts(row).map(Transcription::restore).map_err(|why| CorruptRow {
        table: "transcriptions",
        id,
        why,
    })
}

fn parts(row: Model) -> Result<TranscriptionParts, Reason> {
    let state = state(&row)?;
    let source = match row.source_kind.as_str() {
        "youtube" => YouTubeId::parse(&row.source_value).map(Source::YouTube).ok(),
        "media" => MediaUrl::parse(&row.source_value).map(Source::Media).ok(),
        "upload" => uploaded(&row).map(Source::Upload),
        _ => return Err("source_kind is unknown"),
    };
    let pairs: BTreeMap<String, String> =
        serde_json::from_value(row.metadata).map_err(|_| "metadata cannot be read")?;
    Ok(TranscriptionParts {
        id: TranscriptionId::from_uuid(row.id),
        owner: UserId::from_uuid(row.user_id),
        video_url: row.video_url,
        source: source.ok_or("source_value breaks its rules")?,
        facts: SourceFacts { title: row.title, duration_ms: millis(row.duration_ms)? },
        options: options(row.options)?,
        metadata: Metadata::parse(pairs).map_err(|_| "metadata breaks its rules")?,
        engine: row.engine,
        state,
        retry_count: u32::try_from(row.retry_count).map_err(|_| "retry_count is out of range")?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn uploaded(row: &Model) -> Option<UploadedFile> {
    let id = UploadId::from_uuid(Uuid::parse_str(&row.source_value).ok()?);
    Some(UploadedFile { id, bytes: u64::try_from(row.source_bytes?).ok()? })
}

fn state(row: &Model) -> Result<TranscriptionState, Reason> {
    let stage = row.stage.as_deref().map(|word| Stage::from_word(word).ok_or("stage is unknown"));
    let failure = row.failure_code.as_deref().map(|word| failure(word, row));
    let columns = (
        row.status.as_str(),
        row.started_at,
        stage.transpose()?,
        row.completed_at,
        failure.transpose()?,
    );
    match columns {
        ("pending", None, None, None, None) => Ok(TranscriptionState::Pending),
        ("processing", Some(started_at), Some(stage), None, None) => {
            Ok(TranscriptionState::Processing { started_at, stage, progress: row.progress })
        }
        ("completed", Some(started_at), None, Some(completed_at), None) => {
            Ok(TranscriptionState::Completed { started_at, completed_at, facts: facts(row)? })
        }
        ("failed", started_at, None, None, Some(failure)) => {
            Ok(TranscriptionState::Failed { started_at, failure })
        }
        ("canceled", started_at, None, None, None) => {
            Ok(TranscriptionState::Canceled { started_at })
        }
        _ => Err("status does not match its columns"),
    }
}

fn failure(code: &str, row: &Model) -> Result<Failure, Reason> {
    let code = FailureCode::from_word(code).ok_or("failure_code is unknown")?;
    let stage = row.failure_stage.as_deref().and_then(Stage::from_word);
    let stage = stage.ok_or("failure_stage is unknown")?;
    Ok(Failure::new(code, stage).with_detail(row.failure_detail.as_deref()))
}

fn facts(row: &Model) -> Result<CompletedFacts, Reason> {
    let language = row.language_detected.as_deref().map(Language::parse).transpose();
    Ok(CompletedFacts {
        language_detected: language.map_err(|_| "language_detected breaks its rules")?,
        confidence: row.confidence,
        duration_ms: millis(row.audio_ms)?,
    })
}

fn options(stored: serde_json::Value) -> Result<TranscriptionOptions, Reason> {
    let options: Options = serde_json::from_value(stored).map_err(|_| "options cannot be read")?;
    Ok(TranscriptionOptions {
        language: Language::parse(&options.language).map_err(|_| "language breaks its rules")?,
        speaker_labels: options.speaker_labels,
        speakers_expected: options.speakers_expected,
        keyterms: Keyterms::parse(options.keyterms).map_err(|_| "keyterms break their rules")?,
    })
}

fn millis(stored: Option<i64>) -> Result<Option<u64>, Reason> {
    stored.map(u64::try_from).transpose().map_err(|_| "a duration is negative")
}

pub(in crate::persistence) fn row(transcription: &Transcription) -> Model {
    let parts = transcription.parts();
    let mut row = Model {
        id: parts.id.as_uuid(),
        user_id: parts.owner.as_uuid(),
        video_url: parts.video_url.clone(),
        source_kind: parts.source.kind().to_owned(),
        source_value: match &parts.source {
            Source::YouTube(id) => id.as_str().to_owned(),
            Source::Media(url) => url.as_url().as_str().to_owned(),
            Source::Upload(file) => file.id.to_string(),
        },
        source_bytes: match &parts.source {
            Source::Upload(file) => Some(stored(file.bytes)),
            Source::YouTube(_) | Source::Media(_) => None,
        },
        title: parts.facts.title.clone(),
        duration_ms: parts.facts.duration_ms.map(stored),
        options: serde_json::json!(Options {
            language: parts.options.language.as_str().to_owned(),
            speaker_labels: parts.options.speaker_labels,
            speakers_expected: parts.options.speakers_expected,
            keyterms: parts.options.keyterms.as_slice().to_vec(),
        }),
        metadata: serde_json::json!(parts.metadata.as_map()),
        engine: parts.engine.clone(),
        status: transcription.status().as_str().to_owned(),
        stage: None,
        progress: None,
        failure_code: None,
        failure_detail: None,
        failure_stage: None,
        language_detected: None,
        confidence: None,
        audio_ms: None,
        retry_count: i64::from(parts.retry_count),
        started_at: parts.state.started_at(),
        completed_at: None,
        created_at: parts.created_at,
        updated_at: parts.updated_at,
    };
    write_state(&parts.state, &mut row);
    row
}

/// Fills the columns that only one state has.
fn write_state(state: &TranscriptionState, row: &mut Model) {
    match state {
        TranscriptionState::Pending | TranscriptionState::Canceled { .. } => {}
        TranscriptionState::Processing { stage, progress, .. } => {
            row.stage = Some(stage.as_str().to_owned());
            row.progress = *progress;
        }
        TranscriptionState::Completed { completed_at, facts, .. } => {
            row.completed_at = Some(*completed_at);
            let language = facts.language_detected.as_ref();
            row.language_detected = language.map(|language| language.as_str().to_owned());
            row.confidence = facts.confidence;
            row.audio_ms = facts.duration_ms.map(stored);
        }
        TranscriptionState::Failed { failure, .. } => {
            row.failure_code = Some(failure.code().as_str().to_owned());
            row.failure_detail = failure.detail().map(str::to_owned);
            row.failure_stage = Some(failure.stage().as_str().to_owned());
        }
    }
}
