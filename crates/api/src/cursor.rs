//! Cursors: where a page ended, as a word that means nothing to clients.
//!
//! The word carries a check sum, so that one which was cut, mistyped or made up is told from ours.
//! It is no secret: a cursor only ever walks its reader's own list.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use domain::{Cursor, TranscriptionId};
use uuid::Uuid;

const VERSION: u8 = 1;
const PAYLOAD: usize = 1 + 8 + 16;
const LENGTH: usize = PAYLOAD + 4;

/// Writes a cursor.
pub(crate) fn encode(cursor: &Cursor) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    bytes.extend(cursor.created_at.timestamp_micros().to_be_bytes());
    bytes.extend(cursor.id.as_uuid().as_bytes());
    bytes.extend(checksum(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor; `None` unless it is one of ours.
pub(crate) fn decode(word: &str) -> Option<Cursor> {
    let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok()?;
    let (payload, sum) = bytes.split_at(PAYLOAD);
    if checksum(payload).to_be_bytes() != sum || payload[0] != VERSION {
        return None;
    }
    let micros = i64::from_be_bytes(payload[1..9].try_into().ok()?);
    let id = Uuid::from_slice(&payload[9..]).ok()?;
    let created_at = DateTime::from_timestamp_micros(micros)?;
    Some(Cursor { created_at, id: TranscriptionId::from_uuid(id) })
}

/// CRC-32 (ISO-HDLC), which finds every change of up to 32 neighbouring bits.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{checksum, decode, encode};
    use chrono::DateTime;
    use domain::{Cursor, TranscriptionId};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn cursor(micros: i64, id: u128) -> Cursor {
        let created_at = DateTime::from_timestamp_micros(micros).expect("in range");
        Cursor { created_at, id: TranscriptionId::from_uuid(Uuid::from_u128(id)) }
    }

    #[test]
    fn the_check_sum_is_the_well_known_one() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for word in
            ["", "a", "AAAA", "!!!!", "../../etc/passwd", &"A".repeat(39), &"A".repeat(9999)]
        {
            assert_eq!(decode(word), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in 0..4_102_444_800_000_000_i64, id: u128) {
            let cursor = cursor(micros, id);
            prop_assert_eq!(decode(&encode(&cursor)), Some(cursor));
        }

        #[test]
        fn changing_one_character_is_noticed(
            micros in 0..4_102_444_800_000_000_i64,
            id: u128,
            at in 0_usize..39,
            to in "[A-Za-z0-9_-]",
        ) {
            let word = encode(&cursor(micros, id));
            let mut changed = word.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != word);
            prop_assert_eq!(decode(&changed), None);
        }

        #[test]
        fn cutting_it_is_noticed(micros in 0..4_102_444_800_000_000_i64, id: u128, at in 0_usize..39) {
            prop_assert_eq!(decode(&encode(&cursor(micros, id))[..at]), None);
        }
    }
}
