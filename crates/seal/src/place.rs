//! Places: what a sealed value is bound to, so that it opens nowhere else.

use base::{BatchPosition, Class, MeterId, Month, TenancyId};

/// Where a sealed value belongs. Its canonical bytes are the additional data of the AEAD: a domain label and
/// fields, each with its length before it, so that no two places have the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Vec<u8>);

impl Place {
    /// A place of a domain; the label names project, use and version, as in `meterkeep/reading/1`.
    #[must_use]
    pub fn new(domain: &'static str) -> Self {
        let mut place = Vec::with_capacity(96);
        place.push(b'P');
        Self(place).field(domain.as_bytes())
    }

    /// The place with one more field.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        // eight bytes of length: nothing that fits in memory is ever cut
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A stored reading: the place is logical, so that regrouping rows needs no key.
    #[must_use]
    pub fn reading(
        meter: MeterId,
        tenancy: TenancyId,
        class: Class,
        month: Month,
        sequence: u64,
        version: u32,
    ) -> Self {
        Self::new("meterkeep/reading/1")
            .field(&meter.0.to_le_bytes())
            .field(&tenancy.0)
            .field(&[class.code()])
            .field(&month.number().to_le_bytes())
            .field(&sequence.to_le_bytes())
            .field(&version.to_le_bytes())
    }

    /// A meter's key under the vault's root, by manufacturer (2) and identification number (4) as on the wire:
    /// suppliers do not name version and type. The role is their word for what the key is for.
    #[must_use]
    pub fn meter_key(number: &[u8; 6], role: &str) -> Self {
        Self::new("meterkeep/meter-key/1").field(number).field(role.as_bytes())
    }

    /// A tenancy's root under the vault's root.
    #[must_use]
    pub fn tenancy_root(tenancy: TenancyId) -> Self {
        Self::new("meterkeep/tenancy-root/1").field(&tenancy.0)
    }

    /// The root of a class and month under the vault's root.
    #[must_use]
    pub fn period_root(class: Class, month: Month) -> Self {
        Self::new("meterkeep/period-root/1").field(&[class.code()]).field(&month.number().to_le_bytes())
    }

    /// A raw telegram kept for a while: which one of which batch.
    #[must_use]
    pub fn raw_telegram(position: BatchPosition, index: u32) -> Self {
        Self::new("meterkeep/raw-telegram/1")
            .field(&position.collector.0.to_le_bytes())
            .field(&position.epoch.0.to_le_bytes())
            .field(&position.seq.0.to_le_bytes())
            .field(&index.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_boundary_between_fields_makes_another_place() {
        let a = Place::new("meterkeep/test/1").field(b"ab").field(b"c");
        let b = Place::new("meterkeep/test/1").field(b"a").field(b"bc");
        let c = Place::new("meterkeep/test/1").field(b"abc");
        assert!(a != b && b != c && a != c);
        assert_ne!(Place::new("meterkeep/test/1").field(b""), Place::new("meterkeep/test/1"));
    }
}
