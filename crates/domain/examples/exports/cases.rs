//! Transcripts that are hard to write down.

use domain::{Transcript, Utterance, Word};

/// A transcript, and the settings it is exported with.
pub(crate) struct Case {
    /// A word for it, fit for a file name.
    pub(crate) name: &'static str,
    /// What was said.
    pub(crate) transcript: Transcript,
    /// Settings by their names.
    pub(crate) settings: Vec<(&'static str, &'static str)>,
}

type Spoken<'a> = (&'a str, u64, u64, Option<&'a str>);

/// Every hard case.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = texts();
    cases.extend(times());
    cases.extend(speakers());
    cases.extend(shapes());
    cases
}

fn texts() -> Vec<Case> {
    let long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
    vec![
        case("empty", &[]),
        case("one-word", &[("Hello.", 1_000, 1_400, None)]),
        case("empty-words", &evenly(&["", "one", "\u{2028}", " two ", "\n\n", "\0", "three"], 400)),
        case("arrow", &evenly(&["-->", "a-->b", "00:00:01,000", "-->", "00:00:02,000"], 400)),
        case(
            "markup",
            &evenly(&["<script>alert(1)</script>", "&", "&amp;", "<i>x</i>", "a<b"], 700),
        ),
        case("voice-tags", &evenly(&["<v", "Mallory>", "</v>", "<c.red>", "<00:00:01.000>"], 700)),
        case("override-tags", &evenly(&["{\\an8}", "up", "C:\\New\\n", "{y:i}", "\\h"], 700)),
        case("headers", &evenly(&["WEBVTT", "NOTE", "STYLE", "REGION", "1", "2"], 1_600)),
        case(
            "blank-lines",
            &evenly(&["one\n\n2\n00:00:01,000 --> 00:00:02,000\nx", "two\r\n"], 900),
        ),
        case(
            "markdown",
            &evenly(&["#", "*a*", "[x](http://e.org)", "`c`", "1.", "$x$", "|", "_b_"], 600),
        ),
        case("formulas", &evenly(&["=1+1", "+1", "-1", "@x", "\"quoted\"", "'single'"], 1_600)),
        case("chinese", &evenly(&CHINESE, 220)),
        case(
            "japanese",
            &evenly(
                &["今日は、", "いい", "天気", "です", "。", "散歩", "に", "行こ", "う", "。"],
                300,
            ),
        ),
        case(
            "arabic",
            &evenly(&["مرحبا", "بكم،", "هذا", "اختبار", "للنص", "العربي؟", "نعم."], 450),
        ),
        case("bidi", &evenly(&["abc\u{202e}def", "\u{200f}שלום", "\u{2067}x\u{2069}"], 450)),
        case("emoji", &evenly(&["👩‍👩‍👧‍👦", "👍🏽", "🇫🇷🇩🇪", "e\u{301}te\u{301}", "❤️"], 500)),
        case("long-word", &evenly(&["Die", long, "tagt."], 1_500)),
        narrow("longer-than-a-caption", &evenly(&["So:", &"x".repeat(100), "there."], 1_500)),
        narrow("long-emoji", &evenly(&[&"👩‍👩‍👧‍👦".repeat(8)], 1_500)),
    ]
}

const CHINESE: [&str; 30] = [
    "我", "们", "今", "天", "来", "谈", "谈", "人", "工", "智", "能", "的", "未", "来", "。", "它",
    "会", "改", "变", "我", "们", "的", "生", "活", "，", "也", "许", "吧", "！", "好",
];

fn times() -> Vec<Case> {
    let hours = 100 * 3_600_000;
    vec![
        case(
            "zero-lengths",
            &[
                ("One", 500, 500, None),
                ("two", 500, 500, None),
                ("three.", 900, 900, None),
                ("Four.", 900, 900, None),
            ],
        ),
        narrow("all-at-once", &evenly(&["one", "two", "three", "four", "five", "six"], 0)),
        case(
            "backwards",
            &[
                ("later", 5_000, 5_400, None),
                ("earlier", 1_000, 1_400, None),
                ("ends-early", 6_000, 2_000, None),
                ("after.", 6_100, 6_500, None),
            ],
        ),
        case(
            "overlaps",
            &[
                ("I", 0, 4_000, Some("A")),
                ("no", 300, 3_000, Some("B")),
                ("say", 500, 2_000, Some("A")),
                ("never", 2_900, 3_500, Some("B")),
            ],
        ),
        case(
            "hundred-hours",
            &[
                ("Still", hours, hours + 300, None),
                ("here.", hours + 350, hours + 800, None),
                ("Bye.", 10 * hours, 10 * hours + 400, None),
            ],
        ),
        case("a-word-of-a-minute", &[("Ommm", 0, 60_000, None), ("done.", 60_100, 60_500, None)]),
        case("a-long-silence", &[("Before.", 0, 400, None), ("After.", 600_000, 600_400, None)]),
    ]
}

