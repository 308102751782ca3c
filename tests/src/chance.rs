//! Chance that can be had again: every run prints its seed.

use std::{ffi::OsString, process, time::SystemTime};

use crate::workspace;

/// A stream of numbers (`SplitMix64`) that only the seed decides.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of `CHAOS_SEED`, else a new one. Prints the seed, so that a failed run can be
    /// repeated.
    pub fn from_environment() -> Self {
        let given = workspace::variable("CHAOS_SEED").map(OsString::into_string);
        let seed = match given {
            Some(Ok(text)) => text.parse().expect("CHAOS_SEED is a whole number"),
            Some(Err(_)) => panic!("CHAOS_SEED is a whole number"),
            None => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                now.map_or(0, |since| since.as_secs()) ^ u64::from(process::id()).rotate_left(32)
            }
        };
        println!("CHAOS_SEED={seed}");
        Self(seed)
    }

    /// A stream of its own, for what runs beside this one.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
