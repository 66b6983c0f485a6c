//! What a utility's own list says of meters, places and customers, taken into the register row by row.
//!
//! All that a part of a list touches is loaded first; each row is then judged in memory, so that a trial writes nothing
//! and says just what the change would do; and what follows from the good rows is written at the end.

mod judge;
mod load;
mod write;

use base::{Area, Resolution, TenancyId, UtcMillis};

pub(super) use judge::is_unplaced;

use super::{Change, Moved, RegisterAddress, Span};
use crate::StoreError;

/// Places that the house named itself, because nobody said where a meter hangs, begin with this word.
pub const UNPLACED: &str = "unplaced";

/// What a row says. What it leaves out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The meter.
    pub address: RegisterAddress,
    /// The reference of the place where it hangs.
    pub place: String,
    /// The place's area.
    pub area: Option<Area>,
    /// The utility's number of who lives there.
    pub customer: Option<String>,
    /// Since when they do.
    pub from: Option<UtcMillis>,
    /// Until when they did, exclusive. Nothing where the list does not say, which contradicts no end.
    pub until: Option<UtcMillis>,
    /// What the meter's policy keeps.
    pub resolution: Option<Resolution>,
    /// Whether it is known to send in clear and has no key.
    pub clear: Option<bool>,
    /// Whether the list says who the customer is.
    pub contact: bool,
}

/// What a row did, or would do: bits, so that an answer about many rows stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Did(pub u32);

impl Did {
    /// The meter is new.
    pub const METER: Self = Self(1);
    /// A meter that had no place has it now.
    pub const PLACED: Self = Self(1 << 1);
    /// The place is new.
    pub const PLACE: Self = Self(1 << 2);
    /// The place's area is set.
    pub const AREA: Self = Self(1 << 3);
    /// The meter's policy is set.
    pub const RESOLUTION: Self = Self(1 << 4);
    /// A tenancy begins.
    pub const BEGAN: Self = Self(1 << 5);
    /// A tenancy ends, with nobody after.
    pub const ENDED: Self = Self(1 << 6);
    /// A tenancy that was there gets its customer.
    pub const CUSTOMER: Self = Self(1 << 7);

    /// Whether a bit of it is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Why a row is refused: which column, what is wrong and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// `meter`, `place`, `area`, `customer`, `from`, `until`, `clear` or `name`.
    pub column: &'static str,
    /// The sentence.
    pub why: String,
}

/// What became of a list.
#[derive(Debug, Default)]
pub struct Imported {
    /// Row by row, in their order.
    pub rows: Vec<Result<Did, BadRow>>,
    /// The tenancies of every meter that something changed for, for the vault. Empty after a trial.
    pub spans: Vec<Span>,
    /// Moves at places that were there already: where they were reported late, [`Change::note_late`] is the caller's.
    pub moves: Vec<Moved>,
    /// Row by row, the tenancy of good ones that say who the customer is. After a trial: the one that it will be.
    pub tenancies: Vec<Option<TenancyId>>,
}

/// What is done with the good rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Nothing: only say what would be.
    Try,
    /// They are taken if no row is bad.
    Whole,
    /// They are taken, and the bad ones are left out.
    SkipBad,
}

impl Change<'_> {
    /// Takes rows into the register. A row is judged after those before it, as if they were done.
    ///
    /// # Errors
    /// When the database fails; what is wrong with rows is in [`Imported::rows`]. More meters than were announced to
    /// [`super::Register::begin`] are [`StoreError::Rule`].
    pub async fn import(
        &mut self,
        entries: &[Entry],
        rows: Rows,
        now: UtcMillis,
    ) -> Result<Imported, StoreError> {
        let mut model = load::load(&mut self.guard, entries).await?;
        let (mut acts, mut judged) = (Vec::new(), Vec::with_capacity(entries.len()));
        for (index, entry) in entries.iter().enumerate() {
            judged.push(model.judge(index, entry, &mut acts));
        }
        let wanted = match rows {
            Rows::Try => false,
            Rows::Whole => judged.iter().all(Result::is_ok),
            Rows::SkipBad => true,
        };
        // as it will be, or, once written, as it is: the ids are the same
        let tenancies = self.tenancies_of_rows(entries, &judged).await?;
        if !wanted {
            return Ok(Imported { rows: judged, tenancies, ..Imported::default() });
        }
        let (spans, moves) = self.write(entries, acts, now).await?;
        let said = entries.iter().filter(|entry| entry.area.is_some()).map(|entry| entry.place.as_str());
        self.zone(said).await?;
        Ok(Imported { rows: judged, spans, moves, tenancies })
    }
}

#[cfg(test)]
mod tests;
