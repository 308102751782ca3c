//! What a transcript can be written as.

mod md;
mod passages;
mod srt;
#[cfg(test)]
mod tests;
mod tsv;
mod txt;
mod vtt;

use crate::{
    Transcript,
    captions::{CaptionSettings, NoTimes},
};

/// A form in which a transcript can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The transcript as it is, as JSON; the transport writes it.
    Json,
    /// Text that [`render`] writes.
    Text(TextFormat),
}

/// A form that is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextFormat {
    /// Paragraphs.
    Txt,
    /// `SubRip` subtitles.
    Srt,
    /// Subtitles for the web.
    Vtt,
    /// Markdown.
    Md,
    /// A table, its cells between tabs.
    Tsv,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Text(TextFormat::Txt),
        Self::Text(TextFormat::Srt),
        Self::Text(TextFormat::Vtt),
        Self::Json,
        Self::Text(TextFormat::Md),
        Self::Text(TextFormat::Tsv),
    ];

    /// Its name, which is also what its files end with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text(TextFormat::Txt) => "txt",
            Self::Text(TextFormat::Srt) => "srt",
            Self::Text(TextFormat::Vtt) => "vtt",
            Self::Text(TextFormat::Md) => "md",
            Self::Text(TextFormat::Tsv) => "tsv",
        }
    }

    /// Reads a name; an unknown one is `None`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text(TextFormat::Txt) => "text/plain; charset=utf-8",
            Self::Text(TextFormat::Srt) => "application/x-subrip; charset=utf-8",
            Self::Text(TextFormat::Vtt) => "text/vtt; charset=utf-8",
            Self::Text(TextFormat::Md) => "text/markdown; charset=utf-8",
            Self::Text(TextFormat::Tsv) => "text/tab-separated-values; charset=utf-8",
        }
    }
}

/// Writes a transcript. Only Markdown shows the title; only captions (`srt`, `vtt`, `tsv`) go by
/// all of the settings, the others by [`CaptionSettings::speakers`] alone.
///
/// # Errors
/// [`NoTimes`] for `srt` and `vtt` of a transcript that has text and no times.
pub fn render(
    transcript: &Transcript,
    format: TextFormat,
    settings: &CaptionSettings,
    title: Option<&str>,
) -> Result<String, NoTimes> {
    match format {
        TextFormat::Txt => Ok(txt::write(transcript, settings)),
        TextFormat::Srt => srt::write(transcript, settings),
        TextFormat::Vtt => vtt::write(transcript, settings),
        TextFormat::Md => Ok(md::write(transcript, settings, title)),
        TextFormat::Tsv => Ok(tsv::write(transcript, settings)),
    }
}

/// Hours, minutes, seconds and milliseconds; hours have two digits or more.
struct Clock {
    ms: u64,
    point: char,
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, ms) = (self.ms / 1_000, self.ms % 1_000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}{}{ms:03}", self.point)
    }
}

/// Replaces characters, and takes the rest as it is.
fn push_replaced(target: &mut String, text: &str, replace: fn(char) -> Option<&'static str>) {
    let mut rest = text;
    while let Some((at, found, new)) =
        rest.char_indices().find_map(|(at, c)| replace(c).map(|new| (at, c, new)))
    {
        target.push_str(&rest[..at]);
        target.push_str(new);
        rest = &rest[at + found.len_utf8()..];
    }
    target.push_str(rest);
}
