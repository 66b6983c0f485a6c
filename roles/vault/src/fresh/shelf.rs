//! What is kept of each of a million meters: in pieces that never move, found by an index of four bytes a meter. A map
//! would keep almost every second place free, at a hundred bytes each.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::MeterNumber;

const A_PIECE: usize = 1024;

/// Something of each meter, by number.
pub(crate) struct Shelf<T> {
    pieces: Vec<Vec<(MeterNumber, T)>>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), index: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

fn place(at: u32) -> (usize, usize) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    (at / A_PIECE, at % A_PIECE)
}

impl<T> Shelf<T> {
    fn at(&self, number: MeterNumber) -> Option<u32> {
        self.at_hash(self.hasher.hash_one(number), number)
    }

    fn at_hash(&self, hash: u64, number: MeterNumber) -> Option<u32> {
        let Self { pieces, index, .. } = self;
        let is = |at: &u32| {
            let (piece, inside) = place(*at);
            pieces.get(piece).and_then(|p| p.get(inside)).is_some_and(|(found, _)| *found == number)
        };
        index.find(hash, is).copied()
    }

    /// Brings what is kept of these meters near, all at the same time: one after the other, each look-up would wait for
    /// memory. `touch` reads what lies behind a pointer; what it gives has no meaning.
    pub(crate) fn warm(&self, numbers: impl Iterator<Item = MeterNumber>, touch: impl Fn(&T) -> u64) {
        let hashes: Vec<(u64, MeterNumber)> = numbers.map(|n| (self.hasher.hash_one(n), n)).collect();
        let found: Vec<u32> =
            hashes.iter().filter_map(|(hash, number)| self.at_hash(*hash, *number)).collect();
        let kept = found.iter().filter_map(|at| self.kept(*at));
        std::hint::black_box(kept.fold(0, |sum, kept| sum ^ touch(kept)));
    }

    fn kept(&self, at: u32) -> Option<&T> {
        let (piece, inside) = place(at);
        self.pieces.get(piece).and_then(|p| p.get(inside)).map(|(_, kept)| kept)
    }

    /// What is kept of a meter.
    pub(crate) fn get(&self, number: MeterNumber) -> Option<&T> {
        self.kept(self.at(number)?)
    }

    /// The same, to change; a new one where there is none. `None` only beyond four billion meters.
    pub(crate) fn entry(&mut self, number: MeterNumber, new: impl FnOnce() -> T) -> Option<&mut T> {
        let at = match self.at(number) {
            Some(at) => at,
            None => self.add(number, new())?,
        };
        let (piece, inside) = place(at);
        self.pieces.get_mut(piece).and_then(|p| p.get_mut(inside)).map(|(_, kept)| kept)
    }

    fn add(&mut self, number: MeterNumber, new: T) -> Option<u32> {
        let at = u32::try_from(self.len()).ok()?;
        if self.pieces.last().is_none_or(|piece| piece.len() == A_PIECE) {
            self.pieces.push(Vec::with_capacity(A_PIECE));
        }
        self.pieces.last_mut()?.push((number, new));
        let Self { pieces, index, hasher } = self;
        let hash = |at: &u32| {
            let (piece, inside) = place(*at);
            let found = pieces.get(piece).and_then(|p| p.get(inside));
            found.map_or(0, |(number, _)| hasher.hash_one(number))
        };
        index.insert_unique(hasher.hash_one(number), at, hash);
        Some(at)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let full = self.pieces.len().saturating_sub(1).saturating_mul(A_PIECE);
        full.saturating_add(self.pieces.last().map_or(0, Vec::len))
    }

    /// So many from a place on, in the order in which they were heard first.
    pub(crate) fn range(&self, from: usize, count: usize) -> impl Iterator<Item = (&MeterNumber, &T)> {
        let pieces = self.pieces.iter().skip(from / A_PIECE).flatten();
        pieces.skip(from % A_PIECE).take(count).map(|(number, kept)| (number, kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_many_meters_is_found_again_and_no_other() {
        let mut shelf = Shelf::<u32>::default();
        let number = |n: u32| {
            let [a, b, c, d] = n.to_le_bytes();
            MeterNumber([1, 2, a, b, c, d])
        };
        for n in 0..5000 {
            assert!(shelf.get(number(n)).is_none());
            *shelf.entry(number(n), || 0).unwrap() = n;
        }
        *shelf.entry(number(7), || 0).unwrap() = 9;
        assert_eq!(shelf.len(), 5000);
        assert!((0..5000).filter(|n| *n != 7).all(|n| shelf.get(number(n)) == Some(&n)));
        assert_eq!(shelf.get(number(7)), Some(&9));
        assert!(shelf.get(number(5000)).is_none());
        assert!(shelf.range(0, 5000).map(|(n, _)| *n).eq((0..5000).map(number)));
        assert!(shelf.range(4090, 20).map(|(n, _)| *n).eq((4090..4110).map(number)));
        assert_eq!(shelf.range(4990, 20).count(), 10);
    }
}
