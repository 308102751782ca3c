//! What must be true of the captions of any transcript, and what they look like.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{Caption, CaptionSettings, NoTimes, Purpose, shape};
use crate::{Transcript, Utterance, Word};

fn transcript(words: Vec<Word>) -> Transcript {
    Transcript {
        text: String::new(),
        language: None,
        confidence: None,
        duration_ms: None,
        words,
        utterances: Vec::new(),
    }
}

fn word(text: &str, start_ms: u64, end_ms: u64, speaker: Option<&str>) -> Word {
    let speaker = speaker.map(str::to_owned);
    Word { text: text.to_owned(), start_ms, end_ms, confidence: None, speaker }
}

/// Words of 300 ms each, one after the other.
fn evenly(text: &str) -> Transcript {
    let words =
        text.split(' ').zip(0..).map(|(text, at)| word(text, at * 300, at * 300 + 300, None));
    transcript(words.collect())
}

fn settings(given: &[(&'static str, &'static str)]) -> CaptionSettings {
    CaptionSettings::parse(given.iter().copied()).unwrap()
}

fn shown(transcript: &Transcript, given: &[(&'static str, &'static str)]) -> Vec<String> {
    let captions = shape(transcript, &settings(given), Purpose::Named).unwrap();
    captions.iter().map(|caption| caption.lines.join("|")).collect()
}

fn times(transcript: &Transcript, given: &[(&'static str, &'static str)]) -> Vec<(u64, u64)> {
    let captions = shape(transcript, &settings(given), Purpose::Tagged).unwrap();
    captions.iter().map(|caption| (caption.start_ms, caption.end_ms)).collect()
}

#[test]
fn captions_end_where_sentences_and_clauses_do() {
    let said = "Ask not what your country can do for you. Ask what you can do for it, and then, \
                when you have asked, do it.";
    let expected = [
        "Ask not what your country can do for you.",
        "Ask what you can do for it,|and then, when you have asked, do it.",
    ];
    assert_eq!(shown(&evenly(said), &[]), expected);
}

#[test]
fn a_speaker_is_named_when_another_one_begins() {
    let words = vec![
        word("Yes.", 0, 300, Some("A")),
        word("Later.", 2_000, 2_300, Some("A")),
        word("No.", 2_400, 2_700, Some("B")),
    ];
    let transcript = transcript(words);
    assert_eq!(shown(&transcript, &[]), ["A: Yes.", "Later.", "B: No."]);
    assert_eq!(shown(&transcript, &[("speakers", "false")]), ["Yes.", "Later.", "No."]);
    let captions = shape(&transcript, &CaptionSettings::default(), Purpose::Tagged).unwrap();
    let tagged: Vec<_> =
        captions.iter().map(|c| (c.speaker.as_deref(), c.lines.concat())).collect();
    let expected = [(Some("A"), "Yes."), (Some("A"), "Later."), (Some("B"), "No.")];
    assert_eq!(tagged, expected.map(|(speaker, text)| (speaker, text.to_owned())));
}

#[test]
fn a_long_name_is_shortened_and_one_without_room_is_left_out() {
    let said = |name| transcript(vec![word("Extraordinary", 0, 900, Some(name))]);
    assert_eq!(shown(&said("Alexandra"), &[("chars_per_line", "13")]), ["Alexan…:|Extraordinary"]);
    let narrow = [("chars_per_line", "13"), ("lines", "1")];
    assert_eq!(shown(&said("Alexandra"), &narrow), ["Extraordinary"]);
}

#[test]
fn spaces_are_where_the_engine_wrote_them() {
    let words = |texts: [&str; 3]| {
        transcript(
            texts.iter().zip(0..).map(|(t, at)| word(t, at * 300, at * 300 + 200, None)).collect(),
        )
    };
    assert_eq!(shown(&words(["我", "们", "好"]), &[]), ["我们好"]);
    assert_eq!(shown(&words(["a", "b", "c"]), &[]), ["a b c"]);
    let written = |text: &str, texts| Transcript { text: text.to_owned(), ..words(texts) };
    assert_eq!(shown(&written("ab c", ["a", "b", "c"]), &[]), ["ab c"]);
    assert_eq!(shown(&written("我 们好", ["我", "们", "好"]), &[]), ["我 们好"]);
    assert_eq!(shown(&written("a x c", ["a", "b", "c"]), &[]), ["a b c"]);
}

