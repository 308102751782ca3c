//! `WebVTT`: captions for the web, with voices.

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
    let captions = shape(transcript, settings, Purpose::Tagged)?;
    let text: usize = captions.iter().flat_map(|caption| &caption.lines).map(String::len).sum();
    let mut target = String::with_capacity(text * 9 / 8 + captions.len() * 48 + 8);
    target.push_str("WEBVTT\n");
    for caption in &captions {
        push(&mut target, caption);
    }
    Ok(target)
}

fn push(target: &mut String, caption: &Caption<'_>) {
    let start = Clock { ms: caption.start_ms, point: '.' };
    let end = Clock { ms: caption.end_ms, point: '.' };
    // Writing to a string cannot fail.
    let _ = writeln!(target, "\n{start} --> {end}");
    if let Some(speaker) = &caption.speaker {
        target.push_str("<v ");
        push_replaced(target, speaker, escaped);
        // With the end of the tag, two hyphens would be the arrow between times. A space at the end
        // of a name is no part of it.
        target.push_str(if speaker.ends_with('-') { " >" } else { ">" });
    }
    for line in &caption.lines {
        push_replaced(target, line, escaped);
        target.push('\n');
    }
}

fn escaped(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}
