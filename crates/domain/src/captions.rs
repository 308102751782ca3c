//! Captions: a transcript cut into pieces that can be read while they are heard.
//!
//! Every time comes from a word (or from an utterance, where an engine reports no words); none is
//! made up by spreading text over time. A caption begins when its first word does and ends when
//! its last one does, and is moved from there only by this:
//!
//! 1. A start that lies before an earlier one is read as that one, an end before its start as its
//!    start.
//! 2. Captions that would begin at once begin a millisecond after each other, and one that would
//!    last no time lasts a millisecond.
//! 3. One that is too short to be read stands longer, up to the longest duration, the next start
//!    and the end of the recording.
//! 4. Whatever would still stand when the next one begins ends there.
//!
//! So captions are in strict order, never overlap, and each ends after it begins. A caption is
//! longer or has more lines than the settings say only where a single word or utterance is or has.

pub(crate) mod atoms;
mod cut;
mod lines;
mod partition;
pub(crate) mod script;
mod settings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use settings::CaptionSettings;

use crate::Transcript;
use atoms::{Atom, tidy};
use cut::{Run, reading_ms};

/// A silence that always ends a caption, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// A piece of text and when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption<'a> {
    /// When it begins, in milliseconds from the start of the recording.
    pub start_ms: u64,
    /// When it ends; always later than it begins, never later than the next one begins.
    pub end_ms: u64,
    /// Who speaks, where that is known and wanted; on one line.
    pub speaker: Option<Cow<'a, str>>,
    /// The text: at least one line, none of them empty, without control characters.
    pub lines: Vec<String>,
}

/// What captions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown; the speaker is named in the text whenever another one begins (`A: …`).
    Named,
    /// To be shown; the speaker is told apart from the text.
    Tagged,
    /// To be worked with: each is one line, and none stands longer than it is heard.
    Data,
}

/// A transcript has text, and nothing in it has a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the transcript has no times, which captions need")]
pub struct NoTimes;

/// Cuts a transcript into captions: at every change of speaker and every pause of a second, and
/// else preferably where sentences and clauses end.
///
/// # Errors
/// [`NoTimes`]. A transcript without text has no captions, which is no error.
pub fn shape<'a>(
    transcript: &'a Transcript,
    settings: &CaptionSettings,
    purpose: Purpose,
) -> Result<Vec<Caption<'a>>, NoTimes> {
    let atoms = atoms::atoms(transcript)?;
    let mut captions = Vec::with_capacity(atoms.len() / 4 + 1);
    let mut from = 0;
    while from < atoms.len() {
        let to = run_end(&atoms, from);
        let speaker = settings.speakers().then(|| name(&atoms[from])).flatten();
        let begins = from == 0 || atoms[from].speaker != atoms[from - 1].speaker;
        let label = speaker.as_ref().filter(|_| begins && purpose == Purpose::Named);
        let label = label.map(|name| label_of(name, settings.chars_per_line() / 2));
        let next_ms = atoms.get(to).map(|next| next.start_ms);
        let run = Run::new(&atoms[from..to], label.as_deref(), next_ms, settings);
        for (taken, lines) in run.captions(purpose == Purpose::Data) {
            let atoms = &atoms[from..from + taken];
            from += taken;
            let end_ms = atoms.iter().map(|atom| atom.end_ms).max().unwrap_or_default();
            let (start_ms, speaker) = (atoms[0].start_ms, speaker.clone());
            captions.push(Caption { start_ms, end_ms, speaker, lines });
        }
    }
    settle(&mut captions, transcript.duration_ms, settings, purpose);
    Ok(captions)
}

/// Where the speaker changes or pauses next.
fn run_end(atoms: &[Atom<'_>], from: usize) -> usize {
    let mut heard_ms = atoms[from].end_ms;
    let mut to = from + 1;
    while let Some(next) = atoms.get(to) {
        let paused = next.start_ms >= heard_ms.saturating_add(PAUSE_MS);
        if paused || next.speaker != atoms[from].speaker {
            break;
        }
        heard_ms = heard_ms.max(next.end_ms);
        to += 1;
    }
    to
}

fn name<'a>(atom: &Atom<'a>) -> Option<Cow<'a, str>> {
    atom.speaker.map(tidy).filter(|name| !name.is_empty())
}

/// The name as it stands before a text, shortened to so many characters.
fn label_of(name: &str, most: usize) -> String {
    let head = &name[..script::split_point(name, most)];
    let cut = if head.len() < name.len() { "…" } else { "" };
    format!("{}{cut}:", head.trim_end())
}

/// Rules 2 to 4.
fn settle(
    captions: &mut [Caption<'_>],
    duration_ms: Option<u64>,
    settings: &CaptionSettings,
    purpose: Purpose,
) {
    let mut earliest = 0;
    for caption in &mut *captions {
        caption.start_ms = caption.start_ms.max(earliest);
        caption.end_ms = caption.end_ms.max(caption.start_ms + 1);
        earliest = caption.start_ms + 1;
    }
    for at in 0..captions.len() {
        let next_ms = captions.get(at + 1).map(|next| next.start_ms);
        let caption = &mut captions[at];
        if purpose != Purpose::Data {
            let chars = caption.lines.iter().map(|line| line.chars().count() + 1).sum::<usize>();
            let wanted = reading_ms(chars.saturating_sub(1), settings).max(settings.shortest_ms());
            let wanted_ms = caption.start_ms + wanted.min(settings.longest_ms());
            let last_ms = duration_ms.unwrap_or(u64::MAX);
            caption.end_ms = caption.end_ms.max(wanted_ms.min(last_ms));
        }
        caption.end_ms = next_ms.map_or(caption.end_ms, |next| caption.end_ms.min(next));
    }
}
