//! Transcripts, and the formats in which they can be had.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use application::transcriptions::TranscriptionError;
use domain::{
    CaptionSettings, Transcript,
    export::{Format, render},
};

use super::transcriptions::identifier;
use crate::{
    ApiState, disposition, middleware::principal::Caller, problem::ApiError, query,
    wire::transcript::TranscriptBody,
};

/// Reads the words, utterances and speakers of a completed transcription
#[utoipa::path(get, path = "/api/transcription/{id}/transcript", tag = "transcriptions",
    operation_id = "getTranscript",
    responses((status = 200, description = "The transcript.", body = TranscriptBody)))]
pub(crate) async fn transcript(
    state: web::Data<ApiState>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = state.services.transcriptions.transcript(caller.id(), identifier(&id)?).await?;
    let body = apart(move || json(&found)).await?;
    Ok(HttpResponse::Ok().content_type(header::ContentType::json()).body(body))
}

/// Downloads the transcript of a completed transcription in another format
///
/// Captions (`srt`, `vtt`) and the rows of `tsv` are cut as the parameters say; `txt` and `md` go
/// by `speakers` alone, `json` is the transcript itself. Times are those of the words: none is made
/// up.
#[utoipa::path(get, path = "/api/transcription/{id}/export/{format}", tag = "transcriptions",
    operation_id = "exportTranscript",
    responses((status = 200, description = "The file.", content(
        (String = "text/plain"), (String = "application/x-subrip"), (String = "text/vtt"),
        (TranscriptBody = "application/json"), (String = "text/markdown"),
        (String = "text/tab-separated-values")))))]
pub(crate) async fn export(
    state: web::Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, word) = path.into_inner();
    let format = Format::from_word(&word).ok_or_else(unknown_format)?;
    let settings = query::captions(request.query_string())?;
    let id = identifier(&id)?;
    let found = state.services.transcriptions.export(caller.id(), id, format).await?;
    let fallback = format!("transcript-{id}");
    let name = disposition::attachment(found.title.as_deref(), &fallback, format.as_str());
    let body = apart(move || written(&found.transcript, format, &settings, found.title.as_deref()));
    Ok(HttpResponse::Ok()
        .content_type(format.content_type())
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(body.await?))
}

/// A transcript as `…/transcript` answers it.
///
/// # Errors
/// None that a transcript can cause; the serializer's.
pub fn transcript_json(transcript: &Transcript) -> Result<String, serde_json::Error> {
    serde_json::to_string(&TranscriptBody::from(transcript))
}

fn json(transcript: &Transcript) -> Result<String, ApiError> {
    transcript_json(transcript).map_err(|_| ApiError::internal())
}

fn written(
    transcript: &Transcript,
    format: Format,
    settings: &CaptionSettings,
    title: Option<&str>,
) -> Result<String, ApiError> {
    match format {
        Format::Json => json(transcript),
        Format::Text(format) => render(transcript, format, settings, title)
            .map_err(|no_times| TranscriptionError::from(no_times).into()),
    }
}

/// On a thread of its own: hours of speech take long enough to keep other answers waiting.
async fn apart(
    write: impl FnOnce() -> Result<String, ApiError> + Send + 'static,
) -> Result<String, ApiError> {
    web::block(write).await.unwrap_or_else(|_| Err(ApiError::internal()))
}

fn unknown_format() -> ApiError {
    let detail = "There is no such format; there are txt, srt, vtt, json, md and tsv.";
    ApiError::new(StatusCode::NOT_FOUND, "unknown_format", detail)
}
