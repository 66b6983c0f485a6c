//! The register as intake needs it: who sent a telegram, and what is kept of whom.

use std::collections::HashMap;

use base::{MeterAddress, MeterId, Resolution, TenancyId, UtcMillis};

/// A meter in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Its id in the register.
    pub id: MeterId,
    /// What is kept of it.
    pub resolution: Resolution,
    /// It sends in clear and has no key.
    pub clear: bool,
    /// Its tenancies of the last weeks, ascending.
    pub tenancies: Vec<Tenancy>,
}

/// From when to when a tenancy holds a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenancy {
    /// The tenancy.
    pub id: TenancyId,
    /// From when, inclusive.
    pub from: UtcMillis,
    /// Until when, exclusive.
    pub until: Option<UtcMillis>,
}

impl Meter {
    /// The tenancy at a moment.
    #[must_use]
    pub fn tenancy_at(&self, at: UtcMillis) -> Option<TenancyId> {
        let held = |t: &&Tenancy| at >= t.from && t.until.is_none_or(|until| at < until);
        self.tenancies.iter().rev().find(held).map(|t| t.id)
    }
}

/// All meters, by address and by slot. A slot is a small number that a meter keeps as long as this process
/// runs, so that what is remembered of it lies in flat lists.
#[derive(Debug, Default)]
pub struct MeterTable {
    version: u64,
    whole: HashMap<[u8; 8], usize>,
    /// Without version and type: those that are registered so.
    short: HashMap<[u8; 6], usize>,
    slots: HashMap<MeterId, usize>,
    meters: Vec<Meter>,
}

/// An answer of the archive that is no list of meters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the archive's list of meters is malformed at meter {0}")]
pub struct BadList(pub u32);

impl MeterTable {
    /// The register's version that it shows; 0 before the first answer.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many meters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meters.len()
    }

    /// None?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meters.is_empty()
    }

    /// The table of a newer version of the register. Meters keep their slots; one that the register no longer
    /// names has no address any more.
    ///
    /// # Errors
    /// When an entry is malformed; then nothing is taken over.
    pub fn updated(
        &self,
        version: u64,
        list: &[wire::archive::Meter],
        default: Resolution,
    ) -> Result<Self, BadList> {
        let mut next = Self {
            version,
            slots: self.slots.clone(),
            meters: self.meters.clone(),
            whole: HashMap::with_capacity(list.len()),
            short: HashMap::new(),
        };
        for entry in list {
            let bad = || BadList(entry.id);
            let meter = read(entry, default).ok_or_else(bad)?;
            let slot = *next.slots.entry(meter.id).or_insert(next.meters.len());
            match next.meters.get_mut(slot) {
                Some(known) => *known = meter,
                None => next.meters.push(meter),
            }
            if let Ok(address) = <[u8; 8]>::try_from(entry.address.as_slice()) {
                next.whole.insert(address, slot);
            } else {
                let number = <[u8; 6]>::try_from(entry.address.as_slice()).map_err(|_| bad())?;
                next.short.insert(number, slot);
            }
        }
        Ok(next)
    }

    /// The slot of an address.
    #[must_use]
    pub fn find(&self, address: &MeterAddress) -> Option<usize> {
        let bytes = address.as_bytes();
        if let Some(slot) = self.whole.get(bytes) {
            return Some(*slot);
        }
        if self.short.is_empty() {
            return None;
        }
        self.short.get(bytes.first_chunk::<6>()?).copied()
    }

    /// The meter of a slot.
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&Meter> {
        self.meters.get(slot)
    }

    /// The slot of a meter.
    #[must_use]
    pub fn slot(&self, id: MeterId) -> Option<usize> {
        self.slots.get(&id).copied()
    }
}

fn read(entry: &wire::archive::Meter, default: Resolution) -> Option<Meter> {
    let resolution = match entry.resolution {
        0 => default,
        code => Resolution::from_code(u8::try_from(code).ok()?)?,
    };
    let mut tenancies = Vec::with_capacity(entry.tenancies.len());
    for span in &entry.tenancies {
        tenancies.push(Tenancy {
            id: TenancyId(span.tenancy.as_slice().try_into().ok()?),
            from: UtcMillis(span.from_ms),
            until: span.until_ms.map(UtcMillis),
        });
    }
    Some(Meter { id: MeterId(entry.id), resolution, clear: entry.clear, tenancies })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u32, address: &[u8]) -> wire::archive::Meter {
        let span = |n: u8, from_ms, until_ms| wire::vault::TenancySpan {
            tenancy: vec![n; 16],
            meter: id,
            from_ms,
            until_ms,
            vacant: false,
        };
        wire::archive::Meter {
            id,
            address: address.to_vec(),
            resolution: 0,
            clear: false,
            tenancies: vec![span(1, 0, Some(100)), span(2, 100, None)],
        }
    }

    fn address(bytes: [u8; 8]) -> MeterAddress {
        MeterAddress::from_link_order(bytes)
    }

    #[test]
    fn meters_are_found_by_whole_and_by_short_address_and_keep_their_slots() {
        let empty = MeterTable::default();
        let first = empty
            .updated(1, &[entry(9, &[1, 2, 3, 4, 5, 6, 7, 8]), entry(4, &[1; 6])], Resolution::All)
            .unwrap();
        let slot = first.find(&address([1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        assert_eq!(first.get(slot).unwrap().id, MeterId(9));
        assert_eq!(first.get(slot).unwrap().resolution, Resolution::All);
        assert_eq!(first.find(&address([1, 2, 3, 4, 5, 6, 7, 9])), None);
        assert!(first.find(&address([1, 1, 1, 1, 1, 1, 7, 9])).is_some());
        let second = first
            .updated(
                2,
                &[entry(1, &[9; 8]), entry(4, &[1; 8]), entry(9, &[1, 2, 3, 4, 5, 6, 7, 8])],
                Resolution::Daily,
            )
            .unwrap();
        assert_eq!(second.slot(MeterId(9)), Some(slot));
        assert_eq!(second.find(&address([1; 8])), first.slot(MeterId(4)));
        assert_eq!(
            second.find(&address([1, 1, 1, 1, 1, 1, 7, 9])),
            None,
            "its version and type are known now"
        );
        assert_eq!((second.len(), second.version()), (3, 2));
    }

    #[test]
    fn tenancies_hold_from_inclusive_to_exclusive() {
        let table = MeterTable::default().updated(1, &[entry(1, &[1; 8])], Resolution::Daily).unwrap();
        let meter = table.get(0).unwrap();
        let at = |ms| meter.tenancy_at(UtcMillis(ms)).map(|t| t.0[0]);
        assert_eq!(
            [at(-1), at(0), at(99), at(100), at(i64::MAX)],
            [None, Some(1), Some(1), Some(2), Some(2)]
        );
    }

    #[test]
    fn a_malformed_list_is_refused() {
        for bad in [entry(5, &[1; 7]), wire::archive::Meter { resolution: 9, ..entry(5, &[1; 8]) }] {
            assert_eq!(MeterTable::default().updated(1, &[bad], Resolution::Daily).unwrap_err(), BadList(5));
        }
    }
}
