//! Judging the parameters of a job.

use serde_json::{Map, Value};

/// What a value may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    List,
    Object,
}

/// Every documented parameter.
const KNOWN: &[(Kind, &[&str])] = &[
    (
        Kind::Text,
        &[
            "audio_url",
            "domain",
            "language_code",
            "prompt",
            "redact_pii_audio_quality",
            "redact_pii_sub",
            "remove_audio_tags",
            "speech_model",
            "summary_model",
            "summary_type",
            "webhook_auth_header_name",
            "webhook_auth_header_value",
            "webhook_url",
        ],
    ),
    (
        Kind::Flag,
        &[
            "auto_chapters",
            "auto_highlights",
            "content_safety",
            "disfluencies",
            "entity_detection",
            "filter_profanity",
            "format_text",
            "iab_categories",
            "language_detection",
            "multichannel",
            "punctuate",
            "redact_pii",
            "redact_pii_audio",
            "sentiment_analysis",
            "speaker_labels",
            "summarization",
        ],
    ),
    (
        Kind::Number,
        &[
            "audio_end_at",
            "audio_start_from",
            "content_safety_confidence",
            "language_confidence_threshold",
            "speakers_expected",
            "speech_threshold",
            "temperature",
        ],
    ),
    (
        Kind::List,
        &[
            "custom_spelling",
            "keyterms_prompt",
            "language_codes",
            "redact_pii_policies",
            "speech_models",
        ],
    ),
    (
        Kind::Object,
        &[
            "language_detection_options",
            "redact_pii_audio_options",
            "speaker_options",
            "speech_understanding",
        ],
    ),
];

/// Reads the body of a request for a job.
///
/// # Errors
/// The text of the 400.
pub(super) fn judge(body: &[u8]) -> Result<Map<String, Value>, String> {
    let Ok(Value::Object(params)) = serde_json::from_slice(body) else {
        return Err("Invalid JSON body".to_owned());
    };
    for (name, value) in &params {
        let kind = KNOWN.iter().find(|(_, names)| names.contains(&name.as_str()));
        let Some((kind, _)) = kind else {
            return Err(format!("Unknown parameter: \"{name}\""));
        };
        if !value.is_null() && !fits(*kind, value) {
            return Err(format!("Invalid value for \"{name}\""));
        }
    }
    if !params.get("audio_url").and_then(Value::as_str).is_some_and(is_web_address) {
        return Err("\"audio_url\" should be a valid URL".to_owned());
    }
    let models = params.get("speech_models").and_then(Value::as_array);
    if !models.is_some_and(|models| !models.is_empty() && models.iter().all(Value::is_string)) {
        return Err("\"speech_models\" must be a non-empty list of model names".to_owned());
    }
    Ok(params)
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Text => value.is_string(),
        Kind::Flag => value.is_boolean(),
        Kind::Number => value.is_number(),
        Kind::List => value.is_array(),
        Kind::Object => value.is_object(),
    }
}

fn is_web_address(value: &str) -> bool {
    value.starts_with("http://") || value.starts_with("https://")
}
