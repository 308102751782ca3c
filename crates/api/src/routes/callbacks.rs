//! Speech engines calling back.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::CallbackToken;
use serde::Deserialize;

use crate::{
    ApiState,
    body::{AUTH_LIMIT, read},
    problem::ApiError,
    wire::callbacks::AssemblyAiCallback,
};

/// What is looked at in the body.
#[derive(Deserialize)]
struct Named {
    transcript_id: Option<String>,
}

/// AssemblyAI has finished a job
///
/// Not for clients: AssemblyAI calls this where `PUBLIC_URL` is set. The path holds the secret of
/// one submission. What the body says is never believed, only taken as a reason to ask AssemblyAI;
/// a body that cannot be read is none. Jobs end without any callback just the same.
#[utoipa::path(post, path = "/api/callbacks/assemblyai/{token}", tag = "callbacks",
    operation_id = "hearAssemblyAi",
    request_body(content = AssemblyAiCallback, description = "What AssemblyAI says."),
    responses((status = 204, description = "Heard.")))]
pub(crate) async fn assemblyai(
    state: web::Data<ApiState>,
    token: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    // Before the body is read: not everyone may keep a connection busy.
    if CallbackToken::parse(&token).is_none() {
        return Err(ApiError::no_route());
    }
    let body = read(&request, payload, AUTH_LIMIT).await.ok();
    let named = body.and_then(|body| serde_json::from_slice::<Named>(&body).ok());
    let provider_id = named.and_then(|named| named.transcript_id);
    if state.services.callbacks.hear(&token, provider_id.as_deref()).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(ApiError::no_route())
    }
}
