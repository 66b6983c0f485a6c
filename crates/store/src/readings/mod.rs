//! Sealed readings: rows as they come, found again by series.

mod insert;
mod query;

use base::{Class, MeterId, Month, TenancyId};

pub(crate) use insert::{insert, tenancy_ref};
pub use query::{Ask, DailyKept};
pub(crate) use query::{count, daily_kept, heads, latest, newest_first};

/// Where a reading came from. The codes stand in stored rows and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A telegram that a collector heard.
    Radio,
    /// A file or another system.
    Import,
    /// Estimated by a named job.
    Estimate,
    /// Typed in by a person.
    Manual,
    /// Sealed anew by the steward for whom it belongs to; it says what the version before it said.
    Resealed,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Radio, Self::Import, Self::Estimate, Self::Manual, Self::Resealed];

    /// The number in stored rows.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Radio => 1,
            Self::Import => 2,
            Self::Estimate => 3,
            Self::Manual => 4,
            Self::Resealed => 5,
        }
    }

    /// Back from the number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }

    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Radio => "radio",
            Self::Import => "import",
            Self::Estimate => "estimate",
            Self::Manual => "manual",
            Self::Resealed => "resealed",
        }
    }
}

/// What a reading is worth. The codes stand in stored rows and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quality {
    /// Checked.
    Validated,
    /// Estimated.
    Estimated,
    /// Changed by a person.
    Edited,
    /// Doubtful.
    Suspect,
    /// No MAC covers it, or nothing shows that it is fresh.
    Unauthenticated,
}

impl Quality {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Validated, Self::Estimated, Self::Edited, Self::Suspect, Self::Unauthenticated];

    /// The number in stored rows.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Validated => 1,
            Self::Estimated => 2,
            Self::Edited => 3,
            Self::Suspect => 4,
            Self::Unauthenticated => 5,
        }
    }

    /// Back from the number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|q| q.code() == code)
    }

    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validated => "validated",
            Self::Estimated => "estimated",
            Self::Edited => "edited",
            Self::Suspect => "suspect",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// What stands beside a sealed reading in clear: its place, and how it came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The meter.
    pub meter: MeterId,
    /// Whose reading it is.
    pub tenancy: TenancyId,
    /// Data class.
    pub class: Class,
    /// Month, UTC.
    pub month: Month,
    /// Class daily: the day of the month. Class fine: a running number within meter and month, from 0.
    pub sequence: u32,
    /// 1 is the original.
    pub version: u32,
    /// Day of the month, UTC, 1 to 31.
    pub day: u8,
    /// Where it came from.
    pub source: Source,
    /// What it is worth.
    pub quality: Quality,
    /// The version that replaces this one.
    pub superseded_by: Option<u32>,
    /// The term of the key that sealed it.
    pub term: u32,
}

impl Facts {
    /// What its seal is bound to: an envelope that was put anywhere else does not open.
    #[must_use]
    pub fn place(&self) -> seal::Place {
        let sequence = u64::from(self.sequence);
        seal::Place::reading(self.meter, self.tenancy, self.class, self.month, sequence, self.version)
    }
}

/// A reading from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedReading {
    /// Place and origin.
    pub facts: Facts,
    /// The sealed content.
    pub envelope: Vec<u8>,
}

/// Readings to write: the facts of each, and all envelopes in one piece of memory, so that a commit of
/// thousands of rows costs a few allocations.
#[derive(Debug, Default)]
pub struct NewReadings {
    rows: Vec<(Facts, std::ops::Range<usize>)>,
    bytes: Vec<u8>,
}

impl NewReadings {
    /// Adds one.
    pub fn push(&mut self, facts: Facts, envelope: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(envelope);
        self.rows.push((facts, from..self.bytes.len()));
    }

    /// Adds all of `other`, in its order.
    pub fn append(&mut self, other: &Self) {
        for (facts, range) in &other.rows {
            self.push(*facts, other.bytes.get(range.clone()).unwrap_or_default());
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// None?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each with its envelope.
    pub fn iter(&self) -> impl Iterator<Item = (&Facts, &[u8])> {
        self.rows.iter().map(|(facts, range)| (facts, self.bytes.get(range.clone()).unwrap_or_default()))
    }
}
