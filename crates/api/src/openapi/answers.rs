//! The problems that an operation can answer with, and the headers of its answers.

use application::BudgetName;
use serde_json::{Value, json};
use utoipa::openapi::{
    Content, ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
    example::ExampleBuilder,
    path::Operation,
    schema::{ObjectBuilder, SchemaType, Type},
};

use crate::routes::{Access, Endpoint};

const PROBLEM_JSON: &str = "application/problem+json";
const REQUEST_ID: &str = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";

/// Status, when, and the codes it comes with.
type Answer = (u16, &'static str, &'static [&'static str]);

const BODY: [Answer; 5] = [
    (400, "The body cannot be read.", &["malformed_json", "incomplete_body"]),
    (408, "The body did not arrive in time.", &["body_too_slow"]),
    (413, "The body is too large, too deep or too long.", &["body_too_large", "json_too_complex"]),
    (415, "The body is of another kind, or encoded.", &["unsupported_media_type"]),
    (422, "The request breaks rules.", &["validation_failed", "required", "unknown_member"]),
];

const TOKEN: [Answer; 2] = [
    (401, "No token, or one that is not valid.", &["invalid_token"]),
    (403, "The account is disabled.", &["account_disabled"]),
];

const DATABASE: Answer =
    (503, "Not now: something that is needed is away.", &["temporarily_unavailable"]);
const OVERLOAD: Answer =
    (503, "Not now: too much at once.", &["overloaded", "temporarily_unavailable"]);
const NOT_FOUND: Answer =
    (404, "There is no such transcription, or it is another's.", &["transcription_not_found"]);

/// What is peculiar to an operation.
fn own(operation: &str) -> &'static [Answer] {
    match operation {
        "register" => &[
            (409, "The address has an account.", &["email_already_registered"]),
            (422, "The request breaks rules.", &["validation_failed", "password_too_common"]),
            OVERLOAD,
        ],
        "login" => &[
            (400, "The body cannot be read.", &["malformed_json", "malformed_form"]),
            (401, "Wrong credentials, for whatever cause.", &["invalid_credentials"]),
            OVERLOAD,
        ],
        "createTranscription" => {
            &[(422, "The request breaks rules.", &["validation_failed", "unsupported_source"])]
        }
        "uploadTranscription" => &[
            (400, "The body cannot be read.", &["malformed_form", "incomplete_body"]),
            (
                409,
                "Your transcriptions in work hold as much as you may hand in.",
                &["upload_quota_exceeded"],
            ),
            (
                413,
                "The file is too large, or the options are.",
                &["source_too_large", "body_too_large"],
            ),
            (
                422,
                "The request breaks rules, or the file is not a recording.",
                &["validation_failed", "required", "no_audio", "source_too_long"],
            ),
            (
                503,
                "Not now: too many uploads at once, no room, or something that is needed is away.",
                &["overloaded", "storage_full", "temporarily_unavailable"],
            ),
        ],
        "listTranscriptions" => &[
            (
                400,
                "The cursor is not ours, or a parameter is doubled.",
                &["malformed_cursor", "duplicate_parameter"],
            ),
            (422, "A parameter breaks a rule.", &["out_of_range", "unknown_value"]),
        ],
        "getTranscription" | "deleteTranscription" => &[NOT_FOUND],
        "getTranscript" => {
            &[NOT_FOUND, (409, "It is not completed.", &["transcription_not_completed"])]
        }
        "exportTranscript" => &[
            (400, "A parameter is doubled.", &["duplicate_parameter"]),
            (
                404,
                "There is no such transcription, or it is another's; or there is no such format.",
                &["transcription_not_found", "unknown_format"],
            ),
            (
                409,
                "It is not completed, or nothing in it has a time.",
                &["transcription_not_completed", "transcript_without_times"],
            ),
            (
                422,
                "A parameter breaks a rule.",
                &["validation_failed", "out_of_range", "unknown_parameter"],
            ),
        ],
        "cancelTranscription" => {
            &[NOT_FOUND, (409, "It is completed or failed.", &["transcription_already_ended"])]
        }
        "hearAssemblyAi" => {
            &[(404, "The secret belongs to no submission.", &["not_found"]), DATABASE]
        }
        "getReadiness" => &[(503, "The service cannot take work.", &["not_ready", "draining"])],
        _ => &[],
    }
}

/// Adds problems and headers.
pub(super) fn add(operation: &mut Operation, endpoint: &Endpoint) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let mut answers: Vec<Answer> = Vec::new();
    // What a speech engine says is ignored where it cannot be read.
    if operation.request_body.is_some() && id != "hearAssemblyAi" {
        answers.extend(BODY);
    }
    if endpoint.access == Access::Token {
        answers.extend(TOKEN);
        answers.push(DATABASE);
    }
    // Later ones replace earlier ones of the same status.
    answers.extend(own(&id));
    answers.push((500, "Something went wrong on our side.", &["internal_error"]));
    for (status, about, codes) in answers {
        operation
            .responses
            .responses
            .insert(status.to_string(), problem(status, about, codes).into());
    }
    // What no budget counts, the shield in front of everything does.
    operation.responses.responses.insert("429".to_owned(), too_many().into());
    if id == "getTranscription" {
        let unchanged = Response::new("Nothing has changed since.");
        operation.responses.responses.insert("304".to_owned(), unchanged.into());
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            headers(response, status, &id, endpoint);
        }
    }
}

