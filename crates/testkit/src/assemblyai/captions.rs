//! What can be read of a completed job besides its transcript.

use std::{fmt::Write as _, ops::ControlFlow};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use domain::Word;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Endpoint, fault,
    job::{mean, tell},
    routes::{NO_SUCH_JOB, enter},
    shared::Shared,
};
use crate::fixtures::Recording;

/// How long a caption is unless the client says otherwise.
const CHARS_PER_CAPTION: usize = 128;

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    chars_per_caption: Option<usize>,
    words: Option<String>,
}

pub(super) async fn part(
    request: HttpRequest,
    shared: web::Data<Shared>,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> HttpResponse {
    let (id, part) = path.into_inner();
    if let ControlFlow::Break(answer) = enter(&request, &shared, Endpoint::Get) {
        return answer;
    }
    let Some((status, recording)) = shared.find(&id, |job| (job.status(), job.recording())) else {
        return fault::refuse(StatusCode::BAD_REQUEST, NO_SUCH_JOB);
    };
    let Some(recording) = recording else {
        let text = format!(
            "This transcript has a status of '{status}'. Transcripts must have a status of \
             'completed' before requesting this resource."
        );
        return fault::refuse(StatusCode::BAD_REQUEST, &text);
    };
    let words = recording.words();
    let length = query.chars_per_caption.unwrap_or(CHARS_PER_CAPTION);
    match part.as_str() {
        "srt" => HttpResponse::Ok().content_type("text/plain").body(srt(&words, length)),
        "vtt" => HttpResponse::Ok().content_type("text/plain").body(vtt(&words, length)),
        "sentences" => {
            HttpResponse::Ok().json(spans(&id, recording, "sentences", &sentences(&words)))
        }
        "paragraphs" => HttpResponse::Ok().json(spans(&id, recording, "paragraphs", &[&words])),
        "word-search" => {
            HttpResponse::Ok().json(search(&id, &words, query.words.as_deref().unwrap_or_default()))
        }
        _ => fault::refuse(StatusCode::NOT_FOUND, "Not found"),
    }
}

/// Words in lines of at most `length` characters, at least one word in each.
fn lines(words: &[Word], length: usize) -> Vec<&[Word]> {
    let mut lines = Vec::new();
    let (mut from, mut chars) = (0, 0);
    for (n, word) in words.iter().enumerate() {
        let more = word.text.chars().count() + usize::from(n > from);
        if n > from && chars + more > length {
            lines.push(&words[from..n]);
            (from, chars) = (n, word.text.chars().count());
        } else {
            chars += more;
        }
    }
    lines.push(&words[from..]);
    lines
}

fn sentences(words: &[Word]) -> Vec<&[Word]> {
    words.split_inclusive(|word| word.text.ends_with(['.', '?', '!'])).collect()
}

fn text(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn bounds(words: &[Word]) -> (u64, u64) {
    (words.first().map_or(0, |word| word.start_ms), words.last().map_or(0, |word| word.end_ms))
}

fn srt(words: &[Word], length: usize) -> String {
    let mut srt = String::new();
    for (n, line) in lines(words, length).into_iter().enumerate() {
        let (start, end) = bounds(line);
        let (start, end) = (clock(start, ','), clock(end, ','));
        let _ = write!(srt, "{}\n{start} --> {end}\n{}\n\n", n + 1, text(line));
    }
    srt
}

fn vtt(words: &[Word], length: usize) -> String {
    let mut vtt = String::from("WEBVTT\n\n");
    for line in lines(words, length) {
        let (start, end) = bounds(line);
        let _ = write!(vtt, "{} --> {}\n{}\n\n", clock(start, '.'), clock(end, '.'), text(line));
    }
    vtt
}

fn clock(ms: u64, point: char) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}{point}{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn spans(id: &str, recording: &Recording, name: &str, spans: &[&[Word]]) -> Value {
    let told: Vec<Value> = spans
        .iter()
        .map(|words| {
            let (start, end) = bounds(words);
            json!({
                "text": text(words),
                "start": start,
                "end": end,
                "confidence": mean(words),
                "words": words.iter().map(|word| tell(word, None)).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "id": id,
        "confidence": mean(&recording.words()),
        "audio_duration": recording.duration_ms().div_ceil(1000),
        name: told,
    })
}

fn search(id: &str, words: &[Word], asked: &str) -> Value {
    let plain = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
    let spoken: Vec<String> = words.iter().map(|word| plain(&word.text)).collect();
    let mut matches = Vec::new();
    let mut total = 0;
    for phrase in asked.split(',').filter(|phrase| !phrase.trim().is_empty()) {
        let wanted: Vec<String> = phrase.split_whitespace().map(plain).collect();
        let hits: Vec<usize> =
            (0..spoken.len()).filter(|n| spoken[*n..].starts_with(&wanted)).collect();
        if hits.is_empty() {
            continue;
        }
        total += hits.len();
        let times = hits.iter().map(|n| bounds(&words[*n..*n + wanted.len()]));
        matches.push(json!({
            "text": phrase.trim(),
            "count": hits.len(),
            "timestamps": times.map(|(start, end)| [start, end]).collect::<Vec<_>>(),
            "indexes": hits,
        }));
    }
    json!({ "id": id, "total_count": total, "matches": matches })
}
