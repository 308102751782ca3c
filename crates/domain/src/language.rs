//! The language of a recording.

use oxilangtag::LanguageTag;

use crate::Invalid;

/// Which language a user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Language {
    /// The engine finds out.
    Auto,
    /// A well-formed BCP 47 tag in canonical case, such as `fr` or `pt-BR`.
    Tag(String),
}

impl Language {
    /// Longest tag, in characters.
    pub const MAX_CHARS: usize = 35;

    /// Reads `auto` or a BCP 47 tag (RFC 5646); the case of what is given does not matter.
    ///
    /// # Errors
    /// `invalid_language`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        if value.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        if value.len() <= Self::MAX_CHARS
            && let Ok(tag) = LanguageTag::parse_and_normalize(value)
        {
            return Ok(Self::Tag(tag.into_inner()));
        }
        Err(Invalid::new(
            "invalid_language",
            "must be auto or a BCP 47 language tag such as fr or pt-BR",
        ))
    }

    /// `auto` or the tag.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Tag(tag) => tag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn tags_are_read_whatever_their_case() {
        for (written, read) in [
            ("auto", "auto"),
            ("AUTO", "auto"),
            ("fr", "fr"),
            ("pt-br", "pt-BR"),
            ("zh-hans", "zh-Hans"),
        ] {
            assert_eq!(
                Language::parse(written).map(|l| l.as_str().to_owned()),
                Ok(read.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for written in ["", " ", "french language", "fr_FR", "f", "\0", "fr\n", &"a-".repeat(30)] {
            assert!(Language::parse(written).is_err(), "{written:?}");
        }
    }
}
