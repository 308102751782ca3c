//! A multipart form with one file and the options of its transcription, in any order.
//!
//! The file streams through; the options are small and become the members of a JSON object, so
//! that they are judged as those of a JSON body are.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    HttpRequest,
    error::PayloadError,
    http::{StatusCode, header},
    web::Payload,
};
use futures_util::StreamExt;

use super::{
    json::{self, Json},
    members::{Members, required},
    pace::{Paced, UploadPace, is_too_slow},
    reader::{LIMIT, is, plain, too_large, too_slow, unsupported},
};
use crate::problem::{ApiError, Fault};

/// The part that is the file.
pub(crate) const FILE: &str = "file";

/// The parts that are texts; those that are not hold JSON.
const TEXTS: [&str; 1] = ["language"];
const VALUES: [&str; 4] = ["speaker_labels", "speakers_expected", "keyterms", "metadata"];

/// Most parts beside the file: one more than these is unknown or doubled.
const MAX_FIELDS: usize = TEXTS.len() + VALUES.len();

/// Most bytes of the head of a part.
const MAX_HEAD: usize = 8 * 1_024;

/// What a form may have beside the file: its options, and the heads and boundaries of its parts.
pub(crate) const OVERHEAD: u64 = 128 * 1_024;

/// A form that is being read.
pub(crate) struct UploadForm {
    parts: Multipart,
    fields: Vec<(String, Json)>,
    bytes: usize,
    faults: Vec<Fault>,
}

/// A file whose bytes are still to come.
pub(crate) struct FilePart {
    /// What the client calls it.
    pub(crate) name: Option<String>,
    /// The bytes.
    pub(crate) field: Field,
}

impl UploadForm {
    /// Begins to read a form whose file has at most `max_bytes`.
    pub(crate) fn open(
        request: &HttpRequest,
        payload: Payload,
        max_bytes: u64,
        pace: UploadPace,
    ) -> Self {
        let body = Paced::new(payload, pace, max_bytes.saturating_add(OVERHEAD));
        let parts = Multipart::new(request.headers(), body);
        Self { parts, fields: Vec::new(), bytes: 0, faults: Vec::new() }
    }

    /// Reads options up to the next file, or to the end.
    ///
    /// # Errors
    /// 400, 408, 413; 422 when there are too many parts.
    pub(crate) async fn file(&mut self) -> Result<Option<FilePart>, ApiError> {
        while let Some(field) = self.parts.next().await {
            let field = field.map_err(broken)?;
            let head: usize =
                field.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
            let Some(name) = field.name().filter(|_| head <= MAX_HEAD).map(str::to_owned) else {
                return Err(malformed());
            };
            if name == FILE {
                let name = field.content_disposition().and_then(|d| d.get_filename());
                return Ok(Some(FilePart { name: name.map(str::to_owned), field }));
            }
            if self.fields.len() == MAX_FIELDS {
                self.fields.push((name, Json::Null));
                return Err(self.faulty());
            }
            let value = self.value(&name, field).await?;
            self.fields.push((name, value));
        }
        Ok(None)
    }

    /// Reads the options behind the file, to the end.
    ///
    /// # Errors
    /// As [`Self::file`]; 422 for a second file.
    pub(crate) async fn rest(&mut self) -> Result<(), ApiError> {
        if self.file().await?.is_none() {
            return Ok(());
        }
        self.fault(Fault::new(format!("/{FILE}"), "duplicate_member", "occurs more than once"));
        Err(self.faulty())
    }

    /// Remembers a fault.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Remembers that there is no file.
    pub(crate) fn miss_file(&mut self) {
        self.fault(required(FILE));
    }

    /// The options that came before the file, as far as nothing behind it can mend them.
    ///
    /// # Errors
    /// 422.
    pub(crate) fn early(&self) -> Result<Members, ApiError> {
        let labelled = self.fields.iter().any(|(name, _)| name == "speaker_labels");
        let settled = |(name, _): &&(String, Json)| labelled || name != "speakers_expected";
        Members::of(Json::Object(self.fields.iter().filter(settled).cloned().collect()))
    }

    /// All options.
    ///
    /// # Errors
    /// 422.
    pub(crate) fn members(self) -> Result<Members, ApiError> {
        let mut members = Members::of(Json::Object(self.fields))?;
        members.add(self.faults);
        Ok(members)
    }

    /// 422 with the faults so far, none of which needs the values of the options.
    fn faulty(&mut self) -> ApiError {
        let fields = std::mem::take(&mut self.fields);
        let faults = std::mem::take(&mut self.faults);
        let unvalued = fields.into_iter().map(|(name, _)| (name, Json::Null)).collect();
        let finished = Members::of(Json::Object(unvalued)).and_then(|mut members| {
            for name in TEXTS.iter().chain(&VALUES) {
                members.skip(name);
            }
            members.add(faults);
            members.finish()
        });
        finished.err().unwrap_or_else(malformed)
    }

    async fn value(&mut self, name: &str, mut field: Field) -> Result<Json, ApiError> {
        let mut value = Vec::new();
        while let Some(chunk) = field.next().await {
            let chunk = chunk.map_err(broken)?;
            self.bytes += chunk.len();
            if self.bytes > LIMIT {
                return Err(too_large(LIMIT));
            }
            value.extend_from_slice(&chunk);
        }
        // An empty field of an HTML form is one that was not filled in.
        if value.is_empty() || !(TEXTS.contains(&name) || VALUES.contains(&name)) {
            return Ok(Json::Null);
        }
        let text = |value| String::from_utf8(value).map_or(Json::Number, Json::Text);
        if TEXTS.contains(&name) {
            return Ok(text(value));
        }
        // What is no JSON is a text, which none of these may be.
        Ok(json::parse(&value).unwrap_or_else(|_| text(value)))
    }
}

/// What of the request must be right before its body is looked at.
///
/// # Errors
/// 415.
pub(crate) fn check_kind(request: &HttpRequest) -> Result<(), ApiError> {
    if !is(request, "multipart/form-data") {
        return Err(unsupported("Send the body as multipart/form-data."));
    }
    plain(request)
}

/// How long the body says it is.
pub(crate) fn announced(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What a form that breaks off, or is none, is answered with.
pub(crate) fn broken(error: MultipartError) -> ApiError {
    match error {
        MultipartError::Payload(cause) if is_too_slow(&cause) => too_slow(),
        // Of the reader of the parts: the head of a part has no end.
        MultipartError::Payload(PayloadError::Overflow) => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large.")
        }
        MultipartError::Payload(_) | MultipartError::Incomplete => {
            let detail = "The body ended early or is not encoded as its headers say.";
            ApiError::new(StatusCode::BAD_REQUEST, "incomplete_body", detail)
        }
        _ => malformed(),
    }
}

fn malformed() -> ApiError {
    let detail = "The body is not a valid multipart form.";
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_form", detail)
}
