//! A submission to a paid engine, written down *before* the engine is asked.
//!
//! The row says that a request may have left. It is used once: whoever finds an open intent that
//! it did not just write must not send again.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::{Epoch, SubmissionId, TranscriptionId};

/// A secret that goes to an engine with one submission, and comes back with its callbacks. Whoever
/// has it is, or was told by, the engine that was asked.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackToken([u8; 32]);

impl CallbackToken {
    /// A token of 256 unpredictable bits.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Reads a token from its text; `None` for anything but 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut secret = [0; 32];
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex(pair[0])? << 4 | hex(pair[1])?;
        }
        Some(Self(secret))
    }

    /// The text that goes into a URL: 64 lower-case hexadecimal digits.
    pub fn text(&self) -> String {
        const DIGITS: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let halves = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        halves.map(|half| DIGITS[usize::from(half)]).collect()
    }

    /// What is kept of it.
    pub fn digest(&self) -> CallbackDigest {
        CallbackDigest(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for CallbackToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackToken(***)")
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// What is kept of a [`CallbackToken`]: its SHA-256. A token of full entropy needs no slow hash,
/// and to look a digest up tells nothing of the token by its timing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallbackDigest([u8; 32]);

impl CallbackDigest {
    /// Wraps a stored digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What is known of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionState {
    /// Written down; a request may be on its way.
    Intent,
    /// The engine named its job.
    Accepted,
    /// The result was stored.
    Finished,
    /// The engine refused it, or failed at it.
    Error,
    /// Given up; if the engine accepted it after all, it is an orphan there.
    Abandoned,
}

impl SubmissionState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Intent, Self::Accepted, Self::Finished, Self::Error, Self::Abandoned];

    /// The word in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Accepted => "accepted",
            Self::Finished => "finished",
            Self::Error => "error",
            Self::Abandoned => "abandoned",
        }
    }

    /// Reads a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One submission of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Which one.
    pub id: SubmissionId,
    /// Of which job.
    pub job: TranscriptionId,
    /// The first, or a later one after the engine failed.
    pub seq: u32,
    /// The audio at the engine; `None` for an engine that needs none.
    pub upload_url: Option<String>,
    /// The claim under which it was written down.
    pub epoch: Epoch,
    /// What is known of it.
    pub state: SubmissionState,
    /// The engine's own name for the job.
    pub provider_id: Option<String>,
    /// When it was written down.
    pub intent_at: DateTime<Utc>,
    /// The token that went with it; `None` for an engine that calls nobody back.
    pub callback: Option<CallbackDigest>,
    /// How many complete listings of the engine's jobs have not shown it.
    pub clean_listings: u32,
    /// Under which name a callback says that the engine keeps it. Not trusted: to be asked for.
    pub hinted_id: Option<String>,
}

impl Submission {
    /// How often one job may be submitted after the engine failed at it. Submissions that the
    /// engine refused count too: a job is rather given up than paid for once more.
    pub const MAX_SEQ: u32 = 2;
}

/// When a submission whose answer was lost is looked for at the engine, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlePolicy {
    /// How long after the request the engine's list may still lack a job that it accepted.
    pub window: TimeDelta,
    /// How many complete listings must have lacked it, the last one after the window.
    pub listings: u32,
}

impl Default for SettlePolicy {
    fn default() -> Self {
        Self { window: TimeDelta::minutes(10), listings: 3 }
    }
}

impl SettlePolicy {
    /// When the list is looked at, in 120ths of the window after the request: for a window of ten
    /// minutes after 5 s, 30 s, 2, 5 and 10 min.
    const LOOKS: [i32; 5] = [1, 6, 24, 60, 120];

    /// When the list is looked at next.
    pub fn next_look(&self, intent_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        let look = |share: i32| intent_at + self.window * share / 120;
        let planned = Self::LOOKS.into_iter().map(look).find(|at| *at > now);
        planned.unwrap_or(now + self.window / 4)
    }

    /// Whether a submission that a complete listing at `now` lacks once more is given up.
    pub fn is_settled(&self, submission: &Submission, now: DateTime<Utc>) -> bool {
        now - submission.intent_at >= self.window
            && submission.clean_listings.saturating_add(1) >= self.listings
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{CallbackToken, SettlePolicy, Submission, SubmissionState};
    use crate::{Epoch, SubmissionId, TranscriptionId};

    fn intent_at() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn after(clean_listings: u32) -> Submission {
        Submission {
            id: SubmissionId::from_uuid(Uuid::nil()),
            job: TranscriptionId::from_uuid(Uuid::nil()),
            seq: 1,
            upload_url: None,
            epoch: Epoch::new(1),
            state: SubmissionState::Intent,
            provider_id: None,
            intent_at: intent_at(),
            callback: None,
            clean_listings,
            hinted_id: None,
        }
    }

    #[test]
    fn a_token_reads_back_and_shows_itself_to_nobody() {
        let token = CallbackToken::new([0xa7; 32]);
        assert_eq!(CallbackToken::parse(&token.text()).as_ref(), Some(&token));
        assert!(!format!("{token:?}").contains("a7"));
        let text = token.text();
        for wrong in [&text[1..], &text.to_uppercase(), &format!("{text}0"), "", &"g".repeat(64)] {
            assert_eq!(CallbackToken::parse(wrong), None, "{wrong}");
        }
        assert_ne!(token.digest(), CallbackToken::new([0xa8; 32]).digest());
    }

    #[test]
    fn the_list_is_looked_at_again_and_again_and_never_at_once() {
        let policy = SettlePolicy::default();
        let mut now = intent_at();
        let mut seen = Vec::new();
        for _ in 0..7 {
            let next = policy.next_look(intent_at(), now);
            assert!(next > now);
            seen.push((next - intent_at()).num_seconds());
            now = next;
        }
        assert_eq!(seen, [5, 30, 120, 300, 600, 750, 900]);
    }

    #[test]
    fn a_submission_is_given_up_after_the_window_and_three_listings() {
        let policy = SettlePolicy::default();
        let at = |seconds| intent_at() + TimeDelta::seconds(seconds);
        for (listings, seconds, settled) in
            [(9, 599, false), (1, 600, false), (2, 600, true), (0, 9_999, false)]
        {
            assert_eq!(policy.is_settled(&after(listings), at(seconds)), settled, "{listings}");
        }
    }
}
