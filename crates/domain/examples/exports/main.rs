//! Writes every export of every hard case to a folder, with what must be read back, for the checks
//! by parsers of others (`tests/exports/check.sh`).
//!
//! `<case>.named` (srt) and `<case>.tagged` (vtt) have a row a caption: start, end, speaker, lines,
//! between
//! unit separators; lines are between record separators. `<case>.words` has every word as it
//! was recognised, between record separators.

mod cases;

use std::{env, fs, io, path::Path};

use domain::{
    CaptionSettings, Transcript,
    captions::{Caption, Purpose, shape},
    export::{Format, render},
};

const UNIT: &str = "\u{1f}";
const RECORD: &str = "\u{1e}";

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("which folder?"))?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for case in cases::all() {
        let settings = CaptionSettings::parse(case.settings.iter().copied());
        let settings = settings.map_err(|faults| io::Error::other(format!("{faults:?}")))?;
        let write = |ending: &str, text: String| {
            fs::write(folder.join(format!("{}.{ending}", case.name)), text)
        };
        for format in Format::ALL {
            if let Format::Text(text) = format {
                let title = Some("# *A* [title](http://e.org) <b>&\n\n---");
                let written = render(&case.transcript, text, &settings, title);
                write(format.as_str(), written.map_err(io::Error::other)?)?;
            }
        }
        let tagged = shape(&case.transcript, &settings, Purpose::Tagged);
        write("tagged", listed(&tagged.map_err(io::Error::other)?))?;
        let named = shape(&case.transcript, &settings, Purpose::Named);
        write("named", listed(&named.map_err(io::Error::other)?))?;
        write("words", words(&case.transcript))?;
    }
    Ok(())
}

fn listed(captions: &[Caption<'_>]) -> String {
    let rows = captions.iter().map(|caption| {
        let speaker = caption.speaker.as_deref().unwrap_or_default();
        let (start, end) = (caption.start_ms.to_string(), caption.end_ms.to_string());
        [start.as_str(), &end, speaker, &caption.lines.join(RECORD)].join(UNIT) + "\n"
    });
    rows.collect()
}

fn words(transcript: &Transcript) -> String {
    let words: Vec<&str> = transcript.words.iter().map(|word| word.text.as_str()).collect();
    if words.is_empty() {
        let said = transcript.utterances.iter().map(|utterance| utterance.text.as_str());
        return said.collect::<Vec<_>>().join(RECORD);
    }
    words.join(RECORD)
}
