//! Decoys: meters that are not there. Nobody has a reason to touch their keys, and only the vault knows which they are.

use std::collections::BTreeSet;

use base::MeterId;

use super::Content;
use crate::MeterNumber;

/// The decoys.
#[derive(Default)]
pub(crate) struct Decoys(BTreeSet<MeterNumber>);

impl Decoys {
    pub(super) fn insert(&mut self, number: MeterNumber) {
        self.0.insert(number);
    }

    /// Whether there is none, so that the everyday path looks no further.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a number is a decoy's, however it sends.
    pub(crate) fn has(&self, number: MeterNumber) -> bool {
        self.0.contains(&number.plain())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = MeterNumber> {
        self.0.iter().copied()
    }
}

impl Content {
    /// The decoys among meters of the register.
    pub(crate) fn decoys_of(&self, meters: impl Iterator<Item = MeterId>) -> Vec<MeterNumber> {
        if self.decoys.is_empty() {
            return Vec::new();
        }
        let known = |number: MeterNumber| self.keys.meter(number).or_else(|| self.units.meter(number));
        let decoys: Vec<_> = self.decoys.iter().filter_map(|n| Some((n, known(n)?))).collect();
        let asked: BTreeSet<MeterId> = meters.collect();
        decoys.into_iter().filter(|(_, meter)| asked.contains(meter)).map(|(number, _)| number).collect()
    }
}
