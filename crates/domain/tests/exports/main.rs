//! Exports of transcripts that are hard to write down, read by strict grammars.

#[path = "../../examples/exports/cases.rs"]
mod cases;
mod srt;

use domain::{
    CaptionSettings,
    captions::{Caption, Purpose, shape},
    export::{TextFormat, render},
};

fn settings(case: &cases::Case) -> CaptionSettings {
    CaptionSettings::parse(case.settings.iter().copied()).expect("the settings are valid")
}

/// What the format cannot hold is written as its like.
fn mended(text: &str) -> String {
    let like = |c| match c {
        '<' => '‹',
        '>' => '›',
        '{' => '(',
        '}' => ')',
        '\\' => '∖',
        c => c,
    };
    let text: String = text.chars().map(like).collect();
    let looks_timed = text.contains("00:00:01,000") && text.contains("00:00:02,000");
    if looks_timed { text.replace(':', "∶") } else { text }
}

fn expected(caption: &Caption<'_>) -> srt::Cue {
    srt::Cue {
        start_ms: caption.start_ms,
        end_ms: caption.end_ms,
        lines: caption.lines.iter().map(|line| mended(line)).collect(),
    }
}

#[test]
fn every_srt_is_of_the_strict_grammar_and_holds_every_caption() {
    for case in cases::all() {
        let settings = settings(&case);
        let text =
            render(&case.transcript, TextFormat::Srt, &settings, None).expect("it has times");
        let cues =
            srt::read(&text).unwrap_or_else(|fault| panic!("{}: {fault}\n{text}", case.name));
        let captions = shape(&case.transcript, &settings, Purpose::Named).expect("it has times");
        let wanted: Vec<_> = captions.iter().map(expected).collect();
        assert_eq!(cues, wanted, "{}", case.name);
    }
}

#[test]
fn the_strict_grammar_refuses_what_players_stumble_over() {
    let good = "1\n00:00:01,000 --> 00:00:02,000\nx\n\n";
    assert!(srt::read(good).is_ok());
    assert!(srt::read("").is_ok_and(|cues| cues.is_empty()));
    for bad in [
        "1\n00:00:01.000 --> 00:00:02.000\nx\n\n",
        "2\n00:00:01,000 --> 00:00:02,000\nx\n\n",
        "1\n0:00:01,000 --> 00:00:02,000\nx\n\n",
        "1\n00:60:01,000 --> 00:61:02,000\nx\n\n",
        "1\n00:00:02,000 --> 00:00:02,000\nx\n\n",
        "1\n00:00:01,000 --> 00:00:02,000\n\n",
        "1\n00:00:01,000 --> 00:00:02,000\nx\n",
        "1\n00:00:01,000 --> 00:00:02,000\nx --> y\n\n",
        "1\n00:00:01,000 --> 00:00:02,000\n<i>x</i>\n\n",
        "1\n00:00:01,000 --> 00:00:02,000\nx\r\n\n",
        "\u{feff}1\n00:00:01,000 --> 00:00:02,000\nx\n\n",
        "1\n00:00:01,000 --> 00:00:02,000\nx\n\n2\n00:00:01,999 --> 00:00:03,000\ny\n\n",
    ] {
        assert!(srt::read(bad).is_err(), "{bad:?}");
    }
}
