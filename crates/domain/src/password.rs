//! Passwords: how a new one is judged, and what is kept of it.

use std::fmt;

use crate::{Email, Invalid};

/// Passwords of at least eight characters among the 20,000 most used, lower case, sorted by byte:
/// Royce Williams' list as distributed with Django (BSD-3-Clause, see `data/README.md`).
static COMMON: &str = include_str!("data/common-passwords.txt");

/// The name that nobody may use as a password here.
const SERVICE_NAMES: [&str; 3] = ["saas-ia", "saas ia", "saasia"];

/// A new password that passed the rules. What is hashed is every character of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Fewest characters.
    pub const MIN_CHARS: usize = 8;
    /// Most characters.
    pub const MAX_CHARS: usize = 128;

    /// Judges a password for the account of `email`: its length, and that the whole of it is not
    /// a well-known word. Nothing is trimmed or changed, and no composition is demanded.
    ///
    /// # Errors
    /// `password_too_short`, `password_too_long` or `password_too_common`.
    pub fn choose(value: &str, email: Option<&Email>) -> Result<Self, Invalid> {
        // Counting stops one past the limit, whatever the length.
        let chars = value.chars().take(Self::MAX_CHARS + 1).count();
        if chars < Self::MIN_CHARS {
            return Err(Invalid::new("password_too_short", "must have at least 8 characters"));
        }
        if chars > Self::MAX_CHARS {
            return Err(Invalid::new("password_too_long", "must have at most 128 characters"));
        }
        let lower = value.to_lowercase();
        let personal = email.is_some_and(|e| lower == e.as_str() || lower == e.local_part());
        if personal || SERVICE_NAMES.contains(&lower.as_str()) || is_common(&lower) {
            return Err(Invalid::new(
                "password_too_common",
                "is too easy to guess; choose another one",
            ));
        }
        Ok(Self(value.to_owned()))
    }

    /// The password, for hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// Binary search over the lines of a sorted text, without building a table at start.
fn is_common(word: &str) -> bool {
    let text = COMMON.as_bytes();
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = text[..middle].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end =
            text[start..].iter().position(|b| *b == b'\n').map_or(text.len(), |at| start + at);
        match text[start..end].cmp(word.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

/// What is stored of a password: scheme, key id and bcrypt hash in one text.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordDigest(String);

impl PasswordDigest {
    /// Wraps what a hasher made or a database held.
    pub fn new(stored: impl Into<String>) -> Self {
        Self(stored.into())
    }

    /// The stored text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordDigest(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMON, Password, is_common};
    use crate::Email;
    use proptest::prelude::*;

    #[test]
    fn the_list_is_sorted_long_enough_and_found_whole() {
        let words: Vec<&str> = COMMON.lines().collect();
        assert!(words.len() > 3_000);
        assert!(words.is_sorted());
        for word in &words {
            assert!(is_common(word), "{word}");
        }
        assert!(!is_common(""));
        assert!(!is_common("zzzzzzzzzzzzzzzzzzzzzz"));
    }

    #[test]
    fn only_the_whole_password_counts_as_common() {
        let email = Email::parse("someone.else@example.com").expect("an address");
        for (word, verdict) in [
            ("Test123!", true),
            ("password1", false),
            ("PASSWORD1", false),
            ("xpassword1x", true),
            ("Someone.Else@example.com", false),
            ("someone.else", false),
            ("someone.else!", true),
            ("SaaS-IA", false),
        ] {
            assert_eq!(Password::choose(word, Some(&email)).is_ok(), verdict, "{word}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(Password::choose(&"🦀".repeat(128), None).is_ok());
        let long = Password::choose(&"🦀".repeat(129), None);
        assert_eq!(long.map_err(|e| e.code()), Err("password_too_long"));
        let short = Password::choose("ééééééé", None);
        assert_eq!(short.map_err(|e| e.code()), Err("password_too_short"));
    }

    proptest! {
        #[test]
        fn a_password_is_kept_as_it_was_given(text in "[\\x00-\\x{10FFFF}]{8,128}") {
            if let Ok(password) = Password::choose(&text, None) {
                prop_assert_eq!(password.expose(), text);
            }
        }
    }
}
