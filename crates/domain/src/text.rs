//! Rules for free text from outside.

use crate::Invalid;

/// Checks that `value` has at most `max` characters and no control characters.
///
/// NUL and the other control characters are refused because databases and logs disagree about
/// them.
///
/// # Errors
/// `too_long` or `control_character`.
pub fn check(value: &str, max: usize) -> Result<(), Invalid> {
    if value.chars().nth(max).is_some() {
        return Err(Invalid::new("too_long", format!("must have at most {max} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(Invalid::new("control_character", "must not contain control characters"));
    }
    Ok(())
}

/// Shortens `value` to at most `max` characters and turns control characters into spaces, for
/// text from a foreign service that is shown to a person.
pub fn tame(value: &str, max: usize) -> String {
    value.trim().chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{check, tame};

    #[test]
    fn the_limit_counts_characters_not_bytes() {
        assert!(check("ééé", 3).is_ok());
        assert_eq!(check("éééé", 3).map_err(|e| e.code()), Err("too_long"));
    }

    #[test]
    fn control_characters_are_refused_and_tamed() {
        assert_eq!(check("a\0b", 9).map_err(|e| e.code()), Err("control_character"));
        assert_eq!(tame("  a\r\nb  ", 9), "a  b");
    }
}
