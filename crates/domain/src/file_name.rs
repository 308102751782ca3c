//! Names of files from outside, as something that can be shown.

/// Longest title, in characters.
const MAX_CHARS: usize = 200;

/// What a person may see of the name of a file; `None` where nothing is left of it.
///
/// The name never reaches a file system. It is cut to its last part, since some clients send whole
/// paths, and loses what could hide or reorder the rest on a screen.
pub fn title_of(file_name: &str) -> Option<String> {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !is_invisible(*c)).take(MAX_CHARS).collect();
    let words: Vec<&str> = shown.split_whitespace().collect();
    let title = words.join(" ");
    (!title.is_empty() && title.chars().any(|c| c != '.')).then_some(title)
}

/// Control characters, and those that only steer how others are shown: joiners, marks of direction,
/// overrides and isolates, tags. White space is not among them.
fn is_invisible(c: char) -> bool {
    let steers = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    steers || (c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, title_of};
    use proptest::prelude::*;

    fn title(name: &str) -> String {
        title_of(name).unwrap_or_default()
    }

    #[test]
    fn a_name_is_kept_as_people_write_it() {
        for name in ["talk.wav", "Réunion du 3 – suite (2).m4a", "日本語.mp3", ".hidden", "a'b\"c"]
        {
            assert_eq!(title(name), name);
        }
    }

    #[test]
    fn a_path_is_cut_to_its_last_part() {
        assert_eq!(title("../../etc/passwd"), "passwd");
        assert_eq!(title(r"C:\Users\ada\talk.wav"), "talk.wav");
        for nothing in ["", "..", ".", "/", "a/", "\0", "\u{202e}", " \t ", "a/.."] {
            assert_eq!(title_of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_hides_or_reorders_is_dropped() {
        assert_eq!(title("a\u{202e}vaw.exe"), "avaw.exe");
        assert_eq!(title("a\0b\u{1b}[31m\u{200b}c\u{2066}"), "ab[31mc");
        assert_eq!(title("a\r\nSet-Cookie: x"), "a Set-Cookie: x");
        assert_eq!(title(&"é".repeat(10_000)).chars().count(), MAX_CHARS);
    }

    proptest! {
        #[test]
        fn a_title_can_always_be_shown(name in "\\PC{0,300}|(.|[\\x00-\\x1f]){0,300}") {
            if let Some(title) = title_of(&name) {
                prop_assert!(!title.chars().any(|c| c.is_control() || c == '/' || c == '\\'));
                prop_assert!(!title.is_empty() && title.chars().count() <= MAX_CHARS);
            }
        }
    }
}