#[test]
fn a_caption_stands_until_it_is_read_but_not_into_the_next() {
    let words = |next| {
        transcript(vec![
            word("Incomprehensibilities.", 0, 200, Some("A")),
            word("Yes.", next, next + 100, Some("B")),
        ])
    };
    // Twenty characters a second: 22 characters take 1.1 s.
    assert_eq!(times(&words(5_000), &[]), [(0, 1_100), (5_000, 6_000)]);
    assert_eq!(times(&words(900), &[]), [(0, 900), (900, 1_900)]);
    let slow = [("chars_per_second", "5"), ("max_seconds", "3"), ("min_seconds", "0")];
    assert_eq!(times(&words(5_000), &slow), [(0, 3_000), (5_000, 5_800)]);
    let ended = Transcript { duration_ms: Some(5_500), ..words(5_000) };
    assert_eq!(times(&ended, &[]), [(0, 1_100), (5_000, 5_500)]);
    let captions = words(5_000);
    let data = shape(&captions, &CaptionSettings::default(), Purpose::Data).unwrap();
    let heard: Vec<_> = data.iter().map(|c| (c.start_ms, c.end_ms)).collect();
    assert_eq!(heard, [(0, 200), (5_000, 5_100)]);
}

#[test]
fn a_pause_of_a_second_ends_a_caption_and_a_shorter_one_does_not() {
    let words = |gap: u64| {
        transcript(vec![word("one", 0, 100, None), word("two", 100 + gap, 900 + gap, None)])
    };
    assert_eq!(shown(&words(999), &[]), ["one two"]);
    assert_eq!(shown(&words(1_000), &[]), ["one", "two"]);
}

#[test]
fn times_that_cannot_be_are_moved_by_no_more_than_needed() {
    let words = vec![
        word("a", 500, 400, Some("A")),
        word("b", 500, 500, Some("B")),
        word("c", 100, 9_000, Some("A")),
        word("d", 700, 800, Some("B")),
    ];
    let data = shape_data(&transcript(words));
    assert_eq!(data, [(500, 501), (501, 502), (502, 700), (700, 800)]);
    let endless = vec![word("a", u64::MAX, u64::MAX, None), word("b", 0, 0, Some("B"))];
    let last = 1 << 53;
    assert_eq!(shape_data(&transcript(endless)), [(last, last + 1), (last + 1, last + 2)]);
}

fn shape_data(transcript: &Transcript) -> Vec<(u64, u64)> {
    let captions = shape(transcript, &CaptionSettings::default(), Purpose::Data).unwrap();
    captions.iter().map(|caption| (caption.start_ms, caption.end_ms)).collect()
}

#[test]
fn without_words_utterances_are_captions_and_text_alone_is_none() {
    let utterance = |text: &str, start_ms| Utterance {
        speaker: Some("A".to_owned()),
        text: text.to_owned(),
        start_ms,
        end_ms: start_ms + 30_000,
        confidence: None,
    };
    let long = "To be or not to be, that is the question. ".repeat(5);
    let utterances = vec![utterance("Yes.", 0), utterance(&long, 30_000)];
    let said = Transcript { utterances, ..transcript(vec![]) };
    // No time is made up, whatever the settings say.
    assert_eq!(times(&said, &[]), [(0, 30_000), (30_000, 60_000)]);
    let text = Transcript { text: "Yes.".to_owned(), ..transcript(vec![]) };
    assert_eq!(shape(&text, &CaptionSettings::default(), Purpose::Named), Err(NoTimes));
    let empty = Transcript { text: " \n".to_owned(), ..transcript(vec![word("", 0, 1, None)]) };
    assert_eq!(shape(&empty, &CaptionSettings::default(), Purpose::Named), Ok(vec![]));
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-zA-Z]{1,12}[.,?]?",
        1 => "[\u{4e00}-\u{4e20}。，]{1,3}",
        1 => "\\PC{0,30}",
        1 => "[a-z]{40,300}",
        1 => select(vec!["", "-->", " a  b ", "x\n\ny", "\0", "👩‍👩‍👧", "e\u{301}", "<v A>"]).prop_map(str::to_owned),
    ]
}

prop_compose! {
    fn spoken()(
        text in texts(),
        gap in prop_oneof![5 => 0..400_i64, 1 => -3_000..0_i64, 1 => 1_000..20_000_i64],
        length in prop_oneof![5 => 50..600_i64, 1 => -500..1_i64, 1 => 5_000..40_000_i64],
        speaker in option::weighted(0.6, select(vec!["A", "B", "C & D"])),
    ) -> (String, i64, i64, Option<&'static str>) {
        (text, gap, length, speaker)
    }
}

fn any_transcript() -> impl Strategy<Value = Transcript> {
    vec(spoken(), 0..60).prop_map(|all| {
        let mut at = 0_i64;
        let place = |ms: i64| u64::try_from(ms).unwrap_or_default();
        let words = all.iter().map(|(text, gap, length, speaker)| {
            let start = at + gap;
            at = start + length;
            word(text, place(start), place(at), *speaker)
        });
        transcript(words.collect())
    })
}

