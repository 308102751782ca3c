//! Texts of words as places in the text of the transcript, where they stand there in order.

use super::{
    bytes::{Reader, put_column},
    length,
};

/// How many bytes may lie between a word and the next. Far more than blanks and punctuation take;
/// a word that is not where it should be does not take the place of one much later.
const WINDOW: usize = 256;

/// Stands in place of a gap for a word that is not in the text; it is spelt out.
const SPELT: u64 = 0;

/// Stands in place of a length for "up to the next blank".
const TO_BLANK: u64 = 0;

/// Writes all gaps, then all lengths, then what is spelt.
pub(super) fn put<'a>(to: &mut Vec<u8>, text: &str, words: impl Iterator<Item = &'a str>) {
    let (mut gaps, mut lengths, mut spelt) = (Vec::new(), Vec::new(), Vec::new());
    let mut end = 0;
    for word in words {
        let Some(gap) = gap(text, end, word) else {
            gaps.push(SPELT);
            lengths.push(length(word));
            spelt.extend_from_slice(word.as_bytes());
            continue;
        };
        let start = end + gap.len();
        end = start + word.len();
        let whole = ends_at_blank(text, end) && !word.contains(char::is_whitespace);
        gaps.push(length(gap) + 1);
        lengths.push(if whole { TO_BLANK } else { length(word) + 1 });
    }
    put_column(to, gaps);
    put_column(to, lengths);
    to.append(&mut spelt);
}

/// Reads `count` texts. Together they are no longer than the text and the body.
pub(super) fn read(
    from: &mut Reader<'_>,
    text: &str,
    count: usize,
) -> Result<Vec<String>, &'static str> {
    let gaps = from.column(count)?;
    let lengths = from.column(count)?;
    let mut rest = text;
    let words = gaps.into_iter().zip(lengths).map(|(gap, length)| {
        if gap == SPELT {
            return from.str(length).map(str::to_owned);
        }
        let (_, word) = split(rest, gap - 1)?;
        let length = match length {
            TO_BLANK => super::length(word.split(char::is_whitespace).next().unwrap_or_default()),
            length => length - 1,
        };
        let (word, behind) = split(word, length)?;
        rest = behind;
        Ok(word.to_owned())
    });
    words.collect()
}

/// What lies between `end` and the next place of `word`.
fn gap<'a>(text: &'a str, end: usize, word: &str) -> Option<&'a str> {
    let rest = text.get(end..)?;
    let near = rest.floor_char_boundary(word.len().saturating_add(WINDOW));
    let (near, _) = rest.split_at(near);
    near.find(word).and_then(|at| near.get(..at))
}

fn ends_at_blank(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace))
}

fn split(text: &str, at: u64) -> Result<(&str, &str), &'static str> {
    let split = usize::try_from(at).ok().and_then(|at| text.split_at_checked(at));
    split.ok_or("a word is not in the text")
}
