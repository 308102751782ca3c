//! A table for programs and spreadsheets: a row a caption, with the times in which it is heard.
//!
//! No cell holds a tab or a line break. One that a spreadsheet would take for a formula or for
//! quoted text has an apostrophe before it; so has one that begins with an apostrophe, so that
//! taking one away gives back every cell.

use std::fmt::Write as _;

use crate::{
    Transcript,
    captions::{CaptionSettings, Purpose, atoms::tidy, shape},
};

pub(super) fn write(transcript: &Transcript, settings: &CaptionSettings) -> String {
    let mut target = String::from("start_ms\tend_ms\tspeaker\ttext\n");
    let Ok(captions) = shape(transcript, settings, Purpose::Data) else {
        // Text is there and times are not: their cells are empty.
        target.push_str("\t\t\t");
        push_cell(&mut target, &tidy(&transcript.text));
        target.push('\n');
        return target;
    };
    let text: usize = captions.iter().flat_map(|caption| &caption.lines).map(String::len).sum();
    target.reserve(text + captions.len() * 32);
    for caption in &captions {
        // Writing to a string cannot fail.
        let _ = write!(target, "{}\t{}\t", caption.start_ms, caption.end_ms);
        push_cell(&mut target, caption.speaker.as_deref().unwrap_or_default());
        target.push('\t');
        push_cell(&mut target, &caption.lines.concat());
        target.push('\n');
    }
    target
}

fn push_cell(target: &mut String, text: &str) {
    if text.starts_with(misread) {
        target.push('\'');
    }
    target.push_str(text);
}

fn misread(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '"' | '\'')
}
