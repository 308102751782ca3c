//! What a download is called: `Content-Disposition` by RFC 6266 and 8187.
//!
//! A title comes from outside. As a name of a file it may neither lead to another folder nor look
//! like another name than it is, so path separators, control characters and those that change the
//! direction of writing are taken out of it.

use std::fmt::Write as _;

/// Longest name without its ending, in bytes of UTF-8; file systems take 255 with everything.
const MAX_BYTES: usize = 150;

/// Names that Windows keeps for its devices, whatever follows a dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// The value of the header for an attachment that is called `title`, or else `fallback`, and ends
/// with `extension`; the last two must be harmless.
pub(crate) fn attachment(title: Option<&str>, fallback: &str, extension: &str) -> String {
    let name = title.map(tamed).filter(|name| !name.is_empty());
    let name = name.as_deref().unwrap_or(fallback);
    let plain = ascii(name);
    let plain = if plain.contains(|c: char| c.is_ascii_alphanumeric()) { &plain } else { fallback };
    let mut value = format!("attachment; filename=\"{plain}.{extension}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            value.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value.push('.');
    value.push_str(extension);
    value
}

/// A name that is one on every system.
fn tamed(title: &str) -> String {
    let mut name = String::with_capacity(title.len().min(MAX_BYTES) + 1);
    for word in title.split(|c: char| c.is_whitespace() || c.is_control() || is_separator(c)) {
        for c in word.chars().filter(|c| !is_invisible(*c)) {
            if name.len() + 1 + c.len_utf8() > MAX_BYTES {
                break;
            }
            name.push(c);
        }
        if !name.is_empty() && !name.ends_with(' ') && name.len() < MAX_BYTES {
            name.push(' ');
        }
    }
    // Windows drops dots at the end, Unix hides what begins with one.
    let name = name.trim_matches(|c| matches!(c, '.' | ' ' | '~' | '-'));
    if is_device(name) { format!("_{name}") } else { name.to_owned() }
}

fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2044}' | '\u{2215}')
}

/// Characters that have no shape of their own: marks of direction, joiners, tags, private use.
fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0x00ad
            | 0x061c
            | 0x180e
            | 0x200b..=0x200f
            | 0x202a..=0x202e
            | 0x2060..=0x206f
            | 0xe000..=0xf8ff
            | 0xfeff
            | 0xfff0..=0xfffb
            | 0xe_0000..=0x10_ffff
    )
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = stem.strip_suffix(|c: char| c.is_ascii_digit());
    match numbered {
        None => DEVICES[..4].contains(&stem.as_str()),
        Some(stem) => DEVICES[4..].contains(&stem),
    }
}

/// For clients that read no UTF-8: a line under everything that is not ASCII, and under `%`, which
/// some of them would decode.
fn ascii(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        if (c.is_ascii_graphic() || c == ' ') && c != '%' {
            plain.push(c);
        } else if !plain.ends_with('_') {
            plain.push('_');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, attachment, tamed};

    #[test]
    fn a_plain_title_is_the_name() {
        assert_eq!(
            attachment(Some("A talk, part 1"), "transcript", "srt"),
            "attachment; filename=\"A talk, part 1.srt\"; \
             filename*=UTF-8''A%20talk%2C%20part%201.srt"
        );
    }

    #[test]
    fn other_scripts_are_kept_where_clients_can_read_them() {
        assert_eq!(
            attachment(Some("Été 100%"), "transcript", "vtt"),
            "attachment; filename=\"_t_ 100_.vtt\"; filename*=UTF-8''%C3%89t%C3%A9%20100%25.vtt"
        );
        assert_eq!(
            attachment(Some("講演"), "transcript-7", "txt"),
            "attachment; filename=\"transcript-7.txt\"; filename*=UTF-8''%E8%AC%9B%E6%BC%94.txt"
        );
    }

    #[test]
    fn without_a_title_it_is_called_by_the_fallback() {
        let expected = "attachment; filename=\"transcript.md\"; filename*=UTF-8''transcript.md";
        for title in [None, Some(""), Some(" \u{202e}\0 "), Some("../.."), Some("...")] {
            assert_eq!(attachment(title, "transcript", "md"), expected, "{title:?}");
        }
    }

    #[test]
    fn no_title_leads_elsewhere_or_looks_like_another() {
        for (title, name) in [
            ("../../etc/passwd", "etc passwd"),
            ("a\0b\r\nSet-Cookie: x=1", "a b Set-Cookie x=1"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("\u{feff}x\u{200b}y", "xy"),
            (".htaccess", "htaccess"),
            ("C:\\New\\talk", "C New talk"),
            ("say \"hi\"; filename=x", "say hi ; filename=x"),
            ("nul", "_nul"),
            ("COM1.txt", "_COM1.txt"),
            ("console", "console"),
            ("trailing. .", "trailing"),
        ] {
            assert_eq!(tamed(title), name, "{title:?}");
        }
    }

    #[test]
    fn a_long_title_is_cut_between_characters() {
        for title in ["x".repeat(10_000), "é".repeat(10_000), "日 ".repeat(10_000)] {
            let name = tamed(&title);
            assert!((MAX_BYTES - 6..=MAX_BYTES).contains(&name.len()), "{}", name.len());
        }
    }

    #[test]
    fn the_header_is_ascii_whatever_the_title() {
        for title in ["\"\\\r\n", "日本\u{1f600}", "a\u{7f}b", "x'y''z*"] {
            let value = attachment(Some(title), "transcript", "srt");
            assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{value}");
            assert_eq!(value.matches('"').count(), 2, "{value}");
        }
    }
}
