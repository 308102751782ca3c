//! The body of a transcript: all of it but its text, as few bytes as can be had without loss.
//!
//! A byte for the version, then, compressed: the length of the text, language, length of the
//! recording, confidence, the labels of the speakers, words, utterances. Words lie field by
//! field, so that like stands beside like; their texts are places in the text, their times the
//! distance from the word before. Whoever reads a body believes nothing of it.

mod bytes;
mod confidences;
mod places;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io::{Read, Write},
};

use domain::{Language, Speaker, Transcript, Utterance, Word};
use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};

use bytes::{Reader, put, put_bytes, put_column};

/// The form in which bodies are written. A reader knows every form that ever was.
const VERSION: u8 = 1;

/// Most bytes of a body before it is compressed, and of the labels of its words. As much as an
/// answer of an engine may have, which says the same in many more bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A word, or an utterance.
struct Said<'a> {
    text: &'a str,
    start_ms: u64,
    end_ms: u64,
    confidence: Option<f64>,
    speaker: Option<&'a str>,
}

/// Writes what [`decode`] reads.
///
/// # Errors
/// When the transcript is larger than any engine may answer.
pub(super) fn encode(transcript: &Transcript) -> Result<Vec<u8>, &'static str> {
    let speakers = transcript.speakers();
    let words = transcript.words.iter().map(Said::from).collect::<Vec<_>>();
    let utterances = transcript.utterances.iter().map(Said::from).collect::<Vec<_>>();
    let labels = words.iter().chain(&utterances).filter_map(|said| said.speaker);
    let mut plain = Vec::new();
    put(&mut plain, length(&transcript.text));
    put_bytes(&mut plain, transcript.language.as_ref().map_or("", Language::as_str));
    match transcript.duration_ms {
        None => put(&mut plain, 0),
        Some(ms) => {
            put(&mut plain, 1);
            put(&mut plain, ms);
        }
    }
    confidences::put(&mut plain, &[transcript.confidence]);
    put(&mut plain, count(&speakers));
    for label in &speakers {
        put_bytes(&mut plain, label);
    }
    let total = labels.map(str::len).fold(0, usize::saturating_add);
    put_group(&mut plain, &transcript.text, &speakers, &words);
    put_group(&mut plain, &transcript.text, &speakers, &utterances);
    if plain.len().max(total) > MAX_BYTES {
        return Err("a transcript is too large to be stored");
    }
    compress(&plain).map_err(|_| "a transcript cannot be compressed")
}

/// Reads the body that goes with `text`.
///
/// # Errors
/// What is wrong with the body.
pub(super) fn decode(text: String, body: &[u8]) -> Result<Transcript, &'static str> {
    let (version, packed) = body.split_first().ok_or("body is empty")?;
    if *version != VERSION {
        return Err("body is of an unknown version");
    }
    let plain = expand(packed, MAX_BYTES)?;
    let mut from = Reader::new(&plain);
    if from.number()? != length(&text) {
        return Err("body does not go with the text");
    }
    let language = Some(from.text()?).filter(|tag| !tag.is_empty());
    let language = language.map(Language::parse).transpose();
    let duration_ms = match from.number()? {
        0 => None,
        1 => Some(from.number()?),
        _ => return Err("body has a length that is none"),
    };
    let confidence = confidences::read(&mut from, 1)?.pop().flatten();
    let mut labels = Labels::read(&mut from)?;
    let words = read_group(&mut from, &text, &mut labels)?;
    let utterances = read_group(&mut from, &text, &mut labels)?;
    from.end()?;
    Ok(Transcript {
        language: language.map_err(|_| "language breaks its rules")?,
        confidence,
        duration_ms,
        words,
        utterances,
        text,
    })
}

