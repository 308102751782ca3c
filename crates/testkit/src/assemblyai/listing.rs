//! The list of jobs, newest first, in pages.

use std::ops::ControlFlow;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Endpoint, fault,
    job::{DELETED_AUDIO, Job},
    routes::enter,
    shared::Shared,
};

/// What can be asked of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    limit: Option<usize>,
    status: Option<String>,
    created_on: Option<chrono::NaiveDate>,
    before_id: Option<String>,
    after_id: Option<String>,
    throttled_only: Option<bool>,
}

pub(super) async fn list(
    request: HttpRequest,
    shared: web::Data<Shared>,
    query: Result<web::Query<Query>, actix_web::Error>,
) -> HttpResponse {
    let met = match enter(&request, &shared, Endpoint::List) {
        ControlFlow::Continue(met) => met,
        ControlFlow::Break(answer) => return answer,
    };
    match query {
        Ok(query) if (1..=200).contains(&query.limit.unwrap_or(10)) => {
            fault::after(&request, met, page(&shared, &query)).await
        }
        _ => fault::refuse(StatusCode::BAD_REQUEST, "Invalid query parameters"),
    }
}

fn page(shared: &Shared, query: &Query) -> Value {
    let limit = query.limit.unwrap_or(10).min(shared.options.page);
    let mut jobs = shared.jobs();
    jobs.reverse();
    jobs.retain(|job| shown(job, query));
    let place = |id: &Option<String>| {
        id.as_ref().map(|id| jobs.iter().position(|job| job.id == *id).unwrap_or(jobs.len()))
    };
    // "Before" is older, so further down.
    let (from, to) = match (place(&query.before_id), place(&query.after_id)) {
        (Some(before), _) => ((before + 1).min(jobs.len()), (before + 1 + limit).min(jobs.len())),
        (None, Some(after)) => (after.saturating_sub(limit), after),
        (None, None) => (0, limit.min(jobs.len())),
    };
    let items = &jobs[from..to];
    let url = |name: &str, job: Option<&Job>| {
        job.map(|job| format!("{}/v2/transcript?limit={limit}&{name}={}", shared.base_url, job.id))
    };
    json!({
        "page_details": {
            "limit": limit,
            "result_count": items.len(),
            "current_url": format!("{}/v2/transcript?limit={limit}", shared.base_url),
            "prev_url": url("before_id", items.last().filter(|_| to < jobs.len())),
            "next_url": url("after_id", items.first().filter(|_| from > 0)),
        },
        "transcripts": items.iter().map(|job| item(job, &shared.base_url)).collect::<Vec<_>>(),
    })
}

fn shown(job: &Job, query: &Query) -> bool {
    job.accepted.elapsed() >= job.list_lag
        && query.status.as_ref().is_none_or(|status| status == job.status())
        && query.created_on.is_none_or(|day| day == job.created.date_naive())
        && query.throttled_only != Some(true)
}

fn item(job: &Job, base_url: &str) -> Value {
    let ended = matches!(job.status(), "completed" | "error");
    json!({
        "id": job.id,
        "resource_url": format!("{base_url}/v2/transcript/{}", job.id),
        "status": job.status(),
        // Without a zone, as the real server writes it.
        "created": naive(job.created),
        "completed": ended.then(|| naive(job.created + job.processing)),
        "audio_url": if job.deleted { DELETED_AUDIO } else { &job.audio_url },
        "error": job.error(),
    })
}

fn naive(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
