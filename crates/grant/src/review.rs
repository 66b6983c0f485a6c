//! Reviews of the log: which entries are a month's, which of them are drawn, and what a review that is signed says.
//!
//! Nothing of it is secret and nobody chooses it: whoever has the log's entries finds the same months and draws the same sample.

use std::collections::BTreeMap;

use base::{Month, UtcMillis};
use sha2::{Digest, Sha256};
use tlog::Hash;

use crate::MAX_DETAIL;

/// What the hashes begin with that a sample is drawn by.
const DRAW: &[u8] = b"meterkeep/review/1";
/// The note of a review has at most so many bytes: with all else that the entry says it is far from [`MAX_DETAIL`].
pub const MAX_REVIEW_NOTE: usize = 512;
/// A review is overdue so many days after its month has ended.
pub const REVIEW_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 3_600_000;

/// The entries of a month that has ended: from the first to before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The month's first entry.
    pub first: u64,
    /// The first entry that was taken after the month.
    pub end: u64,
}

impl Span {
    /// How many entries there are.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.end.saturating_sub(self.first)
    }

    /// The size of the tree whose root says what is drawn: the first that holds an entry from after the month. Before that entry was
    /// taken nobody knew the root, and afterwards nobody can change it.
    #[must_use]
    pub const fn drawn_at(self) -> u64 {
        self.end.saturating_add(1)
    }
}

/// Which entries of a log are which month's, by the times at which the ledger took them (UTC).
///
/// A month lasts from its first entry to the first one of a later month. When the clock was ahead and is set back, what was taken
/// meanwhile belongs to the month that it is set back to; a clock that falls back further than into the month before moves nothing.
#[derive(Debug, Clone, Default)]
pub struct Months {
    starts: BTreeMap<Month, u64>,
    /// The newest month, and its first moment and the first one after it.
    newest: Option<(Month, UtcMillis, UtcMillis)>,
    /// Entries before the first that is known were removed, so that the first month may lack its beginning.
    cut: bool,
}

impl Months {
    /// Of a log whose first entries were removed.
    #[must_use]
    pub fn of_rest() -> Self {
        Self { cut: true, ..Self::default() }
    }

    /// Forgets entries that are removed: those before a position.
    pub fn remove_before(&mut self, position: u64) {
        let (gone, kept): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.starts).into_iter().partition(|(_, start)| *start < position);
        self.starts = kept;
        // the last of them may go on behind the position
        if let Some((last, _)) = gone.last_key_value()
            && self.starts.values().all(|start| *start > position)
        {
            self.starts.insert(*last, position);
        }
        self.cut |= position > 0;
    }

    /// Where the entries begin that are to be kept for so many whole months, and in the one that goes on; `None` where nothing is
    /// older.
    ///
    /// What is kept is counted both by the calendar and by the months in which something was recorded, and the longer of both counts: a
    /// clock that is suddenly years ahead makes nothing old.
    #[must_use]
    pub fn keeps_from(&self, keep: u32, now: UtcMillis) -> Option<u64> {
        let oldest = now.month().number().saturating_sub(keep);
        let by_calendar = self.starts.keys().find(|month| month.number() >= oldest)?;
        let by_months = self.starts.keys().rev().nth(usize::try_from(keep).ok()?)?;
        let from = self.starts.get(by_calendar.min(by_months)).copied();
        from.filter(|from| self.starts.values().any(|start| start < from))
    }

    /// Notes when an entry was taken. Entries come in their order.
    pub fn note(&mut self, position: u64, at: UtcMillis) {
        let month = match self.newest {
            Some((_, from, until)) if from <= at && at < until => return,
            Some((newest, ..)) if at.month() < newest => {
                let Some(month) = self.set_back(newest, at.month()) else { return };
                month
            }
            _ => {
                let month = at.month();
                self.starts.entry(month).or_insert(position);
                month
            }
        };
        self.newest = Some((month, month.begins(), month.next().begins()));
    }

    /// The clock says an earlier month than before: the month that counts from now on, if another one does.
    fn set_back(&mut self, newest: Month, month: Month) -> Option<Month> {
        let before = self.starts.range(..newest).next_back().map(|(before, _)| *before);
        if before.is_some_and(|before| month < before) {
            return None;
        }
        let start = self.starts.remove(&newest)?;
        self.starts.entry(month).or_insert(start);
        Some(month)
    }

    /// The month whose first entry this is.
    #[must_use]
    pub fn of(&self, position: u64) -> Option<Month> {
        self.starts.iter().find(|(_, start)| **start == position).map(|(month, _)| *month)
    }

    /// The month that goes on; none of a log without entries.
    #[must_use]
    pub fn running(&self) -> Option<Month> {
        self.newest.map(|(month, ..)| month)
    }

    /// The entries of a month that has ended. Of one whose beginning was removed there are none that a sample could be drawn from.
    #[must_use]
    pub fn span(&self, month: Month) -> Option<Span> {
        if self.cut && self.starts.first_key_value().is_some_and(|(first, _)| *first == month) {
            return None;
        }
        let first = *self.starts.get(&month)?;
        let (_, end) = self.starts.range(month.next()..).next()?;
        Some(Span { first, end: *end })
    }

    /// The months that have ended, the oldest first. One in which nothing was taken is not among them.
    pub fn ended(&self) -> impl Iterator<Item = (Month, Span)> {
        self.starts.keys().filter_map(|month| Some((*month, self.span(*month)?)))
    }
}

