//! What of all that is heard is kept: the first good telegram of each day, or every one.
//!
//! The days that have their reading are kept in memory, a bitmap a meter and month, and stand in the store as
//! the places of the daily readings, which cannot be taken twice: if the two ever disagree, the store wins.

use std::collections::{BTreeMap, HashMap};

use base::{Month, Resolution, TenancyId};

use crate::slots::Slots;

/// What to keep of a telegram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// As the reading of its day.
    pub daily: bool,
    /// As one of class fine, under this number.
    pub fine: Option<u32>,
}

impl Keep {
    /// Whether nothing is kept.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        !self.daily && self.fine.is_none()
    }
}

/// What is kept already, by month.
#[derive(Debug, Default)]
pub struct Kept {
    months: BTreeMap<Month, OneMonth>,
}

/// One month's. The lists are by slot, a meter's place in the table.
#[derive(Debug, Default)]
struct OneMonth {
    days: Slots<Days>,
    /// Of meters whose tenancy changed in the month: all tenancies but the one in `days`.
    others: HashMap<(usize, TenancyId), u32>,
    next: Slots<u32>,
}

/// Bit d is set when day d has its reading for this tenancy.
#[derive(Debug, Clone, Copy, Default)]
struct Days {
    tenancy: Option<TenancyId>,
    bits: u32,
}

impl Kept {
    /// Whether a month was loaded.
    #[must_use]
    pub fn has(&self, month: Month) -> bool {
        self.months.contains_key(&month)
    }

    /// Begins a month, for what the store holds of it to be put in.
    pub fn begin(&mut self, month: Month) {
        self.months.entry(month).or_default();
    }

    /// Forgets months before `first`.
    pub fn forget_before(&mut self, first: Month) {
        self.months.retain(|month, _| *month >= first);
    }

    /// A day has its daily reading.
    pub fn put_day(&mut self, month: Month, slot: usize, tenancy: TenancyId, day: u8) {
        *self.month(month).bits(slot, tenancy) |= bit(day);
    }

    /// A day has no daily reading after all: it could not be sealed.
    pub fn take_day(&mut self, month: Month, slot: usize, tenancy: TenancyId, day: u8) {
        *self.month(month).bits(slot, tenancy) &= !bit(day);
    }

    /// Class fine goes on from this number.
    pub fn put_next(&mut self, month: Month, slot: usize, next: u32) {
        *self.month(month).next.at(slot) = next;
    }

    /// Decides on a good telegram and remembers the decision.
    pub fn decide(
        &mut self,
        resolution: Resolution,
        month: Month,
        day: u8,
        slot: usize,
        tenancy: TenancyId,
    ) -> Keep {
        let month = self.month(month);
        let bits = month.bits(slot, tenancy);
        let daily = *bits & bit(day) == 0;
        *bits |= bit(day);
        let fine = (resolution == Resolution::All).then(|| {
            let next = month.next.at(slot);
            let number = *next;
            *next = number.saturating_add(1);
            number
        });
        Keep { daily, fine }
    }

    fn month(&mut self, month: Month) -> &mut OneMonth {
        self.months.entry(month).or_default()
    }
}

impl OneMonth {
    fn bits(&mut self, slot: usize, tenancy: TenancyId) -> &mut u32 {
        let days = self.days.at(slot);
        match days.tenancy {
            Some(known) if known == tenancy => &mut days.bits,
            None => {
                days.tenancy = Some(tenancy);
                &mut days.bits
            }
            Some(_) => self.others.entry((slot, tenancy)).or_default(),
        }
    }
}

const fn bit(day: u8) -> u32 {
    1 << (day & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Month = Month::from_number(24_322);
    const ONE: TenancyId = TenancyId([1; 16]);
    const TWO: TenancyId = TenancyId([2; 16]);

    #[test]
    fn the_first_of_each_day_is_kept_and_the_rest_thinned() {
        let mut kept = Kept::default();
        for slot in [0, 7, 3] {
            for day in [1, 2, 31] {
                let first = kept.decide(Resolution::Daily, MONTH, day, slot, ONE);
                assert_eq!(first, Keep { daily: true, fine: None });
                for _ in 0..3 {
                    assert!(kept.decide(Resolution::Daily, MONTH, day, slot, ONE).is_nothing());
                }
            }
        }
        assert!(kept.decide(Resolution::Daily, MONTH.next(), 1, 7, ONE).daily, "another month");
    }

    #[test]
    fn every_one_is_kept_where_the_policy_says_so() {
        let mut kept = Kept::default();
        kept.put_next(MONTH, 2, 40);
        for n in 40..50 {
            let keep = kept.decide(Resolution::All, MONTH, 5, 2, ONE);
            assert_eq!(keep, Keep { daily: n == 40, fine: Some(n) });
        }
        assert_eq!(kept.decide(Resolution::All, MONTH.next(), 1, 2, ONE).fine, Some(0));
    }

    #[test]
    fn who_moves_in_gets_a_reading_of_that_day_too() {
        let mut kept = Kept::default();
        kept.put_day(MONTH, 1, ONE, 5);
        assert!(kept.decide(Resolution::Daily, MONTH, 5, 1, ONE).is_nothing());
        assert!(kept.decide(Resolution::Daily, MONTH, 5, 1, TWO).daily);
        assert!(kept.decide(Resolution::Daily, MONTH, 5, 1, TWO).is_nothing());
        assert!(kept.decide(Resolution::Daily, MONTH, 5, 1, ONE).is_nothing());
        kept.take_day(MONTH, 1, TWO, 5);
        assert!(kept.decide(Resolution::Daily, MONTH, 5, 1, TWO).daily);
    }

    #[test]
    fn months_come_and_go() {
        let mut kept = Kept::default();
        kept.begin(MONTH);
        kept.begin(MONTH.next());
        assert!(kept.has(MONTH) && !kept.has(MONTH.next().next()));
        kept.forget_before(MONTH.next());
        assert!(!kept.has(MONTH) && kept.has(MONTH.next()));
    }
}
