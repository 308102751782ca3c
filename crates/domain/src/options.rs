//! What a user may ask of a transcription beyond its source.

use std::collections::BTreeMap;

use crate::{Invalid, Language, text};

/// Words and phrases that the engine should expect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyterms(Vec<String>);

impl Keyterms {
    /// Most terms.
    pub const MAX: usize = 100;
    /// Longest term, in characters.
    pub const MAX_CHARS: usize = 100;
    /// Most words in a term (the least that engines agree on).
    pub const MAX_WORDS: usize = 6;

    /// Judges a list of terms; each is kept as it is.
    ///
    /// # Errors
    /// `too_many`, `empty`, `too_long`, `too_many_words` or `control_character`.
    pub fn parse(terms: Vec<String>) -> Result<Self, Invalid> {
        if terms.len() > Self::MAX {
            return Err(Invalid::new("too_many", "must have at most 100 terms"));
        }
        for term in &terms {
            text::check(term, Self::MAX_CHARS)?;
            match term.split_whitespace().count() {
                0 => return Err(Invalid::new("empty", "must not contain an empty term")),
                1..=Self::MAX_WORDS => {}
                _ => {
                    return Err(Invalid::new(
                        "too_many_words",
                        "must not contain a term of more than 6 words",
                    ));
                }
            }
        }
        Ok(Self(terms))
    }

    /// The terms, in the order given.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// Pairs of text that a client attaches to a transcription and reads back; the service does not
/// look at them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Most pairs.
    pub const MAX: usize = 20;
    /// Longest key, in characters.
    pub const MAX_KEY_CHARS: usize = 40;
    /// Longest value, in characters.
    pub const MAX_VALUE_CHARS: usize = 500;

    /// Judges the pairs.
    ///
    /// # Errors
    /// `too_many`, `empty`, `too_long` or `control_character`.
    pub fn parse(pairs: BTreeMap<String, String>) -> Result<Self, Invalid> {
        if pairs.len() > Self::MAX {
            return Err(Invalid::new("too_many", "must have at most 20 pairs"));
        }
        for (key, value) in &pairs {
            if key.is_empty() {
                return Err(Invalid::new("empty", "must not contain an empty key"));
            }
            text::check(key, Self::MAX_KEY_CHARS)?;
            text::check(value, Self::MAX_VALUE_CHARS)?;
        }
        Ok(Self(pairs))
    }

    /// The pairs, sorted by key.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// The options of one transcription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptionOptions {
    /// The language spoken.
    pub language: Language,
    /// Whether speakers are told apart.
    pub speaker_labels: bool,
    /// How many speakers there are, where the user knows; 1 to 30.
    pub speakers_expected: Option<u8>,
    /// Words to expect.
    pub keyterms: Keyterms,
}

impl TranscriptionOptions {
    /// Most speakers that can be asked for.
    pub const MAX_SPEAKERS: u8 = 30;

    /// Judges a number of speakers.
    ///
    /// # Errors
    /// `out_of_range`; `speaker_labels_required` when speakers are not to be told apart.
    pub fn speakers(expected: i64, speaker_labels: bool) -> Result<u8, Invalid> {
        match u8::try_from(expected) {
            Ok(count @ 1..=Self::MAX_SPEAKERS) if speaker_labels => Ok(count),
            Ok(1..=Self::MAX_SPEAKERS) => {
                Err(Invalid::new("speaker_labels_required", "needs speaker_labels to be true"))
            }
            _ => Err(Invalid::new("out_of_range", "must be from 1 to 30")),
        }
    }
}

impl Default for TranscriptionOptions {
    fn default() -> Self {
        Self {
            language: Language::Auto,
            speaker_labels: false,
            speakers_expected: None,
            keyterms: Keyterms::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keyterms, Metadata, TranscriptionOptions};
    use std::collections::BTreeMap;

    fn code<T>(result: Result<T, crate::Invalid>) -> Option<&'static str> {
        result.err().map(|e| e.code())
    }

    #[test]
    fn keyterms_are_bounded() {
        assert_eq!(code(Keyterms::parse(vec!["SaaS-IA".into(), "speech to text".into()])), None);
        assert_eq!(code(Keyterms::parse(vec!["x".into(); 101])), Some("too_many"));
        assert_eq!(code(Keyterms::parse(vec![" ".into()])), Some("empty"));
        assert_eq!(code(Keyterms::parse(vec!["x".repeat(101)])), Some("too_long"));
        assert_eq!(code(Keyterms::parse(vec!["a b c d e f g".into()])), Some("too_many_words"));
    }

    #[test]
    fn metadata_is_bounded() {
        let pair = |k: String, v: String| Metadata::parse(BTreeMap::from([(k, v)]));
        assert_eq!(code(pair("k".into(), String::new())), None);
        assert_eq!(code(pair(String::new(), "v".into())), Some("empty"));
        assert_eq!(code(pair("k".repeat(41), "v".into())), Some("too_long"));
        assert_eq!(code(pair("k".into(), "v".repeat(501))), Some("too_long"));
        assert_eq!(code(pair("k".into(), "\0".into())), Some("control_character"));
        let many = (0..21).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(code(Metadata::parse(many)), Some("too_many"));
    }

    #[test]
    fn speakers_need_labels_and_a_sane_number() {
        assert_eq!(TranscriptionOptions::speakers(2, true), Ok(2));
        assert_eq!(code(TranscriptionOptions::speakers(2, false)), Some("speaker_labels_required"));
        for wrong in [0, -1, 31, i64::MAX] {
            assert_eq!(code(TranscriptionOptions::speakers(wrong, true)), Some("out_of_range"));
        }
    }
}