fn put_group(to: &mut Vec<u8>, text: &str, speakers: &[&str], said: &[Said<'_>]) {
    put(to, count(said));
    places::put(to, text, said.iter().map(|said| said.text));
    let mut last = 0;
    let gaps = said.iter().map(|said| {
        let gap = bytes::distance(last, said.start_ms);
        last = said.end_ms;
        gap
    });
    put_column(to, gaps.collect());
    let lengths = said.iter().map(|said| bytes::distance(said.start_ms, said.end_ms));
    put_column(to, lengths.collect());
    confidences::put(to, &said.iter().map(|said| said.confidence).collect::<Vec<_>>());
    let known: HashMap<&str, u64> = speakers.iter().copied().zip(1..).collect();
    let place = |label| known.get(label).copied();
    let places = said.iter().map(|said| said.speaker.and_then(place).unwrap_or_default());
    put_column(to, places.collect());
}

fn read_group<T: From<Owned>>(
    from: &mut Reader<'_>,
    text: &str,
    labels: &mut Labels<'_>,
) -> Result<Vec<T>, &'static str> {
    let count = from.count()?;
    let texts = places::read(from, text, count)?;
    let gaps = from.column(count)?;
    let lengths = from.column(count)?;
    let confidences = confidences::read(from, count)?;
    let speakers = from.column(count)?;
    let mut last = 0;
    let fields = texts.into_iter().zip(gaps).zip(lengths).zip(confidences).zip(speakers);
    let read = fields.map(|((((text, gap), length), confidence), speaker)| {
        let start_ms = bytes::moved(last, gap);
        let end_ms = bytes::moved(start_ms, length);
        last = end_ms;
        Ok(Owned { text, start_ms, end_ms, confidence, speaker: labels.get(speaker)? }.into())
    });
    read.collect()
}

/// The labels of the speakers, and how many bytes of them may still be copied.
struct Labels<'a> {
    known: Vec<&'a str>,
    left: usize,
}

impl<'a> Labels<'a> {
    fn new(known: Vec<&'a str>, left: usize) -> Self {
        Self { known, left }
    }

    fn read(from: &mut Reader<'a>) -> Result<Self, &'static str> {
        let count = from.count()?;
        let known = (0..count).map(|_| from.text()).collect::<Result<_, _>>()?;
        Ok(Self::new(known, MAX_BYTES))
    }

    /// The label at `place`, counted from 1; 0 is nobody.
    fn get(&mut self, place: u64) -> Result<Option<Speaker>, &'static str> {
        let Some(at) = place.checked_sub(1) else { return Ok(None) };
        let label = usize::try_from(at).ok().and_then(|at| self.known.get(at));
        let label = label.ok_or("a speaker is not in the list")?;
        let left = self.left.checked_sub(label.len());
        self.left = left.ok_or("body has more labels than it may")?;
        Ok(Some((*label).to_owned()))
    }
}

fn compress(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(vec![VERSION], Compression::best());
    packed.write_all(plain)?;
    packed.finish()
}

fn expand(packed: &[u8], most: usize) -> Result<Vec<u8>, &'static str> {
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = ZlibDecoder::new(packed).take(limit);
    decoder.read_to_end(&mut plain).map_err(|_| "body cannot be expanded")?;
    if plain.len() > most {
        return Err("body is larger than it may be");
    }
    if !decoder.into_inner().into_inner().is_empty() {
        return Err("body goes on after its end");
    }
    Ok(plain)
}

fn length(text: &str) -> u64 {
    count(text.as_bytes())
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// A word, or an utterance, that was read.
struct Owned {
    text: String,
    start_ms: u64,
    end_ms: u64,
    confidence: Option<f64>,
    speaker: Option<Speaker>,
}

impl From<Owned> for Word {
    fn from(Owned { text, start_ms, end_ms, confidence, speaker }: Owned) -> Self {
        Self { text, start_ms, end_ms, confidence, speaker }
    }
}

impl From<Owned> for Utterance {
    fn from(Owned { text, start_ms, end_ms, confidence, speaker }: Owned) -> Self {
        Self { speaker, text, start_ms, end_ms, confidence }
    }
}

impl<'a> From<&'a Word> for Said<'a> {
    fn from(word: &'a Word) -> Self {
        let Word { text, start_ms, end_ms, confidence, speaker } = word;
        let (start_ms, end_ms, confidence) = (*start_ms, *end_ms, *confidence);
        Self { text, start_ms, end_ms, confidence, speaker: speaker.as_deref() }
    }
}

impl<'a> From<&'a Utterance> for Said<'a> {
    fn from(utterance: &'a Utterance) -> Self {
        let Utterance { speaker, text, start_ms, end_ms, confidence } = utterance;
        let (start_ms, end_ms, confidence) = (*start_ms, *end_ms, *confidence);
        Self { text, start_ms, end_ms, confidence, speaker: speaker.as_deref() }
    }
}
