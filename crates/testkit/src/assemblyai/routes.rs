//! The endpoints.

use std::ops::ControlFlow;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use aws_lc_rs::digest;
use futures_util::StreamExt as _;
use serde_json::json;

use super::{
    Endpoint, Fault, Uploaded, captions, fault, listing, params,
    shared::{Shared, random_uuid},
    webhook,
};
use crate::fixtures;

/// What the real server says of a job that it does not know, with status 400.
pub(super) const NO_SUCH_JOB: &str = "Transcript lookup error, transcript id not found";

/// How many bytes are looked at to tell the kind of a file.
const SNIFFED: usize = 512;

pub(super) fn configure(service: &mut web::ServiceConfig) {
    service
        .route("/v2/upload", web::post().to(upload))
        .route("/v2/transcript", web::post().to(create))
        .route("/v2/transcript", web::get().to(listing::list))
        .route("/v2/transcript/{id}", web::get().to(get))
        .route("/v2/transcript/{id}", web::delete().to(delete))
        .route("/v2/transcript/{id}/{part}", web::get().to(captions::part))
        .route("/fixtures/{name}.wav", web::get().to(fixture))
        .route("/fixtures/{name}.wav", web::head().to(fixture))
        .default_service(web::to(|| async { fault::refuse(StatusCode::NOT_FOUND, "Not found") }));
}

/// Lets a request with a key in, with the fault that it meets after being accepted.
pub(super) fn enter(
    request: &HttpRequest,
    shared: &Shared,
    endpoint: Endpoint,
) -> ControlFlow<HttpResponse, Option<Fault>> {
    let met = fault::before(request, shared.arrive(endpoint))?;
    check_key(request, shared)?;
    ControlFlow::Continue(met)
}

/// Refuses a request without a key, as the real server words it.
fn check_key(request: &HttpRequest, shared: &Shared) -> ControlFlow<HttpResponse> {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|key| key.to_str().ok());
    let fits = match (given, &shared.options.api_key) {
        (None | Some(""), _) => false,
        (Some(given), Some(key)) => given == key,
        (Some(given), None) => !given.starts_with("Bearer "),
    };
    if fits {
        ControlFlow::Continue(())
    } else {
        let text = "Authentication error, API token missing/invalid";
        ControlFlow::Break(fault::refuse(StatusCode::UNAUTHORIZED, text))
    }
}

async fn upload(
    request: HttpRequest,
    shared: web::Data<Shared>,
    mut payload: web::Payload,
) -> HttpResponse {
    let met = shared.arrive(Endpoint::Upload);
    if met == Some(Fault::Cut) {
        return fault::cut(&request);
    }
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut bytes = 0;
    let mut head = Vec::with_capacity(SNIFFED);
    while let Some(chunk) = payload.next().await {
        let Ok(chunk) = chunk else {
            return fault::refuse(StatusCode::BAD_REQUEST, "Upload failed, please try again.");
        };
        head.extend(chunk.iter().take(SNIFFED.saturating_sub(head.len())));
        hash.update(&chunk);
        bytes += chunk.len() as u64;
    }
    let met = match fault::before(&request, met) {
        ControlFlow::Continue(met) => met,
        ControlFlow::Break(answer) => return answer,
    };
    if let ControlFlow::Break(refused) = check_key(&request, &shared) {
        return refused;
    }
    if bytes == 0 {
        return fault::refuse(StatusCode::BAD_REQUEST, "Upload failed, please try again.");
    }
    let url = format!("https://cdn.assemblyai.com/upload/{}", random_uuid());
    shared.keep_upload(Uploaded {
        url: url.clone(),
        bytes,
        sha256: fixtures::hex(hash.finish().as_ref()),
        content_length: content_length(&request),
        looks_like: sniff(&head),
    });
    fault::after(&request, met, json!({ "upload_url": url })).await
}

async fn create(request: HttpRequest, shared: web::Data<Shared>, body: web::Bytes) -> HttpResponse {
    let met = match enter(&request, &shared, Endpoint::Create) {
        ControlFlow::Continue(met) => met,
        ControlFlow::Break(answer) => return answer,
    };
    let params = match params::judge(&body) {
        Ok(params) => params,
        Err(text) => return fault::refuse(StatusCode::BAD_REQUEST, &text),
    };
    let Ok(job) = shared.accept(params, met.as_ref()) else {
        return fault::refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    webhook::arrange(&shared, &job);
    // A new job is told as queued, however short it is.
    let mut answer = job.body();
    answer["status"] = "queued".into();
    for gone in ["text", "words", "utterances", "confidence", "audio_duration", "error"] {
        answer[gone] = serde_json::Value::Null;
    }
    fault::after(&request, met, answer).await
}

async fn get(
    request: HttpRequest,
    shared: web::Data<Shared>,
    id: web::Path<String>,
) -> HttpResponse {
    let met = match enter(&request, &shared, Endpoint::Get) {
        ControlFlow::Continue(met) => met,
        ControlFlow::Break(answer) => return answer,
    };
    match shared.find(&id, |job| job.body()) {
        Some(body) => fault::after(&request, met, body).await,
        None => fault::refuse(StatusCode::BAD_REQUEST, NO_SUCH_JOB),
    }
}

async fn delete(
    request: HttpRequest,
    shared: web::Data<Shared>,
    id: web::Path<String>,
) -> HttpResponse {
    let met = match enter(&request, &shared, Endpoint::Delete) {
        ControlFlow::Continue(met) => met,
        ControlFlow::Break(answer) => return answer,
    };
    let deleted = shared.find(&id, |job| {
        job.deleted = true;
        job.body()
    });
    match deleted {
        Some(body) => fault::after(&request, met, body).await,
        None => fault::refuse(StatusCode::BAD_REQUEST, NO_SUCH_JOB),
    }
}

/// A recording, for whoever wants to try the service with a URL.
async fn fixture(shared: web::Data<Shared>, name: web::Path<String>) -> HttpResponse {
    match fixtures::by_name(&name) {
        Some(recording) if shared.options.serve_fixtures => {
            HttpResponse::Ok().content_type("audio/wav").body(recording.wav)
        }
        _ => fault::refuse(StatusCode::NOT_FOUND, "Not found"),
    }
}

fn content_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn sniff(head: &[u8]) -> &'static str {
    match std::str::from_utf8(head) {
        _ if head.starts_with(b"RIFF") => "audio/wav",
        Ok(text) if text.trim_start().starts_with('<') => "text/html",
        Ok(_) => "text/plain",
        Err(_) => "application/octet-stream",
    }
}
