//! Numbers and texts as bytes. A number takes seven bits of each byte, the lowest first; the
//! eighth bit says that more follow. Of a column of numbers all first bytes come first, then all
//! second ones, and so on: bytes that are alike compress well.

/// By how much the bits of each byte of a number are shifted.
const SHIFTS: [u32; 10] = [0, 7, 14, 21, 28, 35, 42, 49, 56, 63];

const TOO_LARGE: &str = "body has a number that is too large";

/// Writes a number.
pub(super) fn put(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return to.push(low & 0x7f);
        }
        to.push(low | 0x80);
    }
}

/// Writes a column of numbers.
pub(super) fn put_column(to: &mut Vec<u8>, mut numbers: Vec<u64>) {
    while !numbers.is_empty() {
        numbers.retain_mut(|number| {
            let [low, ..] = number.to_le_bytes();
            *number >>= 7;
            let more = *number > 0;
            to.push(if more { low | 0x80 } else { low & 0x7f });
            more
        });
    }
}

/// How many bytes a number takes.
pub(super) fn size(number: u64) -> u32 {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7)
}

/// Writes a text behind its length.
pub(super) fn put_bytes(to: &mut Vec<u8>, text: &str) {
    put(to, super::length(text));
    to.extend_from_slice(text.as_bytes());
}

/// How far it is from one number to another, the shorter way round; the lowest bit tells which
/// way. [`moved`] goes it.
pub(super) fn distance(start: u64, end: u64) -> u64 {
    let (forth, back) = (end.wrapping_sub(start), start.wrapping_sub(end));
    if forth >> 63 == 0 { forth << 1 } else { ((back - 1) << 1) | 1 }
}

/// Where a distance leads to from `start`.
pub(super) fn moved(start: u64, distance: u64) -> u64 {
    let way = distance >> 1;
    if distance & 1 == 0 { start.wrapping_add(way) } else { start.wrapping_sub(way + 1) }
}

/// Reads what the functions of this module write.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn number(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for shift in SHIFTS {
            if !self.continued(&mut number, shift)? {
                return Ok(number);
            }
        }
        Err(TOO_LARGE)
    }

    /// Takes the next byte of a number, and tells whether there is one more.
    fn continued(&mut self, number: &mut u64, shift: u32) -> Result<bool, &'static str> {
        let [byte] = self.array()?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(TOO_LARGE);
        }
        *number |= bits << shift;
        Ok(byte & 0x80 != 0)
    }

    /// A number of things of which each takes at least one more byte: never more than are left,
    /// so that room can be made for them.
    pub(super) fn count(&mut self) -> Result<usize, &'static str> {
        let count = usize::try_from(self.number()?).ok();
        count.filter(|count| *count <= self.rest.len()).ok_or("body ends early")
    }

    /// A column of numbers.
    pub(super) fn column(&mut self, count: usize) -> Result<Vec<u64>, &'static str> {
        if count > self.rest.len() {
            return Err("body ends early");
        }
        let mut numbers = vec![0; count];
        let mut open: Vec<usize> = (0..count).collect();
        for shift in SHIFTS {
            let mut longer = Vec::new();
            for at in open {
                if self.continued(&mut numbers[at], shift)? {
                    longer.push(at);
                }
            }
            if longer.is_empty() {
                return Ok(numbers);
            }
            open = longer;
        }
        Err(TOO_LARGE)
    }

    pub(super) fn bytes(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let split = usize::try_from(length).ok().and_then(|at| self.rest.split_at_checked(at));
        let (bytes, rest) = split.ok_or("body ends early")?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or("body ends early")?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, &'static str> {
        let length = self.number()?;
        self.str(length)
    }

    pub(super) fn str(&mut self, length: u64) -> Result<&'a str, &'static str> {
        std::str::from_utf8(self.bytes(length)?).map_err(|_| "body has a text that is not UTF-8")
    }

    pub(super) fn end(&self) -> Result<(), &'static str> {
        if self.rest.is_empty() { Ok(()) } else { Err("body goes on after its end") }
    }
}
