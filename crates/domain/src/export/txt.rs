//! Plain text: paragraphs with an empty line in between, speakers named where they are known.

use super::passages::passages;
use crate::{Transcript, captions::CaptionSettings};

pub(super) fn write(transcript: &Transcript, settings: &CaptionSettings) -> String {
    let passages = passages(transcript, settings);
    let text: usize = passages.iter().map(|passage| passage.text.len()).sum();
    let mut target = String::with_capacity(text + passages.len() * 16);
    for passage in &passages {
        if !target.is_empty() {
            target.push('\n');
        }
        if let Some(speaker) = &passage.speaker {
            target.push_str(speaker);
            target.push_str(": ");
        }
        target.push_str(&passage.text);
        target.push('\n');
    }
    target
}
