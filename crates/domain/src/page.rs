//! Pages of a list, newest first, by key rather than by offset: stable while rows come and go.

use chrono::{DateTime, Utc};

use crate::{Invalid, Status, TranscriptionId};

/// How many items a page holds: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u8);

impl PageSize {
    /// Most items on a page.
    pub const MAX: u8 = 100;

    /// Judges a size.
    ///
    /// # Errors
    /// `out_of_range`.
    pub fn parse(value: u64) -> Result<Self, Invalid> {
        match u8::try_from(value) {
            Ok(size @ 1..=Self::MAX) => Ok(Self(size)),
            _ => Err(Invalid::new("out_of_range", "must be from 1 to 100")),
        }
    }

    /// The number of items.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(20)
    }
}

/// The place of the last item of a page; the next page begins behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When that item was created.
    pub created_at: DateTime<Utc>,
    /// Which item it was, among those of one instant.
    pub id: TranscriptionId,
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageRequest {
    /// Where the page before ended; the first page where absent.
    pub after: Option<Cursor>,
    /// How many items to pass over from there; at most 2⁶³−1.
    pub skip: u64,
    /// How many items to return.
    pub size: PageSize,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where the next page begins, when there is more.
    pub next: Option<Cursor>,
}

/// Which transcriptions a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListFilter {
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those created later than this.
    pub created_after: Option<DateTime<Utc>>,
    /// Only those created earlier than this.
    pub created_before: Option<DateTime<Utc>>,
}
