//! What was said, by whom, and when.

use std::collections::HashSet;

use crate::Language;

/// Who speaks: the engine's own label, such as `A`.
pub type Speaker = String;

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word as it is written, punctuation included.
    pub text: String,
    /// When it begins, in milliseconds from the start of the recording.
    pub start_ms: u64,
    /// When it ends, in milliseconds from the start of the recording.
    pub end_ms: u64,
    /// How sure the engine is, 0 to 1, if it says.
    pub confidence: Option<f64>,
    /// Who says it, if speakers were told apart.
    pub speaker: Option<Speaker>,
}

/// What one speaker says without another in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Who speaks.
    pub speaker: Option<Speaker>,
    /// What is said.
    pub text: String,
    /// When it begins, in milliseconds from the start of the recording.
    pub start_ms: u64,
    /// When it ends, in milliseconds from the start of the recording.
    pub end_ms: u64,
    /// How sure the engine is, 0 to 1, if it says.
    pub confidence: Option<f64>,
}

/// The result of an engine. Nothing in it is invented: what an engine does not report is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The whole text.
    pub text: String,
    /// The language that was recognised or used, as a BCP 47 tag.
    pub language: Option<Language>,
    /// How sure the engine is of the whole, 0 to 1.
    pub confidence: Option<f64>,
    /// The length of the recording in milliseconds.
    pub duration_ms: Option<u64>,
    /// The words, in the order of their times.
    pub words: Vec<Word>,
    /// The utterances, where the engine reports them.
    pub utterances: Vec<Utterance>,
}

impl Transcript {
    /// The distinct speakers in the order in which they first speak.
    pub fn speakers(&self) -> Vec<&str> {
        let (mut speakers, mut seen) = (Vec::new(), HashSet::new());
        let all = self.utterances.iter().filter_map(|u| u.speaker.as_deref());
        for speaker in all.chain(self.words.iter().filter_map(|w| w.speaker.as_deref())) {
            if seen.insert(speaker) {
                speakers.push(speaker);
            }
        }
        speakers
    }

    /// The same without NUL, which databases disagree about: U+FFFD stands in its place.
    #[must_use]
    pub fn without_nul(mut self) -> Self {
        let replace = |text: &mut String| {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        };
        replace(&mut self.text);
        for word in &mut self.words {
            replace(&mut word.text);
            word.speaker.iter_mut().for_each(replace);
        }
        for utterance in &mut self.utterances {
            replace(&mut utterance.text);
            utterance.speaker.iter_mut().for_each(replace);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Transcript, Utterance, Word};
    use std::{sync::mpsc, thread, time::Duration};

    #[test]
    fn nothing_of_a_transcript_keeps_a_nul() {
        let speaker = Some("A\0".to_owned());
        let (text, start_ms, end_ms, confidence) = ("a\0b".to_owned(), 1, 2, None);
        let word = Word { text: text.clone(), start_ms, end_ms, confidence, speaker };
        let said = Utterance {
            speaker: word.speaker.clone(),
            text: text.clone(),
            start_ms,
            end_ms,
            confidence,
        };
        let transcript = Transcript {
            text,
            language: None,
            confidence: None,
            duration_ms: None,
            words: vec![word],
            utterances: vec![said],
        };
        let tamed = transcript.without_nul();
        assert_eq!(tamed.text, "a\u{fffd}b");
        assert_eq!((&tamed.words[0].text, &tamed.utterances[0].text), (&tamed.text, &tamed.text));
        assert_eq!(tamed.speakers(), ["A\u{fffd}"]);
    }

    /// Not an expectation: it takes a moment, and far longer if it grows with the square.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn a_crowd_of_speakers_is_counted_in_time() {
        let word = |at: u32| Word {
            text: String::new(),
            start_ms: 0,
            end_ms: 0,
            confidence: None,
            speaker: Some(format!("S{}", at % 200_000)),
        };
        let words = (0..400_000).map(word).collect();
        let transcript = Transcript {
            text: String::new(),
            language: None,
            confidence: None,
            duration_ms: None,
            words,
            utterances: Vec::new(),
        };
        let (sender, counted) = mpsc::channel();
        thread::spawn(move || {
            let speakers = transcript.speakers();
            sender.send((speakers.len(), speakers[199_999].to_owned()))
        });
        let counted = counted.recv_timeout(PATIENCE);
        assert_eq!(counted, Ok((200_000, "S199999".to_owned())));
    }
}
