//! What each format looks like, and that nothing said can become a part of it.

use proptest::prelude::*;

use super::{Clock, Format, TextFormat, render};
use crate::{CaptionSettings, Language, NoTimes, Transcript, Utterance, Word};

fn word(text: &str, start_ms: u64, speaker: Option<&str>) -> Word {
    let speaker = speaker.map(str::to_owned);
    Word { text: text.to_owned(), start_ms, end_ms: start_ms + 300, confidence: None, speaker }
}

fn utterance(text: &str, start_ms: u64, speaker: &str) -> Utterance {
    let speaker = Some(speaker.to_owned());
    Utterance { speaker, text: text.to_owned(), start_ms, end_ms: start_ms + 700, confidence: None }
}

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

fn text_only(text: &str) -> Transcript {
    Transcript { text: text.to_owned(), ..transcript(vec![]) }
}

fn dialogue() -> Transcript {
    Transcript {
        text: "Ask <not>! Why & when?".to_owned(),
        language: Language::parse("en").ok(),
        duration_ms: Some(11_500),
        utterances: vec![
            utterance("Ask <not>!", 1_000, "A"),
            utterance("Why & when?", 4_000, "B_1"),
        ],
        words: vec![
            word("Ask", 1_000, Some("A")),
            word("<not>!", 1_400, Some("A")),
            word("Why", 4_000, Some("B_1")),
            word("&", 4_300, Some("B_1")),
            word("when?", 4_600, Some("B_1")),
        ],
        ..transcript(vec![])
    }
}

fn written(transcript: &Transcript, format: TextFormat) -> String {
    render(transcript, format, &CaptionSettings::default(), Some("Talk #1")).unwrap()
}

fn without_speakers(transcript: &Transcript, format: TextFormat) -> String {
    let settings = CaptionSettings::parse([("speakers", "false")]).unwrap();
    render(transcript, format, &settings, None).unwrap()
}

#[test]
fn srt_numbers_captions_and_names_speakers_in_the_text() {
    let expected = "1\n00:00:01,000 --> 00:00:02,000\nA: Ask ‹not›!\n\n\
                    2\n00:00:04,000 --> 00:00:05,000\nB_1: Why & when?\n\n";
    assert_eq!(written(&dialogue(), TextFormat::Srt), expected);
    assert_eq!(written(&transcript(vec![]), TextFormat::Srt), "");
}

#[test]
fn vtt_has_voices_and_escapes() {
    let expected = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v A>Ask &lt;not&gt;!\n\n\
                    00:00:04.000 --> 00:00:05.000\n<v B_1>Why &amp; when?\n";
    assert_eq!(written(&dialogue(), TextFormat::Vtt), expected);
    assert!(!without_speakers(&dialogue(), TextFormat::Vtt).contains("<v"));
    assert_eq!(written(&transcript(vec![]), TextFormat::Vtt), "WEBVTT\n");
    let arrow = written(&transcript(vec![word("x", 0, Some("--"))]), TextFormat::Vtt);
    assert!(arrow.ends_with("\n<v -- >x\n"), "{arrow}");
}

#[test]
fn txt_is_paragraphs() {
    let expected = "A: Ask <not>!\n\nB_1: Why & when?\n";
    assert_eq!(written(&dialogue(), TextFormat::Txt), expected);
    let bare = "Ask <not>!\n\nWhy & when?\n";
    assert_eq!(without_speakers(&dialogue(), TextFormat::Txt), bare);
    let words = vec![
        word("One.", 0, None),
        word("Two.", 400, None),
        word("Three", 2_200, None),
        word("four.", 9_000, None),
        word("Five.", 9_400, Some("A")),
    ];
    let expected = "One. Two.\n\nThree four.\n\nA: Five.\n";
    assert_eq!(written(&transcript(words), TextFormat::Txt), expected);
    assert_eq!(written(&text_only("One.\n\n Two. \r\n"), TextFormat::Txt), "One.\n\nTwo.\n");
    assert_eq!(written(&transcript(vec![]), TextFormat::Txt), "");
}

