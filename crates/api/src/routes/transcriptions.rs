//! Transcriptions.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, EntityTag, Header, IfNoneMatch},
    web,
};
use application::transcriptions::{CreateError, CreateTranscription};
use domain::{
    Keyterms, Language, Metadata, Source, Transcription, TranscriptionId, TranscriptionOptions,
    UserId,
};
use uuid::Uuid;

use crate::{
    ApiState,
    body::{self, LIMIT, members::Members},
    cursor,
    middleware::principal::Caller,
    problem::{ApiError, Fault},
    query::ListQuery,
    wire::transcriptions::{
        TranscriptionBody, TranscriptionItem, TranscriptionPage, TranscriptionRequest,
    },
};

const PATH: &str = "/api/transcription";

/// Asks for a transcription
///
/// The answer comes at once; the work is done behind it. Every call makes a new transcription,
/// even of the same URL. The host of a media URL is looked up by the job, not here.
#[utoipa::path(post, path = "/api/transcription", tag = "transcriptions",
    operation_id = "createTranscription",
    request_body(content = TranscriptionRequest, description = "What to transcribe, and how."),
    responses((status = 201, description = "Accepted.", body = TranscriptionBody)))]
pub(crate) async fn create(
    state: web::Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let command = command(caller.id(), body::object(&request, payload, LIMIT).await?)?;
    let created = state.services.transcriptions.create(command).await.map_err(refused)?;
    Ok(self::created(&created))
}

/// 201 with a new transcription, and where it is.
pub(super) fn created(transcription: &Transcription) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, format!("{PATH}/{}", transcription.parts().id)))
        .json(TranscriptionBody::without_text(transcription))
}

/// Lists one's transcriptions, newest first
#[utoipa::path(get, path = "/api/transcription", tag = "transcriptions",
    operation_id = "listTranscriptions",
    responses((status = 200, description = "A page.", body = TranscriptionPage)))]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = ListQuery::parse(request.query_string())?;
    let ListQuery { filter, page, with_total, .. } = &query;
    let listed = state.services.transcriptions.list(caller.id(), filter, page, *with_total);
    let (page, total) = listed.await?;
    let next_cursor = page.next.as_ref().map(cursor::encode);
    let mut response = HttpResponse::Ok();
    if let Some(next) = &next_cursor {
        let link = format!("<{}>; rel=\"next\"", query.next(PATH, next));
        response.insert_header((header::LINK, link));
    }
    let items = page.items.iter().map(TranscriptionItem::from).collect();
    let has_more = next_cursor.is_some();
    Ok(response.json(TranscriptionPage { items, has_more, next_cursor, total }))
}

/// Reads a transcription
///
/// Another user's transcription is as absent as one that never was.
#[utoipa::path(get, path = "/api/transcription/{id}", tag = "transcriptions",
    operation_id = "getTranscription",
    responses((status = 200, description = "The transcription.", body = TranscriptionBody)))]
pub(crate) async fn get(
    state: web::Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = state.services.transcriptions.get(caller.id(), identifier(&id)?).await?;
    let body =
        serde_json::to_string(&TranscriptionBody::from(found)).map_err(|_| ApiError::internal())?;
    let tag = entity_tag(&body);
    if IfNoneMatch::parse(&request).is_ok_and(|seen| is_seen(&seen, &tag)) {
        return Ok(HttpResponse::NotModified().insert_header(header::ETag(tag)).finish());
    }
    let json = header::ContentType::json();
    Ok(HttpResponse::Ok().insert_header(header::ETag(tag)).content_type(json).body(body))
}

/// Deletes a transcription
///
/// A live one is canceled first; the copy at the speech engine is erased too.
#[utoipa::path(delete, path = "/api/transcription/{id}", tag = "transcriptions",
    operation_id = "deleteTranscription",
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn delete(
    state: web::Data<ApiState>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    state.services.transcriptions.delete(caller.id(), identifier(&id)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Calls a transcription off
///
/// The answer already reads `canceled`; the work winds down behind it. Again is no error.
#[utoipa::path(post, path = "/api/transcription/{id}/cancel", tag = "transcriptions",
    operation_id = "cancelTranscription",
    responses((status = 200, description = "It is canceled.", body = TranscriptionBody)))]
pub(crate) async fn cancel(
    state: web::Data<ApiState>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<web::Json<TranscriptionBody>, ApiError> {
    let canceled = state.services.transcriptions.cancel(caller.id(), identifier(&id)?).await?;
    Ok(web::Json(TranscriptionBody::without_text(&canceled)))
}

fn command(owner: UserId, mut body: Members) -> Result<CreateTranscription, ApiError> {
    let video_url = body.required_text("video_url");
    let source = video_url.as_ref().and_then(|text| body.judged("video_url", Source::parse(text)));
    let options = options(&mut body);
    let metadata = metadata(&mut body);
    body.finish()?;
    match (video_url, source) {
        (Some(video_url), Some(source)) => {
            let metadata = metadata.unwrap_or_default();
            Ok(CreateTranscription { owner, video_url, source, options, metadata })
        }
        _ => Err(ApiError::internal()),
    }
}

pub(super) fn metadata(body: &mut Members) -> Option<Metadata> {
    let pairs = body.optional_pairs("metadata")?;
    body.judged("metadata", Metadata::parse(pairs))
}

pub(super) fn options(body: &mut Members) -> TranscriptionOptions {
    let language = body.optional_text("language");
    let language = language.and_then(|text| body.judged("language", Language::parse(&text)));
    let speaker_labels = body.optional_bool("speaker_labels").unwrap_or_default();
    let speakers_expected = body.optional_integer("speakers_expected").and_then(|count| {
        let judged = TranscriptionOptions::speakers(count, speaker_labels);
        body.judged("speakers_expected", judged)
    });
    let keyterms = body.optional_texts("keyterms");
    let keyterms = keyterms.and_then(|terms| body.judged("keyterms", Keyterms::parse(terms)));
    TranscriptionOptions {
        language: language.unwrap_or(Language::Auto),
        speaker_labels,
        speakers_expected,
        keyterms: keyterms.unwrap_or_default(),
    }
}

/// A source that this installation does not fetch is a fault of `video_url` like any other.
fn refused(error: CreateError) -> ApiError {
    match error {
        CreateError::Unsupported(invalid) => {
            ApiError::invalid(vec![Fault::invalid("/video_url", &invalid)])
        }
        other @ (CreateError::NoSuchOwner | CreateError::Failed(_)) => other.into(),
    }
}

/// What is not an identifier names nothing.
pub(super) fn identifier(text: &str) -> Result<TranscriptionId, ApiError> {
    // The parser also reads forms without hyphens, in braces and as URN.
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    id.map(TranscriptionId::from_uuid)
        .ok_or_else(|| application::transcriptions::TranscriptionError::NotFound.into())
}

/// Weak: it stands for the content, not for the bytes.
fn entity_tag(body: &str) -> EntityTag {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    EntityTag::new_weak(format!("{:016x}", hasher.finish()))
}

fn is_seen(seen: &IfNoneMatch, tag: &EntityTag) -> bool {
    match seen {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|known| known.weak_eq(tag)),
    }
}
