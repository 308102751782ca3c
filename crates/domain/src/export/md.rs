//! Markdown: a title, what is known of the recording, and paragraphs with their times. Everything
//! that was said or typed is escaped, so that it is text and nothing else.

use std::fmt::Write as _;

use super::{
    Clock,
    passages::{Passage, passages},
    push_replaced,
};
use crate::{
    Transcript,
    captions::{CaptionSettings, atoms::tidy},
};

pub(super) fn write(
    transcript: &Transcript,
    settings: &CaptionSettings,
    title: Option<&str>,
) -> String {
    let passages = passages(transcript, settings);
    let text: usize = passages.iter().map(|passage| passage.text.len()).sum();
    let mut target = String::with_capacity(text * 9 / 8 + passages.len() * 32 + 256);
    let title = title.map(tidy).filter(|title| !title.is_empty());
    target.push_str("# ");
    push_escaped(&mut target, title.as_deref().unwrap_or("Transcript"));
    target.push('\n');
    push_facts(&mut target, transcript, settings);
    for passage in &passages {
        target.push('\n');
        push_passage(&mut target, passage);
    }
    target
}

fn push_facts(target: &mut String, transcript: &Transcript, settings: &CaptionSettings) {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(language) = &transcript.language {
        facts.push(("Language", language.as_str().to_owned()));
    }
    if let Some(ms) = transcript.duration_ms {
        facts.push(("Duration", Seconds(ms).to_string()));
    }
    let speakers = if settings.speakers() { transcript.speakers() } else { Vec::new() };
    let speakers: Vec<_> = speakers.into_iter().map(tidy).filter(|s| !s.is_empty()).collect();
    if !speakers.is_empty() {
        facts.push(("Speakers", speakers.join(", ")));
    }
    for (at, (name, value)) in facts.iter().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(target, "{gap}- {name}: ");
        push_escaped(target, value);
        target.push('\n');
    }
}

fn push_passage(target: &mut String, passage: &Passage<'_>) {
    // Writing to a string cannot fail.
    let _ = match (passage.start_ms, &passage.speaker) {
        (Some(ms), None) => write!(target, "**{}** ", Seconds(ms)),
        (ms, Some(speaker)) => {
            target.push_str("**");
            let time = ms.map_or(Ok(()), |ms| write!(target, "{} ", Seconds(ms)));
            push_escaped(target, speaker);
            target.push_str(":** ");
            time
        }
        (None, None) => {
            push_first_line(target, &passage.text);
            return;
        }
    };
    push_escaped(target, &passage.text);
    target.push('\n');
}

/// A paragraph with nothing before it, which must not begin a list or a rule.
fn push_first_line(target: &mut String, text: &str) {
    let number = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(number);
    target.push_str(number);
    let marks = if number.is_empty() {
        rest.starts_with(['-', '+', '='])
    } else {
        rest.starts_with(['.', ')'])
    };
    if marks {
        target.push('\\');
    }
    push_escaped(target, rest);
    target.push('\n');
}

/// Also breaks what renderers take for a link without being told to.
fn push_escaped(target: &mut String, text: &str) {
    for (at, part) in text.split("://").enumerate() {
        target.push_str(if at > 0 { "\\://" } else { "" });
        for (at, part) in part.split("www.").enumerate() {
            target.push_str(if at > 0 { "www\\." } else { "" });
            push_replaced(target, part, escaped);
        }
    }
}

fn escaped(c: char) -> Option<&'static str> {
    match c {
        '\\' => Some("\\\\"),
        '`' => Some("\\`"),
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '<' => Some("\\<"),
        '>' => Some("\\>"),
        '#' => Some("\\#"),
        '|' => Some("\\|"),
        '~' => Some("\\~"),
        '&' => Some("\\&"),
        '$' => Some("\\$"),
        '@' => Some("\\@"),
        _ => None,
    }
}

/// Hours, minutes and seconds; what is left of a second is cut.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clock = Clock { ms: self.0, point: '.' }.to_string();
        f.write_str(clock.rsplit_once('.').map_or(clock.as_str(), |(whole, _)| whole))
    }
}