fn problem(status: u16, about: &str, codes: &[&str]) -> Response {
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new().value(Some(example(status, about, code))).build();
        ((*code).to_owned(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    ResponseBuilder::new().description(about).content(PROBLEM_JSON, content).build()
}

fn example(status: u16, about: &str, code: &str) -> Value {
    let title = actix_web::http::StatusCode::from_u16(status).ok();
    let title = title.and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut example = json!({
        "type": "about:blank", "title": title, "status": status, "detail": about, "code": code,
        "request_id": REQUEST_ID,
    });
    if status == 503 && matches!(code, "not_ready" | "draining") {
        let failing =
            json!([{"name": "database", "ok": false, "required": true, "detail": "away"}]);
        example["checks"] = if code == "not_ready" { failing } else { json!([]) };
    }
    if status == 422 {
        let fault = if code == "validation_failed" { "required" } else { code };
        example["errors"] =
            json!([{"pointer": pointer(code), "code": fault, "detail": "says what to do"}]);
    }
    example
}

fn pointer(code: &str) -> &'static str {
    match code {
        "password_too_common" => "/password",
        "unsupported_source" => "/video_url",
        "no_audio" | "source_too_long" => "/file",
        "out_of_range" => "/limit",
        "unknown_value" => "/status",
        _ => "/member",
    }
}

fn too_many() -> Response {
    let example = json!({
        "error": "rate_limit_exceeded",
        "message": "Rate limit exceeded: 5 per 1 minute",
        "detail": "Too many requests. Please wait before trying again.",
        "retry_after": "41 seconds",
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limit_exceeded",
        "request_id": REQUEST_ID,
    });
    let content: Content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("RateLimitProblem")))
        .example(Some(example))
        .build();
    ResponseBuilder::new()
        .description("Too many calls in this minute.")
        .content(PROBLEM_JSON, content)
        .build()
}

fn headers(response: &mut Response, status: &str, id: &str, endpoint: &Endpoint) {
    let mut add = |name: &str, about: &str, example: Value| {
        response.headers.insert(name.to_owned(), header(about, example).into());
    };
    add("X-Request-Id", "The name of this request; yours, if it was harmless.", json!(REQUEST_ID));
    for (name, about, example) in limits(endpoint) {
        add(name, about, example);
    }
    match status {
        "401" => add("WWW-Authenticate", "How to authenticate.", json!("Bearer")),
        "429" | "503" => add("Retry-After", "When to come back, in seconds.", json!(41)),
        _ => {}
    }
    match (id, status) {
        ("createTranscription" | "uploadTranscription", "201") => add(
            "Location",
            "The path of the transcription.",
            json!(format!("/api/transcription/{REQUEST_ID}")),
        ),
        ("getTranscription", "200" | "304") => {
            add("ETag", "Stands for what is shown.", json!("W/\"5d1c9a7e3b2f4c60\""));
        }
        ("exportTranscript", "200") => add(
            "Content-Disposition",
            "What the file is called: by the title where there is one, else by the identifier.",
            json!("attachment; filename=\"A talk.srt\"; filename*=UTF-8''A%20talk.srt"),
        ),
        ("listTranscriptions", "200") => add(
            "Link",
            "The next page, where there is one.",
            json!("</api/transcription?cursor=AQAG>; rel=\"next\""),
        ),
        _ => {}
    }
}

/// What every counted answer says, with the default size of the budget.
fn limits(endpoint: &Endpoint) -> Vec<(&'static str, &'static str, Value)> {
    let Some(budget) = endpoint.budget else { return Vec::new() };
    let (_, name, quota) = BudgetName::TABLE[budget as usize];
    let left = quota - 1;
    vec![
        (
            "RateLimit",
            "How many calls are left (`r`) and for how many seconds (`t`).",
            json!(format!("\"{name}\";r={left};t=60")),
        ),
        (
            "RateLimit-Policy",
            "How many calls (`q`) a window of so many seconds (`w`) holds.",
            json!(format!("\"{name}\";q={quota};w=60")),
        ),
        (
            "X-RateLimit-Limit",
            "The same in the words of old clients.",
            json!(format!("{quota}/minute")),
        ),
    ]
}

fn header(about: &str, example: Value) -> Header {
    let kind = if example.is_number() { Type::Integer } else { Type::String };
    let schema = ObjectBuilder::new().schema_type(SchemaType::new(kind)).build();
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(about))
        .example(Some(example))
        .build()
}
