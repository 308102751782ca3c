//! `SubRip`: numbered captions. The format has no escapes, and players read tags (`<i>`, `{\an8}`)
//! and `\N` in the text, so the characters that begin them are written as their likes. So are the
//! colons of a line that could be taken for the times of a caption.

use std::fmt::Write as _;

use super::{Clock, push_replaced};
use crate::{
    Transcript,
    captions::{Caption, CaptionSettings, NoTimes, Purpose, shape},
};

pub(super) fn write(
    transcript: &Transcript,
    settings: &CaptionSettings,
) -> Result<String, NoTimes> {
    let captions = shape(transcript, settings, Purpose::Named)?;
    let text: usize = captions.iter().flat_map(|caption| &caption.lines).map(String::len).sum();
    let mut target = String::with_capacity(text * 9 / 8 + captions.len() * 48);
    for (at, caption) in captions.iter().enumerate() {
        push(&mut target, at + 1, caption);
    }
    Ok(target)
}

fn push(target: &mut String, number: usize, caption: &Caption<'_>) {
    let start = Clock { ms: caption.start_ms, point: ',' };
    let end = Clock { ms: caption.end_ms, point: ',' };
    // Writing to a string cannot fail.
    let _ = writeln!(target, "{number}\n{start} --> {end}");
    for line in &caption.lines {
        let from = target.len();
        push_replaced(target, line, mended);
        if looks_timed(&target[from..]) {
            let line = target.split_off(from);
            target.push_str(&line.replace(':', "∶"));
        }
        target.push('\n');
    }
    target.push('\n');
}

/// Whether a line has as many colons between digits as two times have. Some parsers go by times
/// alone, and need no arrow to begin a caption.
fn looks_timed(line: &str) -> bool {
    let colons = line
        .as_bytes()
        .windows(3)
        .filter(|bytes| bytes[1] == b':' && bytes[0].is_ascii_digit() && bytes[2].is_ascii_digit());
    colons.count() >= 4
}

fn mended(c: char) -> Option<&'static str> {
    match c {
        '<' => Some("‹"),
        '>' => Some("›"),
        '{' => Some("("),
        '}' => Some(")"),
        '\\' => Some("∖"),
        _ => None,
    }
}
