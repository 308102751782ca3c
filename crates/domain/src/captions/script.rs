//! What characters say about where text may be broken and how it is joined.

use unicode_normalization::char::is_combining_mark;

/// How a piece of text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Sentence,
    Clause,
    Open,
}

/// Whether `c` keeps words apart, or is a control character, which nothing may show.
///
/// The spaces that forbid a break are part of a word.
pub(crate) fn parts_words(c: char) -> bool {
    c.is_control() || (c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}'))
}

pub(crate) fn ending(text: &str) -> Ending {
    let bare = text.trim_end_matches(|c| {
        matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»' | '」' | '』' | '】' | '）')
    });
    match bare.chars().next_back() {
        Some(
            '.' | '!' | '?' | '…' | '。' | '！' | '？' | '．' | '؟' | '۔' | '।' | '॥' | '։' | '။'
            | '།' | '።',
        ) => Ending::Sentence,
        Some(',' | ';' | ':' | '–' | '—' | '，' | '、' | '；' | '：' | '،' | '؛' | '·') => {
            Ending::Clause
        }
        _ => Ending::Open,
    }
}

/// Whether `c` belongs to what stands before it, so that no line may begin with it.
fn closes(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '…'
            | '%'
            | ')'
            | ']'
            | '}'
            | '”'
            | '’'
            | '»'
            | '。'
            | '，'
            | '、'
            | '；'
            | '：'
            | '！'
            | '？'
            | '）'
            | '」'
            | '』'
            | '】'
            | '》'
            | '〉'
            | 'ー'
            | '々'
            | '؟'
            | '،'
            | '।'
    )
}

/// Whether `c` is of a script that is written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(
        u32::from(c),
        0x0e00..=0x0fff // Thai, Lao, Tibetan
            | 0x1000..=0x109f // Burmese
            | 0x1780..=0x17ff // Khmer
            | 0x2e80..=0x30ff // Chinese and Japanese: radicals, punctuation, kana
            | 0x31f0..=0x31ff
            | 0x3400..=0x4dbf
            | 0x4e00..=0x9fff
            | 0xf900..=0xfaff
            | 0xff00..=0xff9f
            | 0x2_0000..=0x3_ffff
    )
}

/// Whether `next` follows `text` without a space, judged by their script alone.
pub(super) fn joins(text: &str, next: &str) -> bool {
    let unspaced = |c: Option<char>| c.is_some_and(is_unspaced);
    next.chars().all(closes)
        || (unspaced(text.chars().next_back()) && unspaced(next.chars().next()))
}

/// Whether `next` should stay with `text`: it closes it, or it is joined to it as part of a word.
pub(super) fn stays(text: &str, next: &str, joined: bool) -> bool {
    let unspaced = |c: Option<char>| c.is_some_and(is_unspaced);
    let first = next.chars().next();
    first.is_some_and(closes)
        || (joined && !(unspaced(text.chars().next_back()) && unspaced(first)))
}

/// Where `text` begins its second half at the latest so that the first has at most `most`
/// characters: between two characters as readers see them, or between two of the encoding where
/// one that is seen is longer than that.
pub(super) fn split_point(text: &str, most: usize) -> usize {
    let mut chars = 0;
    let (mut point, mut last) = (0, '\0');
    let mut flags = 0_usize;
    for (at, c) in text.char_indices() {
        if !continues(last, c, flags) {
            point = at;
        }
        if chars == most {
            return if point == 0 { at } else { point };
        }
        flags = if is_flag_half(c) { flags + 1 } else { 0 };
        (chars, last) = (chars + 1, c);
    }
    text.len()
}

/// Whether `c` is seen as one with `last`; `flags` is how many halves of flags stand before it.
fn continues(last: char, c: char, flags: usize) -> bool {
    let modifies = matches!(
        u32::from(c),
        0x200c..=0x200d | 0xfe00..=0xfe0f | 0x1_f3fb..=0x1_f3ff | 0xe_0000..=0xe_01ef
    );
    last == '\u{200d}' || modifies || is_combining_mark(c) || (is_flag_half(c) && flags % 2 == 1)
}

fn is_flag_half(c: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::{Ending, ending, joins, split_point};

    #[test]
    fn ends_are_seen_behind_quotes_and_in_other_scripts() {
        for text in ["end.", "end!\"", "so?’)", "结束。", "तम।", "…"] {
            assert_eq!(ending(text), Ending::Sentence, "{text}");
        }
        for text in ["then,", "that:", "然后，", "—"] {
            assert_eq!(ending(text), Ending::Clause, "{text}");
        }
        for text in ["word", "", "3.5", "\""] {
            assert_eq!(ending(text), Ending::Open, "{text}");
        }
    }

    #[test]
    fn only_scripts_without_spaces_are_joined_without_one() {
        for (text, next, joined) in [
            ("你", "好", true),
            ("ไทย", "ไทย", true),
            ("日", "。", true),
            ("한국", "어", false),
            ("你", "OpenAI", false),
            ("one", "two", false),
            ("one", ",", true),
        ] {
            assert_eq!(joins(text, next), joined, "{text}|{next}");
        }
    }

    #[test]
    fn a_long_word_is_split_between_characters_as_they_are_seen() {
        for (text, most, head) in [
            ("abcdef", 4, "abcd"),
            ("abc", 4, "abc"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}"),
            ("👩‍👩‍👧👩‍👩‍👧", 7, "👩‍👩‍👧"),
            ("🇫🇷🇩🇪🇮🇹", 3, "🇫🇷"),
            ("👍🏽👍🏽", 3, "👍🏽"),
            // Longer than the limit by itself.
            ("e\u{301}\u{301}\u{301}", 2, "e\u{301}"),
        ] {
            assert_eq!(&text[..split_point(text, most)], head, "{text:?}");
        }
    }
}
