//! What officers decide on erasure and legal holds.

use base::{Class, Month, TenancyId};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::act::{MAX_REASON, text};

/// Tenancies of one hold or erasure, at most.
pub const MAX_ERASED: usize = 1000;
/// Periods of one erasure, at most: twelve years of three classes, and more.
pub const MAX_PERIODS: usize = 500;

/// Readings that are kept for a legal claim (GDPR Art. 17(3)(e), 18(1)(c)).
#[derive(Clone, PartialEq, prost::Message)]
pub struct SetHold {
    /// Whose (16 bytes each), ascending.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tenancies: Vec<Vec<u8>>,
    /// First month, as `base::Month` numbers it.
    #[prost(uint32, tag = "2")]
    pub first: u32,
    /// Last month, inclusive.
    #[prost(uint32, tag = "3")]
    pub last: u32,
    /// Why; no names of customers.
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// A class and month.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, prost::Message)]
pub struct ErasePeriod {
    /// `base::Class::code`.
    #[prost(uint32, tag = "1")]
    pub class: u32,
    /// As `base::Month` numbers it.
    #[prost(uint32, tag = "2")]
    pub month: u32,
}

/// A wish that readings become unreadable for ever.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RequestErasure {
    /// Of these tenancies (16 bytes each), ascending: a person's.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tenancies: Vec<Vec<u8>>,
    /// Of these classes and months, ascending: retention.
    #[prost(message, repeated, tag = "2")]
    pub periods: Vec<ErasePeriod>,
    /// Holds that end, ascending, and with them what was kept for them alone.
    #[prost(uint32, repeated, tag = "3")]
    pub holds: Vec<u32>,
    /// Why; no names of customers.
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// Agreement to an erasure.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApproveErasure {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub erasure: u32,
    /// [`RequestErasure::digest`] of what the officer saw (32 bytes): nothing else is approved.
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
}

/// The end of an erasure that was not approved.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WithdrawErasure {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub erasure: u32,
}

fn are_tenancies(list: &[Vec<u8>]) -> bool {
    let whole = list.iter().all(|id| id.len() == 16);
    whole && list.len() <= MAX_ERASED && list.is_sorted_by(|a, b| a < b)
}

fn ids(list: &[Vec<u8>]) -> Vec<TenancyId> {
    list.iter().filter_map(|id| id.as_slice().try_into().ok()).map(TenancyId).collect()
}

impl SetHold {
    pub(crate) fn wrong_field(&self) -> Option<&'static str> {
        if self.tenancies.is_empty() || !are_tenancies(&self.tenancies) {
            Some("tenancies")
        } else if self.first > self.last {
            Some("last")
        } else {
            (!text(&self.reason, MAX_REASON)).then_some("reason")
        }
    }

    /// Whose.
    #[must_use]
    pub fn tenancy_ids(&self) -> Vec<TenancyId> {
        ids(&self.tenancies)
    }
}

impl RequestErasure {
    pub(crate) fn wrong_field(&self) -> Option<&'static str> {
        let known =
            self.periods.iter().all(|p| u8::try_from(p.class).ok().and_then(Class::from_code).is_some());
        if !are_tenancies(&self.tenancies) {
            Some("tenancies")
        } else if !known || self.periods.len() > MAX_PERIODS || !self.periods.is_sorted_by(|a, b| a < b) {
            Some("periods")
        } else if self.holds.len() > MAX_ERASED || !self.holds.is_sorted_by(|a, b| a < b) {
            Some("holds")
        } else if self.tenancies.is_empty() && self.periods.is_empty() && self.holds.is_empty() {
            Some("tenancies")
        } else {
            (!text(&self.reason, MAX_REASON)).then_some("reason")
        }
    }

    /// SHA-256 of the request as it is encoded: what the second officer agrees to.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode_to_vec()).into()
    }

    /// Whose.
    #[must_use]
    pub fn tenancy_ids(&self) -> Vec<TenancyId> {
        ids(&self.tenancies)
    }

    /// Which classes and months.
    #[must_use]
    pub fn class_months(&self) -> Vec<(Class, Month)> {
        let class = |p: &ErasePeriod| u8::try_from(p.class).ok().and_then(Class::from_code);
        self.periods.iter().filter_map(|p| Some((class(p)?, Month::from_number(p.month)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_an_erasure() {
        let good = RequestErasure {
            tenancies: vec![vec![1; 16], vec![2; 16]],
            periods: vec![ErasePeriod { class: 1, month: 24_000 }, ErasePeriod { class: 2, month: 23_000 }],
            holds: vec![1, 4],
            reason: "moved out three years ago".to_owned(),
        };
        assert_eq!(good.wrong_field(), None);
        let wrong = |change: fn(&mut RequestErasure)| {
            let mut wish = good.clone();
            change(&mut wish);
            assert_ne!(wish.digest(), good.digest());
            wish.wrong_field().unwrap()
        };
        assert_eq!(wrong(|w| w.tenancies.swap(0, 1)), "tenancies");
        assert_eq!(wrong(|w| w.tenancies[0] = vec![1; 15]), "tenancies");
        assert_eq!(wrong(|w| w.periods.swap(0, 1)), "periods");
        assert_eq!(wrong(|w| w.periods[1].class = 77), "periods");
        assert_eq!(wrong(|w| w.holds = vec![4, 4]), "holds");
        assert_eq!(wrong(|w| w.reason = " ".to_owned()), "reason");
        assert_eq!(
            RequestErasure { reason: "x".into(), ..Default::default() }.wrong_field(),
            Some("tenancies")
        );
        let hold = SetHold { tenancies: vec![vec![1; 16]], first: 5, last: 4, reason: "case".into() };
        assert_eq!(hold.wrong_field(), Some("last"));
    }
}
