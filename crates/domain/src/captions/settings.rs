//! How captions are to be shaped.

use crate::Invalid;

/// How captions are to be shaped; by default as subtitles for adults are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptionSettings {
    chars_per_line: usize,
    lines: usize,
    longest_ms: u64,
    shortest_ms: u64,
    chars_per_second: u64,
    speakers: bool,
}

impl CaptionSettings {
    /// The settings by the names under which users give them.
    pub const NAMES: [&str; 6] =
        ["chars_per_line", "lines", "max_seconds", "min_seconds", "chars_per_second", "speakers"];

    /// Reads settings by their [`Self::NAMES`]; what is not given keeps its default, and of a name
    /// given twice the later one holds. Seconds may have decimals, and count to the millisecond.
    ///
    /// # Errors
    /// Every fault with its name: `unknown_parameter`, `out_of_range`, `unknown_value`.
    pub fn parse<'a>(
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<(&'a str, Invalid)>> {
        let (mut settings, mut faults) = (Self::default(), Vec::new());
        for (name, value) in given {
            if let Err(invalid) = settings.set(name, value) {
                faults.push((name, invalid));
            }
        }
        if faults.is_empty() && settings.shortest_ms > settings.longest_ms {
            let detail = "must not be more than max_seconds";
            faults.push(("min_seconds", Invalid::new("out_of_range", detail)));
        }
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        let out_of_range = |detail| Invalid::new("out_of_range", detail);
        match name {
            "chars_per_line" => {
                self.chars_per_line = size(value, 10, 120)
                    .ok_or_else(|| out_of_range("must be a whole number from 10 to 120"))?;
            }
            "lines" => {
                self.lines = size(value, 1, 4)
                    .ok_or_else(|| out_of_range("must be a whole number from 1 to 4"))?;
            }
            "max_seconds" => {
                let given = millis(value).filter(|ms| (1_000..=60_000).contains(ms));
                self.longest_ms = given.ok_or_else(|| out_of_range("must be from 1 to 60"))?;
            }
            "min_seconds" => {
                let given = millis(value).filter(|ms| *ms <= 10_000);
                self.shortest_ms = given.ok_or_else(|| out_of_range("must be from 0 to 10"))?;
            }
            "chars_per_second" => {
                let given = whole(value).filter(|rate| (5..=100).contains(rate));
                self.chars_per_second =
                    given.ok_or_else(|| out_of_range("must be a whole number from 5 to 100"))?;
            }
            "speakers" => {
                self.speakers = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Invalid::new("unknown_value", "must be true or false")),
                };
            }
            _ => return Err(Invalid::new("unknown_parameter", "is not a setting of exports")),
        }
        Ok(())
    }

    /// Most characters on a line: 42, or 10 to 120.
    pub fn chars_per_line(&self) -> usize {
        self.chars_per_line
    }

    /// Most lines in a caption: 2, or 1 to 4.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// How long a caption may stand, in milliseconds: 7 s, or 1 to 60 s.
    pub fn longest_ms(&self) -> u64 {
        self.longest_ms
    }

    /// How long a caption stands at least where there is room, in milliseconds: 1 s, or 0 to 10 s.
    pub fn shortest_ms(&self) -> u64 {
        self.shortest_ms
    }

    /// How many characters can be read in a second: 20, or 5 to 100.
    pub fn chars_per_second(&self) -> u64 {
        self.chars_per_second
    }

    /// Whether speakers are named where they are known; they are by default.
    pub fn speakers(&self) -> bool {
        self.speakers
    }
}

impl Default for CaptionSettings {
    fn default() -> Self {
        Self {
            chars_per_line: 42,
            lines: 2,
            longest_ms: 7_000,
            shortest_ms: 1_000,
            chars_per_second: 20,
            speakers: true,
        }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn whole(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| digits(text))
}

fn size(text: &str, least: usize, most: usize) -> Option<usize> {
    let value = usize::try_from(whole(text)?).ok()?;
    (least..=most).contains(&value).then_some(value)
}

/// Seconds with or without decimals, as milliseconds; what is less than one is cut.
fn millis(text: &str) -> Option<u64> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(decimals) {
        return None;
    }
    whole(seconds)?.checked_mul(1_000)?.checked_add(whole(&format!("{decimals:0<3.3}"))?)
}

#[cfg(test)]
mod tests {
    use super::CaptionSettings;

    fn faults(given: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        let parsed = CaptionSettings::parse(given.iter().copied());
        let faults = parsed.err().unwrap_or_default();
        faults.into_iter().map(|(name, invalid)| (name, invalid.code())).collect()
    }

    #[test]
    fn nothing_given_is_the_default_and_everything_can_be_given() {
        assert_eq!(CaptionSettings::parse([]), Ok(CaptionSettings::default()));
        let given = ["10", "4", "1.5", "0.25", "100", "false"];
        let parsed = CaptionSettings::parse(CaptionSettings::NAMES.into_iter().zip(given));
        let expected = CaptionSettings {
            chars_per_line: 10,
            lines: 4,
            longest_ms: 1_500,
            shortest_ms: 250,
            chars_per_second: 100,
            speakers: false,
        };
        assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn the_bounds_themselves_are_allowed_and_no_more() {
        for (name, allowed, refused) in [
            ("chars_per_line", ["10", "120"], ["9", "121", "", "-1", "+42", "4e1", "42.0"]),
            ("lines", ["1", "4"], ["0", "5", " 2", "two", "1.0", "99999999999999999999", "２"]),
            ("max_seconds", ["1", "60.0009"], ["0.9999", "60.001", "1.", ".5", "1.é", "NaN", ""]),
            ("min_seconds", ["0", "7"], ["10.001", "-0", "1,5", "1s", "", "1.5.5", "inf"]),
            ("chars_per_second", ["5", "100"], ["4", "101", "20.5", "", "x", "-20", "0"]),
        ] {
            for value in allowed {
                assert_eq!(faults(&[(name, value)]), [], "{name}={value}");
            }
            for value in refused {
                assert_eq!(faults(&[(name, value)]), [(name, "out_of_range")], "{name}={value}");
            }
        }
        for value in ["", "1", "True", "yes"] {
            assert_eq!(faults(&[("speakers", value)]), [("speakers", "unknown_value")]);
        }
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let given =
            [("lines", "9"), ("colour", "red"), ("speakers", "maybe"), ("max_seconds", "5")];
        let expected = [
            ("lines", "out_of_range"),
            ("colour", "unknown_parameter"),
            ("speakers", "unknown_value"),
        ];
        assert_eq!(faults(&given), expected);
    }

    #[test]
    fn the_shortest_is_not_longer_than_the_longest() {
        assert_eq!(faults(&[("max_seconds", "2"), ("min_seconds", "2")]), []);
        let crossed = faults(&[("min_seconds", "2.001"), ("max_seconds", "2")]);
        assert_eq!(crossed, [("min_seconds", "out_of_range")]);
    }
}
