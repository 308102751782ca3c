//! An hour of speech, for measuring.

use domain::{Transcript, Utterance, Word};

const SAID: &str = "So the thing I wanted to say, and I think we agree on that, is that nobody \
    really knows what it costs until the bill has arrived. Right. But then again you could ask \
    the people who pay for it, couldn't you? I mean it's not as if they had been hiding, and the \
    figures have been there for everyone to see since last year.";

/// Nine thousand words of two speakers, in 3,600 seconds, with a pause now and then.
pub(crate) fn hour() -> Transcript {
    let spoken: Vec<&str> = SAID.split(' ').cycle().take(9_000).collect();
    let mut words = Vec::with_capacity(spoken.len());
    for (text, at) in spoken.iter().zip(0_u64..) {
        let start_ms = at * 400 + if at % 97 > 90 { 60 } else { 0 };
        words.push(Word {
            text: (*text).to_owned(),
            start_ms,
            end_ms: start_ms + if at % 61 == 60 { 90 } else { 330 },
            confidence: Some(0.97),
            speaker: Some(if (at / 75) % 2 == 0 { "A" } else { "B" }.to_owned()),
        });
    }
    let utterances = words.chunks(75).map(|turn| Utterance {
        speaker: turn[0].speaker.clone(),
        text: turn.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "),
        start_ms: turn[0].start_ms,
        end_ms: turn[turn.len() - 1].end_ms,
        confidence: Some(0.96),
    });
    Transcript {
        text: spoken.join(" "),
        language: None,
        confidence: Some(0.97),
        duration_ms: Some(3_600_000),
        utterances: utterances.collect(),
        words,
    }
}
