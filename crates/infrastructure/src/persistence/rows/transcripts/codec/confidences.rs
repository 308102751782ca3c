//! Confidences, without loss. Engines write them as decimals of a few digits: those are kept as
//! whole numbers, counted from 1 downwards because most are near it. Any other float keeps its
//! eight bytes.

use super::bytes::{self, Reader};

/// Most digits after the point of a decimal: ten to this power, and every whole number up to it,
/// is a float without loss.
const MAX_DIGITS: u8 = 15;

const ABSENT: u64 = 0;
const RAW: u64 = 1;
const FIRST: u64 = 2;

/// Writes the number of digits, a number for each confidence, and the floats that are no decimals.
pub(super) fn put(to: &mut Vec<u8>, values: &[Option<f64>]) {
    let digits = (0..=MAX_DIGITS).min_by_key(|digits| cost(values, *digits)).unwrap_or_default();
    to.push(digits);
    bytes::put_column(to, values.iter().map(|value| code(*value, digits)).collect());
    for value in values.iter().filter(|value| code(**value, digits) == RAW).flatten() {
        to.extend_from_slice(&value.to_le_bytes());
    }
}

pub(super) fn read(from: &mut Reader<'_>, count: usize) -> Result<Vec<Option<f64>>, &'static str> {
    let [digits] = from.array()?;
    if digits > MAX_DIGITS {
        return Err("body has a confidence of too many digits");
    }
    let codes = from.column(count)?.into_iter();
    let values = codes.map(|code| match code {
        ABSENT => Ok(None),
        RAW => Ok(Some(f64::from_le_bytes(from.array()?))),
        code => {
            let whole = scale(digits).checked_sub(code - FIRST);
            Ok(Some(decimal(whole.ok_or("body has a confidence below zero")?, digits)))
        }
    });
    values.collect()
}

/// How many bytes the confidences take with so many digits.
fn cost(values: &[Option<f64>], digits: u8) -> u64 {
    let one = |value: &Option<f64>| {
        let code = code(*value, digits);
        u64::from(bytes::size(code)) + if code == RAW { 8 } else { 0 }
    };
    values.iter().map(one).sum()
}

fn code(value: Option<f64>, digits: u8) -> u64 {
    let Some(value) = value else { return ABSENT };
    let whole = whole(value, digits);
    whole.map_or(RAW, |whole| scale(digits) - whole + FIRST)
}

/// The whole number of which [`decimal`] makes this very float, from 0 to the scale.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a whole number within the range"
)]
fn whole(value: f64, digits: u8) -> Option<u64> {
    let scale = float(scale(digits));
    let whole = (value * scale).round();
    let whole = (0.0..=scale).contains(&whole).then_some(whole as u64)?;
    (decimal(whole, digits).to_bits() == value.to_bits()).then_some(whole)
}

fn decimal(whole: u64, digits: u8) -> f64 {
    float(whole) / float(scale(digits))
}

#[expect(clippy::cast_precision_loss, reason = "no number here is above ten to the fifteenth")]
fn float(whole: u64) -> f64 {
    whole as f64
}

fn scale(digits: u8) -> u64 {
    10_u64.pow(u32::from(digits))
}
