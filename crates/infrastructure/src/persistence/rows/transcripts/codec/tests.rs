use domain::{Language, Transcript, Utterance, Word};
use proptest::{collection::vec, prelude::*};
use testkit::fixtures::{Recording, recordings};

use super::{Labels, VERSION, bytes, compress, decode, encode, expand};

/// What is compared of a transcript: a float is its bits, because what is no number equals nothing.
fn exact(transcript: &Transcript) -> (Vec<Option<u64>>, Transcript) {
    let mut rest = transcript.clone();
    let words = rest.words.iter_mut().map(|word| word.confidence.take());
    let utterances = rest.utterances.iter_mut().map(|utterance| utterance.confidence.take());
    let all = std::iter::once(rest.confidence.take()).chain(words).chain(utterances);
    let bits = all.map(|value| value.map(f64::to_bits)).collect();
    (bits, rest)
}

fn read_back(transcript: &Transcript) -> Transcript {
    let body = encode(transcript).expect("it is written");
    decode(transcript.text.clone(), &body).expect("it is read")
}

/// Decimals as engines write them, and any floats at all.
fn confidences() -> impl Strategy<Value = Option<f64>> {
    let decimals = (0..=100_000_u32).prop_map(|n| Some(f64::from(n) / 100_000.0));
    let odd = prop_oneof![Just(-0.0), Just(f64::NAN), Just(1.0 / 3.0), Just(1.5), Just(5e-324)];
    let any = any::<u64>().prop_map(|bits| Some(f64::from_bits(bits)));
    prop_oneof![4 => decimals, 1 => odd.prop_map(Some), 1 => any, 1 => Just(None)]
}

/// A word, most of them near the one before.
fn words() -> impl Strategy<Value = Word> {
    let text = prop_oneof![3 => "[a-zé]{1,8}[,.]?", 1 => "\\PC{0,9}"];
    let time = || prop_oneof![4 => 0..9_999_u64, 1 => any::<u64>()];
    let speaker = proptest::option::of(prop_oneof!["[AB]", "\\PC{0,3}"]);
    let fields = (text, time(), time(), confidences(), speaker);
    fields.prop_map(|(text, start_ms, end_ms, confidence, speaker)| Word {
        text,
        start_ms,
        end_ms,
        confidence,
        speaker,
    })
}

fn utterance(words: &[Word]) -> Utterance {
    let first = words.first().expect("a word");
    Utterance {
        speaker: first.speaker.clone(),
        text: joined(words),
        start_ms: first.start_ms,
        end_ms: words.last().expect("a word").end_ms,
        confidence: first.confidence,
    }
}

fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Transcripts whose words are those of the text, but for some.
fn transcripts() -> impl Strategy<Value = Transcript> {
    let language = proptest::option::of(prop_oneof!["auto", "fr", "pt-BR"]);
    let said = (vec(words(), 0..40), vec(words(), 0..4), any::<Option<u64>>(), confidences());
    (said, language, 0..40_usize).prop_map(
        |((mut words, others, duration_ms, confidence), language, at)| {
            let text = joined(&words);
            let utterances = words.chunks(7).map(utterance).collect();
            let at = at.min(words.len());
            words.splice(at..(at + 1).min(words.len()), others);
            let language = language.map(|tag| Language::parse(&tag).expect("a tag"));
            Transcript { text, language, confidence, duration_ms, words, utterances }
        },
    )
}

