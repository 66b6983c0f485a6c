//! Meter keys in memory: many in one allocation that never moves and is zeroed at the end.

use std::collections::HashMap;

use base::{MeterId, Secret};
use seal::mac;
use zeroize::Zeroizing;

use crate::MeterNumber;

const KEYS_A_CHUNK: usize = 256;

/// All telegram keys, by meter.
pub(crate) struct KeyRing {
    slots: HashMap<MeterNumber, Slot>,
    /// Sixteen bytes a key, in pieces of fixed size: one vector would leave copies behind when it grows.
    chunks: Vec<Zeroizing<Vec<u8>>>,
    used: usize,
    /// Keyed hashes of the keys, to notice one that is there twice.
    owners: HashMap<[u8; 16], MeterNumber>,
    hash_key: Secret<32>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    at: usize,
    meter: MeterId,
    /// With which delivery it came.
    delivery: u32,
}

impl KeyRing {
    pub(crate) fn new(hash_key: Secret<32>) -> Self {
        Self { slots: HashMap::new(), chunks: Vec::new(), used: 0, owners: HashMap::new(), hash_key }
    }

    /// The key of a meter.
    pub(crate) fn get(&self, number: MeterNumber) -> Option<&[u8; 16]> {
        let at = self.slots.get(&number)?.at;
        let chunk = self.chunks.get(at / KEYS_A_CHUNK)?;
        chunk.get(at % KEYS_A_CHUNK * 16..).and_then(<[u8]>::first_chunk)
    }

    /// The register's id of a meter whose key is here.
    pub(crate) fn meter(&self, number: MeterNumber) -> Option<MeterId> {
        self.slots.get(&number).map(|slot| slot.meter)
    }

    /// Which other meter has this very key.
    pub(crate) fn owner_of(&self, key: &[u8; 16], but: MeterNumber) -> Option<MeterNumber> {
        self.owners.get(&self.fingerprint(key)).copied().filter(|owner| *owner != but)
    }

    /// Takes a key in; the meter must have none yet.
    pub(crate) fn insert(&mut self, number: MeterNumber, meter: MeterId, key: &[u8; 16], delivery: u32) {
        if self.used == self.chunks.len() * KEYS_A_CHUNK {
            self.chunks.push(Zeroizing::new(vec![0; KEYS_A_CHUNK * 16]));
        }
        let at = self.used;
        let place = self.chunks.last_mut().and_then(|c| c.get_mut(at % KEYS_A_CHUNK * 16..));
        if let Some(place) = place.and_then(<[u8]>::first_chunk_mut::<16>) {
            place.copy_from_slice(key);
            self.used += 1;
            self.owners.insert(self.fingerprint(key), number);
            self.slots.insert(number, Slot { at, meter, delivery });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = MeterNumber> {
        self.slots.keys().copied()
    }

    /// The delivery that a meter's key came with.
    pub(crate) fn delivery_of(&self, number: MeterNumber) -> Option<u32> {
        self.slots.get(&number).map(|slot| slot.delivery)
    }

    /// The meters, each with the delivery that its key came with.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = (MeterNumber, u32)> {
        self.slots.iter().map(|(number, slot)| (*number, slot.delivery))
    }

    fn fingerprint(&self, key: &[u8; 16]) -> [u8; 16] {
        let code = mac::code(&self.hash_key, key);
        code.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_keys_are_found_each_at_its_meter() {
        let mut ring = KeyRing::new(Secret::new([1; 32]));
        let number = |n: u32| MeterNumber([1, 2, n as u8, (n >> 8) as u8, 0, 0]);
        let key = |n: u32| -> [u8; 16] {
            std::array::from_fn(|i| (n as usize * 7 + i * 13) as u8 ^ (n >> 8) as u8)
        };
        for n in 0..1000 {
            assert_eq!(ring.owner_of(&key(n), number(n)), None, "{n}");
            ring.insert(number(n), MeterId(n), &key(n), n);
        }
        assert_eq!(ring.len(), 1000);
        for n in 0..1000 {
            assert_eq!(ring.get(number(n)), Some(&key(n)));
            assert_eq!(ring.meter(number(n)), Some(MeterId(n)));
        }
        assert_eq!(ring.get(number(1000)), None);
        assert_eq!(ring.owner_of(&key(5), number(6)), Some(number(5)));
        assert_eq!(ring.owner_of(&key(5), number(5)), None);
    }
}
