//! Which batch positions are final, and where in the journal their verdicts stand.

use std::collections::{BTreeMap, BTreeSet};

use base::{BatchPosition, BatchSeq, CollectorId, Epoch};

use crate::codec::{Fields, Malformed, put_varint};

const BLOCK: u64 = 64;

/// Final positions of all collectors.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Finals(BTreeMap<(CollectorId, Epoch), Row>);

/// One epoch's.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    /// All up to here are final; numbers begin at 1.
    up_to: u64,
    /// Final ones above that.
    single: BTreeSet<u64>,
    /// Where the verdicts of 64 neighbouring positions stand.
    blocks: BTreeMap<u64, Block>,
}

/// Journal positions of 64 batches: the difference to `base`, plus one; 0 where nothing stands.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    base: u64,
    offsets: Box<[u32; BLOCK as usize]>,
}

impl Finals {
    pub(crate) fn contains(&self, position: BatchPosition) -> bool {
        let BatchPosition { collector, epoch, seq: BatchSeq(seq) } = position;
        self.0.get(&(collector, epoch)).is_some_and(|row| seq <= row.up_to || row.single.contains(&seq))
    }

    /// Where the verdicts of a final position stand; `None` when they were given up.
    pub(crate) fn record_of(&self, position: BatchPosition) -> Option<u64> {
        let BatchPosition { collector, epoch, seq: BatchSeq(seq) } = position;
        let block = self.0.get(&(collector, epoch))?.blocks.get(&(seq / BLOCK))?;
        let offset = block.offsets.get((seq % BLOCK) as usize)?;
        offset.checked_sub(1).and_then(|offset| block.base.checked_add(u64::from(offset)))
    }

    /// A position is final, and its verdicts stand at `record` of the journal.
    pub(crate) fn insert(&mut self, position: BatchPosition, record: u64) {
        let BatchPosition { collector, epoch, seq: BatchSeq(seq) } = position;
        let row = self.0.entry((collector, epoch)).or_default();
        if seq > row.up_to {
            row.single.insert(seq);
            while row.single.remove(&(row.up_to + 1)) {
                row.up_to += 1;
            }
        }
        let new = || Block { base: record, offsets: Box::new([0; BLOCK as usize]) };
        let block = row.blocks.entry(seq / BLOCK).or_insert_with(new);
        // the journal only grows; records more than four billion apart in one block are not kept track of
        let offset = record.checked_sub(block.base).and_then(|o| u32::try_from(o).ok()?.checked_add(1));
        if let (Some(slot), Some(offset)) = (block.offsets.get_mut((seq % BLOCK) as usize), offset) {
            *slot = offset;
        }
    }

    /// Gives up the places of verdicts that stood before `record`.
    pub(crate) fn forget_before(&mut self, record: u64) {
        for row in self.0.values_mut() {
            row.blocks.retain(|_, block| {
                let mut any = false;
                for offset in block.offsets.iter_mut().filter(|o| **o > 0) {
                    let gone = block.base.saturating_add(u64::from(*offset)) <= record;
                    *offset = if gone { 0 } else { *offset };
                    any |= !gone;
                }
                any
            });
        }
    }

    /// All up to here, one an epoch.
    pub(crate) fn up_to(&self) -> impl Iterator<Item = BatchPosition> {
        self.0.iter().map(|(&(collector, epoch), row)| BatchPosition {
            collector,
            epoch,
            seq: BatchSeq(row.up_to),
        })
    }

    /// Final ones above that.
    pub(crate) fn single(&self) -> impl Iterator<Item = BatchPosition> {
        self.0.iter().flat_map(|(&(collector, epoch), row)| {
            row.single.iter().map(move |seq| BatchPosition { collector, epoch, seq: BatchSeq(*seq) })
        })
    }

    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        put_varint(into, self.0.len() as u64);
        for ((collector, epoch), row) in &self.0 {
            into.extend_from_slice(&collector.0.to_le_bytes());
            into.extend_from_slice(&epoch.0.to_le_bytes());
            put_varint(into, row.up_to);
            put_varint(into, row.single.len() as u64);
            row.single.iter().for_each(|seq| put_varint(into, *seq));
            put_varint(into, row.blocks.len() as u64);
            for (number, block) in &row.blocks {
                put_varint(into, *number);
                put_varint(into, block.base);
                block.offsets.iter().for_each(|offset| put_varint(into, u64::from(*offset)));
            }
        }
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        let mut finals = Self::default();
        for _ in 0..fields.count(14)? {
            let key = (CollectorId(fields.u32()?), Epoch(fields.u64()?));
            let mut row = Row { up_to: fields.varint()?, ..Row::default() };
            for _ in 0..fields.count(1)? {
                row.single.insert(fields.varint()?);
            }
            for _ in 0..fields.count(BLOCK as usize + 2)? {
                let (number, base) = (fields.varint()?, fields.varint()?);
                let mut offsets = Box::new([0; BLOCK as usize]);
                for offset in offsets.iter_mut() {
                    *offset = u32::try_from(fields.varint()?).map_err(|_| Malformed)?;
                }
                row.blocks.insert(number, Block { base, offsets });
            }
            finals.0.insert(key, row);
        }
        Ok(finals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64) -> BatchPosition {
        BatchPosition { collector: CollectorId(3), epoch: Epoch(9), seq: BatchSeq(seq) }
    }

    #[test]
    fn positions_become_final_out_of_order_and_are_found_again() {
        let mut finals = Finals::default();
        for (record, seq) in [(10, 1), (11, 3), (12, 2), (500, 5), (501, 130)] {
            assert!(!finals.contains(at(seq)));
            finals.insert(at(seq), record);
            assert_eq!(finals.record_of(at(seq)), Some(record));
        }
        assert_eq!(finals.up_to().collect::<Vec<_>>(), [at(3)]);
        assert_eq!(finals.single().collect::<Vec<_>>(), [at(5), at(130)]);
        assert!(finals.contains(at(2)) && !finals.contains(at(4)));
        let mut bytes = Vec::new();
        finals.encode(&mut bytes);
        let mut fields = Fields::of(&bytes);
        assert_eq!(Finals::decode(&mut fields).unwrap(), finals);
        fields.end().unwrap();
        for len in 0..bytes.len() {
            assert!(Finals::decode(&mut Fields::of(&bytes[..len])).is_err());
        }
        finals.forget_before(12);
        assert_eq!(finals.record_of(at(3)), None);
        assert_eq!(finals.record_of(at(2)), Some(12));
        finals.forget_before(1000);
        assert!(finals.contains(at(2)) && finals.record_of(at(2)).is_none());
        finals.insert(at(2), 2000);
        assert_eq!(finals.record_of(at(2)), Some(2000));
    }
}