/// When a month's review is overdue.
#[must_use]
pub fn overdue_at(month: Month) -> UtcMillis {
    month.next().begins().plus(REVIEW_DAYS * DAY_MS)
}

/// Draws entries of a month, ascending, each at most once; all of them where there are no more than wanted. `root` is the root over
/// the first [`Span::drawn_at`] entries of the log.
///
/// Number `i` is the first eight bytes, big-endian, of `SHA-256("meterkeep/review/1" || root || month || i)`, with the month's number
/// (`year * 12 + month - 1`) in four bytes and `i`, from 0, in eight, both big-endian. A number of the incomplete last round of the span's
/// count below 2^64 is left out, so that each entry is as likely as every other; the rest of its division by the count, from the first
/// entry on, is drawn, unless it was drawn before.
#[must_use]
pub fn draw(root: &Hash, month: Month, span: Span, wanted: usize) -> Vec<u64> {
    let count = span.count();
    if count <= wanted as u64 {
        return (span.first..span.end).collect();
    }
    let beyond = u64::MAX - (u64::MAX % count + 1) % count;
    let mut drawn = std::collections::BTreeSet::new();
    let mut number = 0u64;
    while drawn.len() < wanted {
        let hash = Sha256::new()
            .chain_update(DRAW)
            .chain_update(root.0)
            .chain_update(month.number().to_be_bytes())
            .chain_update(number.to_be_bytes())
            .finalize();
        let mut eight = [0; 8];
        eight.iter_mut().zip(hash.iter()).for_each(|(to, from)| *to = *from);
        let value = u64::from_be_bytes(eight);
        if value <= beyond {
            drawn.insert(span.first + value % count);
        }
        number += 1;
    }
    drawn.into_iter().collect()
}

/// What a review came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing that somebody has to look into.
    Ok,
    /// Something is looked into further; the note says what.
    FollowUp,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ok, Self::FollowUp];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::FollowUp => "follow-up",
        }
    }

    /// The finding of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.name() == name)
    }
}

/// What is in the log of a review: that it was shown to somebody, or that they signed it. Who it was, and when, says the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Review {
    /// Sample and checks were shown.
    Shown {
        /// Of which month.
        month: Month,
        /// Its entries.
        span: Span,
    },
    /// The review was signed.
    Signed(Signature),
}

/// A signed review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Of which month.
    pub month: Month,
    /// Its entries.
    pub span: Span,
    /// What it came to.
    pub finding: Finding,
    /// Entries that were drawn.
    pub drawn: u64,
    /// Entries that the targeted checks found.
    pub found: u64,
    /// How many of all these are about the signer themselves: those they cannot vouch for.
    pub own: u64,
    /// What the signer says to it.
    pub note: String,
}

impl std::fmt::Display for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shown { month, span } => write!(f, "shown {month} entries {} to {}", span.first, span.end),
            Self::Signed(Signature {
                month,
                span: Span { first, end },
                finding,
                drawn,
                found,
                own,
                note,
            }) => write!(
                f,
                "signed {month} entries {first} to {end} finding {} drawn {drawn} found {found} own {own}: {note}",
                finding.name()
            ),
        }
    }
}

impl Review {
    /// Reads the detail of an entry; `None` where it says something else.
    #[must_use]
    pub fn read(detail: &str) -> Option<Self> {
        if detail.len() > MAX_DETAIL {
            return None;
        }
        let (said, note) = detail.split_once(": ").unwrap_or((detail, ""));
        let words: Vec<&str> = said.split(' ').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        match words.as_slice() {
            ["shown", month, "entries", first, "to", end] => {
                let span = Span { first: number(first)?, end: number(end)? };
                Some(Self::Shown { month: month.parse().ok()?, span })
            }
            [
                "signed",
                month,
                "entries",
                first,
                "to",
                end,
                "finding",
                finding,
                "drawn",
                drawn,
                "found",
                found,
                "own",
                own,
            ] => Some(Self::Signed(Signature {
                month: month.parse().ok()?,
                span: Span { first: number(first)?, end: number(end)? },
                finding: Finding::from_name(finding)?,
                drawn: number(drawn)?,
                found: number(found)?,
                own: number(own)?,
                note: note.to_owned(),
            })),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