fn speakers() -> Vec<Case> {
    let labels =
        ["A", "B>C", "<b>", "D & E", "F\n\nG", "-->", "--", "Ünïcode 名", "{x}", " ", ":", "=H()"];
    let many: Vec<Spoken<'_>> = labels
        .iter()
        .zip(0..)
        .flat_map(|(label, at)| {
            let start = at * 2_000;
            [
                ("Well,", start, start + 300, Some(*label)),
                ("yes.", start + 350, start + 900, Some(*label)),
            ]
        })
        .collect();
    let long = "The Right Honourable Member for Somewhere Rather Far Away, in Person";
    vec![
        case("speakers", &many),
        with("speakers-off", &many, &[("speakers", "false")]),
        narrow(
            "long-name",
            &[("Incontrovertibly", 0, 900, Some(long)), ("so.", 950, 1_200, Some(long))],
        ),
        with(
            "one-line",
            &[
                ("Extraordinary", 0, 900, Some("Alexandra")),
                ("fact.", 950, 1_200, Some("Alexandra")),
            ],
            &[("chars_per_line", "13"), ("lines", "1")],
        ),
    ]
}

fn shapes() -> Vec<Case> {
    let mut said = case("utterances-only", &[]);
    said.transcript.utterances = vec![
        utterance(Some("A"), "Ask not what your country can do for you.", 0, 3_000),
        utterance(Some("B"), "  ", 3_000, 3_100),
        utterance(Some("B"), &"Ask what you can do. ".repeat(20), 3_200, 40_000),
    ];
    let sentence =
        "Ask not what your country can do for you, ask what you can do for your country.";
    let words: Vec<&str> = std::iter::repeat_n(sentence.split(' '), 6).flatten().collect();
    vec![
        said,
        case("sentences", &evenly(&words, 350)),
        case("fast", &evenly(&words, 60)),
        with(
            "quick-captions",
            &evenly(&words, 350),
            &[("max_seconds", "1.5"), ("min_seconds", "0")],
        ),
        narrow("narrow", &evenly(&words, 350)),
        with("wide", &evenly(&words, 350), &[("chars_per_line", "120"), ("lines", "4")]),
    ]
}

fn evenly<'a>(texts: &[&'a str], step: u64) -> Vec<Spoken<'a>> {
    let start = |at: u64| at * step;
    texts
        .iter()
        .zip(0..)
        .map(|(text, at)| (*text, start(at), start(at) + step * 9 / 10, None))
        .collect()
}

fn case(name: &'static str, spoken: &[Spoken<'_>]) -> Case {
    with(name, spoken, &[])
}

fn narrow(name: &'static str, spoken: &[Spoken<'_>]) -> Case {
    with(name, spoken, &[("chars_per_line", "10"), ("lines", "2")])
}

fn with(
    name: &'static str,
    spoken: &[Spoken<'_>],
    settings: &[(&'static str, &'static str)],
) -> Case {
    let words = spoken.iter().map(|(text, start_ms, end_ms, speaker)| Word {
        text: (*text).to_owned(),
        start_ms: *start_ms,
        end_ms: *end_ms,
        confidence: None,
        speaker: speaker.map(str::to_owned),
    });
    let transcript = Transcript {
        text: String::new(),
        language: None,
        confidence: None,
        duration_ms: None,
        words: words.collect(),
        utterances: Vec::new(),
    };
    Case { name, transcript, settings: settings.to_vec() }
}

fn utterance(speaker: Option<&str>, text: &str, start_ms: u64, end_ms: u64) -> Utterance {
    let speaker = speaker.map(str::to_owned);
    Utterance { speaker, text: text.to_owned(), start_ms, end_ms, confidence: None }
}
