//! Languages: BCP 47 tags on our side, AssemblyAI's codes on the other.

use domain::Language;

/// The codes with a region; of any other tag only the language is sent, because the engine knows
/// no more and refuses what it does not know.
const REGIONAL: &[(&str, &str)] =
    &[("en-US", "en_us"), ("en-GB", "en_uk"), ("en-AU", "en_au"), ("de-CH", "de_ch")];

/// Languages that the engine names otherwise.
const RENAMED: &[(&str, &str)] = &[("nb", "no"), ("fil", "tl"), ("jv", "jw")];

/// The code to send; `None` leaves it to the engine.
pub(super) fn code(language: &Language) -> Option<String> {
    let Language::Tag(tag) = language else { return None };
    let primary = tag.split('-').next().unwrap_or(tag);
    let code = pick(REGIONAL, tag).or_else(|| pick(RENAMED, primary)).unwrap_or(primary);
    Some(code.to_owned())
}

/// The tag of a code from the engine; `None` if it is none.
pub(super) fn tag(code: &str) -> Option<Language> {
    let known = REGIONAL.iter().find(|(_, theirs)| *theirs == code).map(|(ours, _)| *ours);
    let tag = known.map_or_else(|| code.replace('_', "-"), str::to_owned);
    Language::parse(&tag).ok().filter(|language| *language != Language::Auto)
}

fn pick(table: &'static [(&'static str, &'static str)], ours: &str) -> Option<&'static str> {
    table.iter().find(|(tag, _)| *tag == ours).map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::{code, tag};
    use domain::Language;

    #[test]
    fn the_engine_is_sent_codes_that_it_knows() {
        for (ours, theirs) in [
            ("en", "en"),
            ("en-US", "en_us"),
            ("en-gb", "en_uk"),
            ("en-IN", "en"),
            ("pt-BR", "pt"),
            ("zh-Hans", "zh"),
            ("nb-NO", "no"),
            ("de-CH", "de_ch"),
        ] {
            let language = Language::parse(ours).expect("a tag");
            assert_eq!(code(&language).as_deref(), Some(theirs), "{ours}");
        }
        assert_eq!(code(&Language::Auto), None);
    }

    #[test]
    fn codes_from_the_engine_become_tags() {
        for (theirs, ours) in
            [("en_us", "en-US"), ("en_uk", "en-GB"), ("fr", "fr"), ("zh_tw", "zh-TW")]
        {
            assert_eq!(tag(theirs), Some(Language::Tag(ours.to_owned())), "{theirs}");
        }
        for theirs in ["", "auto", "!", "en us"] {
            assert_eq!(tag(theirs), None, "{theirs}");
        }
    }
}