/// Of a known recording, as if one voice said it.
fn recorded() -> Transcript {
    let mut words = recordings()[1].words();
    for word in &mut words {
        word.speaker = Some("A".to_owned());
    }
    Transcript {
        text: recordings()[1].text.to_owned(),
        language: Some(Language::parse("en").expect("a tag")),
        confidence: Some(0.987),
        duration_ms: Some(recordings()[1].duration_ms()),
        utterances: vec![utterance(&words)],
        words,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_transcript_reads_back_to_the_bit(transcript in transcripts()) {
        prop_assert_eq!(exact(&read_back(&transcript)), exact(&transcript));
    }

    #[test]
    fn whatever_a_body_holds_reading_it_ends(
        text in "\\PC{0,20}",
        noise in vec(prop_oneof![3 => 0..12_u8, 1 => any::<u8>()], 0..80),
    ) {
        let mut plain = vec![u8::try_from(text.len()).expect("short")];
        plain.extend(noise);
        let body = compress(&plain).expect("it is compressed");
        let _ = decode(text.clone(), &body);
        let _ = decode(text, &plain);
    }

    #[test]
    fn a_body_with_another_byte_is_refused_or_read(
        transcript in transcripts(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let body = encode(&transcript).expect("it is written");
        let mut plain = expand(&body[1..], usize::MAX).expect("it is expanded");
        let at = at.index(plain.len());
        plain[at] = byte;
        let body = compress(&plain).expect("it is compressed");
        let _ = decode(transcript.text, &body);
    }

    #[test]
    fn distances_lead_back(from in any::<u64>(), to in any::<u64>()) {
        for to in [to, from, from.wrapping_add(1), from.wrapping_sub(1), from ^ (1 << 63)] {
            prop_assert_eq!(bytes::moved(from, bytes::distance(from, to)), to);
        }
    }

    #[test]
    fn numbers_read_back(numbers in vec(any::<u64>().prop_flat_map(|n| (0..64_u32).prop_map(move |bits| n >> bits)), 0..9)) {
        let mut written = Vec::new();
        bytes::put_column(&mut written, numbers.clone());
        let sizes: u32 = numbers.iter().map(|number| bytes::size(*number)).sum();
        prop_assert_eq!(written.len(), usize::try_from(sizes).expect("small"));
        for number in &numbers {
            bytes::put(&mut written, *number);
        }
        let mut from = bytes::Reader::new(&written);
        prop_assert_eq!(from.column(numbers.len()), Ok(numbers.clone()));
        for number in numbers {
            prop_assert_eq!(from.number(), Ok(number));
        }
        prop_assert_eq!(from.end(), Ok(()));
    }
}

#[test]
fn recordings_read_back_to_the_bit() {
    for recording in recordings() {
        let words = recording.words();
        let transcript = Transcript {
            text: recording.text.to_owned(),
            language: None,
            confidence: None,
            duration_ms: None,
            utterances: vec![utterance(&words)],
            words,
        };
        assert_eq!(exact(&read_back(&transcript)), exact(&transcript), "{}", recording.name);
    }
}

#[test]
fn a_body_that_is_not_whole_is_refused() {
    let transcript = recorded();
    let body = encode(&transcript).expect("it is written");
    assert_eq!(decode(transcript.text.clone(), &body).as_ref(), Ok(&transcript));
    let refused = |body: &[u8]| decode(transcript.text.clone(), body).is_err();
    for length in 0..body.len() {
        assert!(refused(&body[..length]), "the first {length} bytes");
    }
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut body = body.clone();
            body[at] ^= 1 << bit;
            // A few bits fill a byte up, and say nothing.
            let read = decode(transcript.text.clone(), &body);
            assert!(read.is_err() || read == Ok(transcript.clone()), "bit {bit} of byte {at}");
        }
    }
    assert!(refused(&[&body[..], &[0]].concat()), "one byte more");
    let other = decode(transcript.text.clone() + ".", &body);
    assert_eq!(other, Err("body does not go with the text"));
    assert_eq!(body[0], VERSION);
}

#[test]
fn a_body_takes_no_more_room_than_it_may() {
    let body = compress(&[0; 1_000]).expect("it is compressed");
    assert!(expand(&body[1..], 1_000).is_ok());
    assert_eq!(expand(&body[1..], 999), Err("body is larger than it may be"));

    let mut labels = Labels::new(vec!["AB"], 5);
    assert_eq!(labels.get(1), Ok(Some("AB".to_owned())));
    assert_eq!(labels.get(0), Ok(None));
    assert!(labels.get(2).is_err(), "there is only one");
    assert!(labels.get(1).is_ok() && labels.get(1).is_err(), "six bytes are too many");

    let mut many = Vec::new();
    bytes::put(&mut many, u64::MAX);
    assert_eq!(bytes::Reader::new(&many).number(), Ok(u64::MAX));
    assert!(bytes::Reader::new(&many).count().is_err(), "no room is made for what is not there");
}

/// About nine thousand words of two speakers in turn, the words of the recordings, the times and
/// confidences as uneven as those of an engine.
fn an_hour() -> Transcript {
    let said: Vec<Word> = recordings().iter().flat_map(Recording::words).collect();
    let mut state = 1_u64;
    let mut chance = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut words, mut utterances, mut at) = (Vec::new(), Vec::new(), 0);
    while at < 3_600_000 {
        let speaker = if utterances.len() % 2 == 0 { "A" } else { "B" };
        let turn = words.len();
        for _ in 0..=chance(60) {
            let place = usize::try_from(chance(1_000_000)).expect("small") % said.len();
            let text = said[place].text.clone();
            let start_ms = at + chance(100) + 600 * u64::from(chance(12) == 0);
            at = start_ms + 60 + chance(500);
            // Five digits, most of them near one.
            let doubt = chance(100_000) * chance(100_000) / 150_000;
            let confidence = Some(f64::from(u32::try_from(100_000 - doubt).expect("small")) / 1e5);
            let speaker = Some(speaker.to_owned());
            words.push(Word { text, start_ms, end_ms: at, confidence, speaker });
        }
        utterances.push(utterance(&words[turn..]));
    }
    let text = joined(&words);
    let (language, confidence, duration_ms) = (None, Some(0.93), Some(at));
    Transcript { text, language, confidence, duration_ms, words, utterances }
}

#[test]
fn an_hour_of_speech_takes_less_than_fifty_kilobytes_beside_its_text() {
    let hour = an_hour();
    assert!((8_500..9_500).contains(&hour.words.len()), "{} words", hour.words.len());
    let body = encode(&hour).expect("it is written");
    println!(
        "{} words: text {} bytes, body {} bytes",
        hour.words.len(),
        hour.text.len(),
        body.len()
    );
    assert!(body.len() < 50_000, "{} bytes", body.len());
    assert!(hour.text.len() + body.len() < 100_000, "{} bytes of text", hour.text.len());
    assert_eq!(exact(&read_back(&hour)), exact(&hour));
}
