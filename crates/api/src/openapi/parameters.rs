//! The parameters of operations.

use domain::export::Format;
use serde_json::json;
use utoipa::openapi::{
    Required,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type},
};

use crate::routes::Endpoint;

/// Adds what the path and the operation take.
pub(super) fn add(operation: &mut Operation, endpoint: &Endpoint) {
    let mut parameters: Vec<Parameter> = Vec::new();
    if endpoint.pattern.contains("{id}") {
        let schema = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        let example = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";
        parameters.push(
            parameter("id", ParameterIn::Path, "Which transcription.", schema)
                .required(Required::True)
                .example(Some(json!(example)))
                .build(),
        );
    }
    if endpoint.pattern.contains("{token}") {
        let about = "The secret of one submission: 64 hexadecimal digits.";
        parameters.push(
            parameter("token", ParameterIn::Path, about, text()).required(Required::True).build(),
        );
    }
    if endpoint.pattern.contains("{format}") {
        let schema = text().enum_values(Some(Format::ALL.map(Format::as_str)));
        parameters.push(
            parameter("format", ParameterIn::Path, "Which format.", schema)
                .required(Required::True)
                .build(),
        );
    }
    match operation.operation_id.as_deref() {
        Some("exportTranscript") => parameters.extend(captions()),
        Some("listTranscriptions") => parameters.extend(list()),
        Some("getTranscription") => {
            let about = "The `ETag` of an earlier answer: 304 if nothing has changed since.";
            parameters.push(
                parameter("If-None-Match", ParameterIn::Header, about, text())
                    .example(Some(json!("W/\"5d1c9a7e3b2f4c60\"")))
                    .build(),
            );
        }
        _ => {}
    }
    if !parameters.is_empty() {
        operation.parameters = Some(parameters.into_iter().map(Into::into).collect());
    }
}

fn list() -> Vec<Parameter> {
    let query = |name, about, schema| parameter(name, ParameterIn::Query, about, schema).build();
    let instant = || text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let words = ["pending", "processing", "completed", "failed", "canceled"];
    vec![
        query(
            "limit",
            "How many a page holds.",
            integer().minimum(Some(1)).maximum(Some(100)).default(Some(json!(20))),
        ),
        query("cursor", "`next_cursor` of the page before.", text()),
        query("status", "Only those of this status.", text().enum_values(Some(words))),
        query("created_after", "Only those created later than this.", instant()),
        query("created_before", "Only those created earlier than this.", instant()),
        query("include", "`total` also counts all.", text().enum_values(Some(["total"]))),
        query(
            "skip",
            "How many to pass over. For old clients: pages by cursor are faster, and stable while \
             transcriptions come and go.",
            integer()
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(0))
                .default(Some(json!(0))),
        ),
    ]
}

/// The settings of exports, with the bounds and defaults of the domain.
fn captions() -> Vec<Parameter> {
    let query = |name, about, schema| parameter(name, ParameterIn::Query, about, schema).build();
    let bounded = |schema: ObjectBuilder, least: u8, most: u8, default: u8| {
        schema.minimum(Some(least)).maximum(Some(most)).default(Some(json!(default)))
    };
    let number = || ObjectBuilder::new().schema_type(SchemaType::new(Type::Number));
    let flag = ObjectBuilder::new().schema_type(SchemaType::new(Type::Boolean));
    vec![
        query("chars_per_line", "Most characters on a line.", bounded(integer(), 10, 120, 42)),
        query("lines", "Most lines in a caption.", bounded(integer(), 1, 4, 2)),
        query("max_seconds", "How long a caption may stand.", bounded(number(), 1, 60, 7)),
        query(
            "min_seconds",
            "How long a caption stands at least where there is room; not more than `max_seconds`.",
            bounded(number(), 0, 10, 1),
        ),
        query(
            "chars_per_second",
            "How fast is read: a caption stands longer where there is room.",
            bounded(integer(), 5, 100, 20),
        ),
        query("speakers", "Whether known speakers are named.", flag.default(Some(json!(true)))),
    ]
}

fn parameter(
    name: &str,
    place: ParameterIn,
    about: &str,
    schema: impl Into<Object>,
) -> ParameterBuilder {
    let schema: Object = schema.into();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer))
}
