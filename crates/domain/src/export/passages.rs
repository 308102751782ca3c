//! A transcript as paragraphs.

use std::borrow::Cow;

use crate::{
    Transcript,
    captions::{
        CaptionSettings,
        atoms::{Atom, atoms, tidy},
        script::{Ending, ending},
    },
};

/// A silence behind a sentence that begins a paragraph, in milliseconds.
const PAUSE_MS: u64 = 1_500;

/// Behind so many characters, the end of a sentence begins a paragraph.
const LONG: usize = 600;

/// A paragraph: never empty, on one line.
pub(super) struct Passage<'a> {
    pub(super) start_ms: Option<u64>,
    /// Who speaks, where that is known and wanted; on one line.
    pub(super) speaker: Option<Cow<'a, str>>,
    pub(super) text: Cow<'a, str>,
}

/// The utterances; without them, words by speaker and pause; without times, the text by its lines.
pub(super) fn passages<'a>(
    transcript: &'a Transcript,
    settings: &CaptionSettings,
) -> Vec<Passage<'a>> {
    let mut passages = utterances(transcript);
    if passages.is_empty() {
        passages = atoms(transcript).map_or_else(|_| lines(&transcript.text), |all| words(&all));
    }
    if !settings.speakers() {
        for passage in &mut passages {
            passage.speaker = None;
        }
    }
    passages
}

fn speaker(label: Option<&str>) -> Option<Cow<'_, str>> {
    label.map(tidy).filter(|name| !name.is_empty())
}

fn utterances(transcript: &Transcript) -> Vec<Passage<'_>> {
    let passages = transcript.utterances.iter().map(|utterance| Passage {
        start_ms: Some(utterance.start_ms),
        speaker: speaker(utterance.speaker.as_deref()),
        text: tidy(&utterance.text),
    });
    passages.filter(|passage| !passage.text.is_empty()).collect()
}

fn words<'a>(atoms: &[Atom<'a>]) -> Vec<Passage<'a>> {
    let mut passages: Vec<Passage<'a>> = Vec::new();
    let mut last: Option<&Atom<'a>> = None;
    for atom in atoms {
        let open = passages.last_mut().filter(|open| !last.is_some_and(|l| begins(open, l, atom)));
        match open {
            None => passages.push(Passage {
                start_ms: Some(atom.start_ms),
                speaker: speaker(atom.speaker),
                text: atom.text.clone(),
            }),
            Some(open) => {
                let text = open.text.to_mut();
                if !atom.joined {
                    text.push(' ');
                }
                text.push_str(&atom.text);
            }
        }
        last = Some(atom);
    }
    passages
}

/// Whether a paragraph begins with `atom`.
fn begins(open: &Passage<'_>, last: &Atom<'_>, atom: &Atom<'_>) -> bool {
    let over = || atom.start_ms.saturating_sub(last.end_ms) >= PAUSE_MS || open.text.len() >= LONG;
    last.speaker != atom.speaker || (ending(&last.text) == Ending::Sentence && over())
}

fn lines(text: &str) -> Vec<Passage<'_>> {
    let lines = text.lines().map(tidy).filter(|line| !line.is_empty());
    lines.map(|text| Passage { start_ms: None, speaker: None, text }).collect()
}
