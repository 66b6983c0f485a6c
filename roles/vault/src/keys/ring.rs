//! Meter keys in memory: many in one allocation that never moves and is zeroed at the end.

use std::hash::BuildHasher;

use base::MeterId;
use hashbrown::{DefaultHashBuilder, HashTable};
use zeroize::Zeroizing;

use crate::MeterNumber;

const KEYS_A_CHUNK: usize = 256;

/// All telegram keys, by meter. Entries and keys lie in the order of their coming; two indexes of four bytes an entry find
/// them, by number and by key.
#[derive(Default)]
pub(crate) struct KeyRing {
    entries: Vec<Entry>,
    /// Sixteen bytes a key, in pieces of fixed size: one vector would leave copies behind when it grows.
    chunks: Vec<Zeroizing<Vec<u8>>>,
    by_number: HashTable<u32>,
    /// To notice a key that is there twice. The hash has a random key of its own.
    by_key: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    number: MeterNumber,
    meter: MeterId,
    /// With which delivery it came.
    delivery: u32,
}

impl KeyRing {
    fn find(&self, number: MeterNumber) -> Option<(u32, &Entry)> {
        self.find_hash(self.hasher.hash_one(number), number)
    }

    fn find_hash(&self, hash: u64, number: MeterNumber) -> Option<(u32, &Entry)> {
        let is = |at: &u32| self.entry(*at).is_some_and(|entry| entry.number == number);
        let at = *self.by_number.find(hash, is)?;
        self.entry(at).map(|entry| (at, entry))
    }

    /// Brings the keys of these meters near, all at the same time: one after the other, each look-up would wait for memory.
    pub(crate) fn warm(&self, numbers: impl Iterator<Item = MeterNumber>) {
        let hashes: Vec<(u64, MeterNumber)> = numbers.map(|n| (self.hasher.hash_one(n), n)).collect();
        let found = hashes.iter().filter_map(|(hash, number)| self.find_hash(*hash, *number));
        let keys = found.filter_map(|(at, _)| self.key(at));
        // no branch depends on a key
        let read = keys.fold(0, |sum, [first, ..]| sum ^ first);
        std::hint::black_box(read);
    }

    fn entry(&self, at: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(at).ok()?)
    }

    fn key(&self, at: u32) -> Option<&[u8; 16]> {
        let at = usize::try_from(at).ok()?;
        let chunk = self.chunks.get(at / KEYS_A_CHUNK)?;
        chunk.get(at % KEYS_A_CHUNK * 16..).and_then(<[u8]>::first_chunk)
    }

    /// The key of a meter.
    pub(crate) fn get(&self, number: MeterNumber) -> Option<&[u8; 16]> {
        self.key(self.find(number)?.0)
    }

    /// The register's id of a meter whose key is here.
    pub(crate) fn meter(&self, number: MeterNumber) -> Option<MeterId> {
        self.find(number).map(|(_, entry)| entry.meter)
    }

    /// Which other meter has this very key.
    pub(crate) fn owner_of(&self, key: &[u8; 16], but: MeterNumber) -> Option<MeterNumber> {
        let is = |at: &u32| self.key(*at) == Some(key);
        let at = *self.by_key.find(self.hasher.hash_one(key), is)?;
        self.entry(at).map(|entry| entry.number).filter(|owner| *owner != but)
    }

    /// Takes a key in; the meter must have none yet.
    pub(crate) fn insert(&mut self, number: MeterNumber, meter: MeterId, key: &[u8; 16], delivery: u32) {
        let used = self.entries.len();
        if used == self.chunks.len() * KEYS_A_CHUNK {
            self.chunks.push(Zeroizing::new(vec![0; KEYS_A_CHUNK * 16]));
        }
        let place = self.chunks.last_mut().and_then(|c| c.get_mut(used % KEYS_A_CHUNK * 16..));
        let (Some(place), Ok(at)) = (place.and_then(<[u8]>::first_chunk_mut::<16>), u32::try_from(used))
        else {
            return; // four billion keys are more than there are meters
        };
        place.copy_from_slice(key);
        self.entries.push(Entry { number, meter, delivery });
        let Self { entries, chunks, hasher, .. } = self;
        let numbers = |at: &u32| {
            let entry = usize::try_from(*at).ok().and_then(|at| entries.get(at));
            entry.map_or(0, |entry| hasher.hash_one(entry.number))
        };
        self.by_number.insert_unique(hasher.hash_one(number), at, numbers);
        let keys = |at: &u32| {
            let at = usize::try_from(*at).unwrap_or(usize::MAX);
            let chunk = chunks.get(at / KEYS_A_CHUNK);
            let key = chunk.and_then(|c| c.get(at % KEYS_A_CHUNK * 16..)).and_then(<[u8]>::first_chunk::<16>);
            key.map_or(0, |key| hasher.hash_one(key))
        };
        self.by_key.insert_unique(hasher.hash_one(key), at, keys);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = MeterNumber> {
        self.entries.iter().map(|entry| entry.number)
    }

    /// The delivery that a meter's key came with.
    pub(crate) fn delivery_of(&self, number: MeterNumber) -> Option<u32> {
        self.find(number).map(|(_, entry)| entry.delivery)
    }

    /// The meters, each with the delivery that its key came with.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = (MeterNumber, u32)> {
        self.entries.iter().map(|entry| (entry.number, entry.delivery))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_keys_are_found_each_at_its_meter() {
        let mut ring = KeyRing::default();
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
            assert_eq!((ring.meter(number(n)), ring.delivery_of(number(n))), (Some(MeterId(n)), Some(n)));
        }
        assert_eq!(ring.get(number(1000)), None);
        assert_eq!(ring.owner_of(&key(5), number(6)), Some(number(5)));
        assert_eq!(ring.owner_of(&key(5), number(5)), None);
    }
}