fn any_settings() -> impl Strategy<Value = CaptionSettings> {
    (10..=120_u32, 1..=4_u32, 1..=20_u32, 0..=1_u32, 5..=100_u32, any::<bool>()).prop_map(
        |(chars, lines, longest, shortest, rate, speakers)| {
            let values = [chars, lines, longest, shortest, rate].map(|value| value.to_string());
            let values = values.into_iter().chain([speakers.to_string()]).collect::<Vec<_>>();
            let values = values.iter().map(String::as_str);
            CaptionSettings::parse(CaptionSettings::NAMES.into_iter().zip(values)).unwrap()
        },
    )
}

/// Whether a caption is one word, which is never divided.
fn is_one_word(caption: &Caption<'_>, transcript: &Transcript) -> bool {
    let text = bare(&caption.lines.concat());
    transcript.words.iter().any(|word| bare(&word.text) == text)
}

proptest! {
    #[test]
    fn no_word_is_lost_or_out_of_order(t in any_transcript(), s in any_settings()) {
        let words: String = t.words.iter().map(|word| bare(&word.text)).collect();
        for purpose in [Purpose::Tagged, Purpose::Data] {
            let captions = shape(&t, &s, purpose).unwrap();
            let text: String = captions.iter().map(|c| bare(&c.lines.concat())).collect();
            prop_assert_eq!(text, words.as_str());
        }
    }

    #[test]
    fn captions_are_in_strict_order_and_never_overlap(t in any_transcript(), s in any_settings()) {
        for purpose in [Purpose::Named, Purpose::Tagged, Purpose::Data] {
            let mut free = 0;
            for caption in shape(&t, &s, purpose).unwrap() {
                prop_assert!(caption.start_ms >= free);
                prop_assert!(caption.end_ms > caption.start_ms);
                free = caption.end_ms;
            }
        }
    }

    #[test]
    fn captions_are_as_large_as_asked_for(t in any_transcript(), s in any_settings()) {
        for caption in shape(&t, &s, Purpose::Tagged).unwrap() {
            let all_fit = caption.lines.len() <= s.lines();
            prop_assert!(all_fit || is_one_word(&caption, &t), "{:?}", caption.lines);
            let briefly = caption.end_ms - caption.start_ms <= s.longest_ms();
            prop_assert!(briefly || is_one_word(&caption, &t));
        }
        for caption in shape(&t, &s, Purpose::Named).unwrap() {
            for line in &caption.lines {
                prop_assert!((1..=s.chars_per_line()).contains(&line.chars().count()), "{line:?}");
                prop_assert!(!line.trim().is_empty() && !line.contains(char::is_control));
            }
        }
    }

    #[test]
    fn words_that_follow_each_other_are_shown_exactly_when_they_are_heard(
        lengths in vec((1..900_u64, 0..1_500_u64), 1..80),
        s in any_settings(),
    ) {
        let mut at = 0;
        let words = lengths.iter().map(|(length, gap)| {
            let start = at;
            at += length + gap;
            word("word", start, start + length, None)
        });
        let t = transcript(words.collect());
        let (mut taken, captions) = (0, shape(&t, &s, Purpose::Tagged).unwrap());
        for (at, caption) in captions.iter().enumerate() {
            let count = caption.lines.iter().flat_map(|line| line.split(' ')).count();
            let words = &t.words[taken..taken + count];
            taken += count;
            prop_assert_eq!(caption.start_ms, words[0].start_ms);
            let heard = words[count - 1].end_ms;
            prop_assert!(caption.end_ms >= heard);
            let next = captions.get(at + 1).map_or(u64::MAX, |next| next.start_ms);
            let chars: usize = caption.lines.iter().map(|line| line.len() + 1).sum();
            let wanted = (chars as u64 - 1) * 1_000;
            let read = (caption.end_ms - caption.start_ms) * s.chars_per_second() >= wanted;
            let full = caption.end_ms == next
                || caption.end_ms - caption.start_ms >= s.longest_ms();
            prop_assert!(read || full, "it could stand longer");
        }
        prop_assert_eq!(taken, t.words.len());
    }

    #[test]
    fn no_caption_holds_two_speakers(t in any_transcript()) {
        let spoken: Vec<_> = t.words.iter().filter(|word| !bare(&word.text).is_empty()).collect();
        let mut left = spoken.as_slice();
        for caption in shape(&t, &CaptionSettings::default(), Purpose::Tagged).unwrap() {
            let mut text = bare(&caption.lines.concat());
            while !text.is_empty() {
                let (word, rest) = left.split_first().unwrap();
                prop_assert_eq!(caption.speaker.as_deref(), word.speaker.as_deref());
                text = text.strip_prefix(&bare(&word.text)).unwrap().to_owned();
                left = rest;
            }
        }
    }
}
