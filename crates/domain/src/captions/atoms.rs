//! The parts of a transcript that have times of their own: words, or utterances where an engine
//! reports no words. None is ever divided between captions, since that would make up a time.

use std::borrow::Cow;

use super::{
    NoTimes,
    script::{joins, parts_words, split_point},
};
use crate::Transcript;

/// Times beyond this are read as this: 285,000 years leave room to move on by milliseconds.
const LATEST_MS: u64 = 1 << 53;

/// Text with times of its own.
pub(crate) struct Atom<'a> {
    /// Words with one space in between; never empty.
    pub(crate) text: Cow<'a, str>,
    /// Whether no space stands before it.
    pub(crate) joined: bool,
    pub(crate) speaker: Option<&'a str>,
    /// Never before the start of an earlier one.
    pub(crate) start_ms: u64,
    /// Never before its start.
    pub(crate) end_ms: u64,
}

/// What fits on a line.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(crate) text: &'a str,
    pub(crate) chars: usize,
    /// Whether no space stands before it.
    pub(crate) joined: bool,
    /// Whether it goes on with a word that is too long for a line.
    pub(crate) continues: bool,
}

/// Text on one line: words with one space in between, no control characters.
pub(crate) fn tidy(text: &str) -> Cow<'_, str> {
    let tidied = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let whole = |part: &str| !part.is_empty() && part.trim().len() == part.len();
    if !tidied.contains(|c: char| parts_words(c) && c != ' ') && tidied.split(' ').all(whole) {
        return Cow::Borrowed(tidied);
    }
    let mut joined = String::with_capacity(tidied.len());
    for part in tidied.split(parts_words).filter(|part| !part.trim().is_empty()) {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(part.trim());
    }
    Cow::Owned(joined)
}

/// The atoms of a transcript in its own order; empty ones are left out.
pub(crate) fn atoms(transcript: &Transcript) -> Result<Vec<Atom<'_>>, NoTimes> {
    let words = transcript.words.iter();
    let words = words.map(|w| (w.text.as_str(), w.speaker.as_deref(), w.start_ms, w.end_ms));
    let atoms = line_up(words, &transcript.text);
    if !atoms.is_empty() {
        return Ok(atoms);
    }
    let said = transcript.utterances.iter();
    let said = said.map(|u| (u.text.as_str(), u.speaker.as_deref(), u.start_ms, u.end_ms));
    let atoms = line_up(said, &transcript.text);
    if atoms.is_empty() && !tidy(&transcript.text).is_empty() { Err(NoTimes) } else { Ok(atoms) }
}

fn line_up<'a>(
    timed: impl ExactSizeIterator<Item = (&'a str, Option<&'a str>, u64, u64)>,
    whole: &str,
) -> Vec<Atom<'a>> {
    let mut atoms: Vec<Atom<'a>> = Vec::with_capacity(timed.len());
    let mut written = Written { rest: whole };
    let mut earliest = 0;
    for (text, speaker, start_ms, end_ms) in timed {
        let text = tidy(text);
        if text.is_empty() {
            continue;
        }
        let joined = written.joined(&text);
        let joined = joined.or_else(|| atoms.last().map(|last| joins(&last.text, &text)));
        let start_ms = start_ms.clamp(earliest, LATEST_MS);
        let end_ms = end_ms.clamp(start_ms, LATEST_MS);
        earliest = start_ms;
        let joined = joined.unwrap_or_default();
        atoms.push(Atom { text, joined, speaker, start_ms, end_ms });
    }
    atoms
}

/// The whole text as far as it has not been met word by word: it knows best where spaces are.
struct Written<'a> {
    rest: &'a str,
}

impl Written<'_> {
    /// Whether `word` comes next without a space, if it comes next.
    fn joined(&mut self, word: &str) -> Option<bool> {
        let next = self.rest.trim_start_matches(parts_words);
        let rest = next.strip_prefix(word)?;
        let joined = next.len() == self.rest.len();
        self.rest = rest;
        Some(joined)
    }
}

/// Cuts a text into what fits on a line of so many characters.
pub(super) fn push_pieces<'a>(
    pieces: &mut Vec<Piece<'a>>,
    text: &'a str,
    joined: bool,
    most: usize,
) {
    for (at, word) in text.split(' ').enumerate() {
        let mut rest = word;
        let mut continues = false;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(split_point(rest, most));
            let joined = continues || (joined && at == 0);
            pieces.push(Piece { text: head, chars: head.chars().count(), joined, continues });
            (rest, continues) = (tail, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tidy;
    use std::borrow::Cow;

    #[test]
    fn text_is_tidied_only_where_it_must_be() {
        assert!(matches!(tidy(" a b "), Cow::Borrowed("a b")));
        assert_eq!(tidy("a\r\n\r\nb\u{2028}c\u{85}d\0e  f"), "a b c d e f");
        assert_eq!(tidy("\u{a0}\t\u{3000}"), "");
        assert_eq!(tidy("Quoi\u{a0}!"), "Quoi\u{a0}!");
        assert_eq!(tidy("a \u{a0} b"), "a b");
    }
}