#[test]
fn md_has_a_title_facts_and_times_and_nothing_said_is_markup() {
    let expected = "# Talk \\#1\n\n- Language: en\n- Duration: 00:00:11\n- Speakers: A, B\\_1\n\n\
                    **00:00:01 A:** Ask \\<not\\>!\n\n**00:00:04 B\\_1:** Why \\& when?\n";
    assert_eq!(written(&dialogue(), TextFormat::Md), expected);
    let bare = "# Transcript\n\n- Language: en\n- Duration: 00:00:11\n\n\
                **00:00:01** Ask \\<not\\>!\n\n**00:00:04** Why \\& when?\n";
    assert_eq!(without_speakers(&dialogue(), TextFormat::Md), bare);
    for (text, line) in [
        ("1. one", "1\\. one"),
        ("1986) x", "1986\\) x"),
        ("1986 x", "1986 x"),
        ("- x", "\\- x"),
        ("===", "\\==="),
        ("# x", "\\# x"),
        ("see https://e.org, www.e.org: ok", "see https\\://e.org, www\\.e.org: ok"),
        ("42", "42"),
    ] {
        let expected = format!("# Talk \\#1\n\n{line}\n");
        assert_eq!(written(&text_only(text), TextFormat::Md), expected, "{text}");
    }
}

#[test]
fn tsv_has_the_times_that_are_heard_and_no_formulas() {
    let expected = "start_ms\tend_ms\tspeaker\ttext\n1000\t1700\tA\tAsk <not>!\n\
                    4000\t4900\tB_1\tWhy & when?\n";
    assert_eq!(written(&dialogue(), TextFormat::Tsv), expected);
    assert!(without_speakers(&dialogue(), TextFormat::Tsv).contains("\n1000\t1700\t\tAsk"));
    for (text, cell) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\"x\"", "'\"x\""),
        ("'x'", "''x'"),
        ("＝1", "'＝1"),
        ("\t=1", "'=1"),
        ("a\tb\nc", "a b c"),
        ("1=1", "1=1"),
    ] {
        let formula = transcript(vec![word(text, 0, Some(text))]);
        let rows = written(&formula, TextFormat::Tsv);
        assert_eq!(rows.lines().nth(1), Some(format!("0\t300\t{cell}\t{cell}").as_str()));
    }
    let untimed = written(&text_only("Yes."), TextFormat::Tsv);
    assert_eq!(untimed, "start_ms\tend_ms\tspeaker\ttext\n\t\t\tYes.\n");
}

#[test]
fn text_without_times_cannot_be_captions() {
    for format in [TextFormat::Srt, TextFormat::Vtt] {
        let written = render(&text_only("Yes."), format, &CaptionSettings::default(), None);
        assert_eq!(written, Err(NoTimes));
    }
}

#[test]
fn hours_have_as_many_digits_as_they_need() {
    for (ms, expected) in [
        (0, "00:00:00,000"),
        (3_599_999, "00:59:59,999"),
        (360_000_000, "100:00:00,000"),
        (u64::MAX, "5124095576030:25:51,615"),
    ] {
        assert_eq!(Clock { ms, point: ',' }.to_string(), expected);
    }
}

#[test]
fn every_format_is_found_by_its_name() {
    for format in Format::ALL {
        assert_eq!(Format::from_word(format.as_str()), Some(format));
    }
    for unknown in ["", "SRT", "docx", "srt ", "txt/"] {
        assert_eq!(Format::from_word(unknown), None, "{unknown}");
    }
}

proptest! {
    #[test]
    fn nothing_said_breaks_out_of_its_place(text in "[-<>&\\\\{}\t\n\r\u{2028}=+@'\"a1:, ]{0,40}") {
        let said = transcript(vec![word(&text, 0, Some(&text)), word("end", 400, Some(&text))]);
        let captions = written(&said, TextFormat::Srt);
        prop_assert_eq!(captions.matches("-->").count(), captions.matches("\n\n").count());
        prop_assert_eq!(captions.matches('>').count(), captions.matches("-->").count());
        let captions = written(&said, TextFormat::Vtt);
        prop_assert_eq!(captions.matches("\n\n").count(), captions.matches("-->").count());
        let tags = captions.matches("\n<v ").count();
        prop_assert_eq!(captions.matches('<').count(), tags);
        prop_assert_eq!(captions.matches('>').count(), tags + captions.matches("-->").count());
        for row in written(&said, TextFormat::Tsv).lines().skip(1) {
            let cells: Vec<&str> = row.split('\t').collect();
            prop_assert_eq!(cells.len(), 4);
            prop_assert!(!cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '"'])));
        }
        let markdown = written(&said, TextFormat::Md);
        let begins = ["**0", "# T", "- S"];
        let ours = |line: &str| line.is_empty() || begins.iter().any(|b| line.starts_with(b));
        prop_assert!(markdown.lines().all(ours), "{}", markdown);
    }
}
