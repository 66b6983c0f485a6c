//! What the spool knows besides its batches: one small file, replaced as a whole.

use std::path::Path;
use std::sync::Arc;

use journal::{Disk, read_whole, write_atomically};
use serde::{Deserialize, Serialize};
use wire::batch::{Gap, MAX_GAP_COUNTS};

use crate::CollectorError;
use crate::batch::Meta;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The spool's life.
    pub(super) epoch: u64,
    /// Everything up to here is committed in the core, as far as it has told.
    pub(super) confirmed: u64,
    /// Batches dropped from the old end before the core confirmed them, ascending, one span after the other.
    pub(super) dropped: Vec<Hole>,
    /// Telegrams that found no room, not yet a statement in the spool: `first == last`, the number that the
    /// statement will get.
    pub(super) waiting: Option<Hole>,
}

/// A span of numbers without batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hole {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) telegrams: u64,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) reason: String,
    /// Telegrams of each number, as long as there are at most `MAX_GAP_COUNTS` numbers.
    pub(super) counts: Vec<u32>,
}

/// Numbers in one span, at most: the core takes no statement about a million of them or more.
const MAX_SPAN: u64 = 500_000;

impl Hole {
    /// Whether another number has room in it.
    pub(super) const fn is_open(&self) -> bool {
        self.last.saturating_sub(self.first) < MAX_SPAN - 1
    }

    pub(super) fn new(at: u64, meta: Meta, reason: &str) -> Self {
        Self {
            first: at,
            last: at,
            telegrams: u64::from(meta.count),
            from_ms: meta.from_ms,
            to_ms: meta.to_ms,
            reason: reason.to_owned(),
            counts: vec![meta.count],
        }
    }

    /// Takes in the number after the last.
    pub(super) fn extend(&mut self, meta: Meta) {
        self.widen(meta);
        self.last = self.last.saturating_add(1);
        let exact = self.counts.len() as u64 == self.last.saturating_sub(self.first);
        if exact && self.counts.len() < MAX_GAP_COUNTS {
            self.counts.push(meta.count);
        } else {
            self.counts.clear();
        }
    }

    /// Gives up the numbers from `end` on, which have `telegrams` telegrams.
    pub(super) fn cut_before(&mut self, end: u64, telegrams: u64) {
        self.last = end.saturating_sub(1);
        self.telegrams = self.telegrams.saturating_sub(telegrams);
        self.counts.truncate(usize::try_from(end.saturating_sub(self.first)).unwrap_or(usize::MAX));
    }

    /// Takes in more telegrams under the same number.
    pub(super) fn add(&mut self, meta: Meta) {
        self.widen(meta);
        self.counts = vec![u32::try_from(self.telegrams).unwrap_or(u32::MAX)];
    }

    fn widen(&mut self, meta: Meta) {
        self.telegrams = self.telegrams.saturating_add(u64::from(meta.count));
        self.from_ms = self.from_ms.min(meta.from_ms);
        self.to_ms = self.to_ms.max(meta.to_ms);
    }

    /// The statement for the numbers from `from` on; it stands at the number of the last.
    pub(super) fn statement(&self, from: u64) -> Gap {
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let whole = Gap {
            first_seq: self.first,
            telegrams: self.telegrams,
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            reason: self.reason.clone(),
            counts: self.counts.clone(),
        };
        match self.counts.get(skipped..).filter(|rest| !rest.is_empty()) {
            Some(rest) => Gap {
                first_seq: from.max(self.first),
                telegrams: rest.iter().map(|n| u64::from(*n)).sum(),
                counts: rest.to_vec(),
                ..whole
            },
            None => whole,
        }
    }
}

/// The largest state file: a hole with all its counts is a hundredth of it.
const MAX_STATE: usize = 4 << 20;

impl State {
    pub(super) fn load(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<Self>, CollectorError> {
        let Some(bytes) = read_whole(disk.as_ref(), path, MAX_STATE)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| CollectorError::SpoolState {
            path: path.to_owned(),
            why: format!("{e}; move the spool's folder away to begin a new one"),
        })
    }

    pub(super) fn store(&self, disk: &Arc<dyn Disk>, path: &Path) -> Result<(), CollectorError> {
        // Integers, texts and lists always have a JSON form.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Ok(write_atomically(disk.as_ref(), path, &bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(count: u32, at: i64) -> Meta {
        Meta { count, from_ms: at, to_ms: at + 5 }
    }

    #[test]
    fn a_statement_counts_only_the_numbers_that_it_covers() {
        let mut hole = Hole::new(10, meta(100, 1000), "spool-full");
        hole.extend(meta(200, 2000));
        hole.extend(meta(300, 3000));
        let whole = hole.statement(10);
        assert_eq!((whole.first_seq, hole.last, whole.telegrams), (10, 12, 600));
        assert_eq!((whole.from_ms, whole.to_ms), (1000, 3005));
        let rest = hole.statement(12);
        assert_eq!((rest.first_seq, rest.telegrams, rest.counts.as_slice()), (12, 300, [300].as_slice()));
    }

    #[test]
    fn a_long_hole_keeps_its_sum_and_forgets_its_parts() {
        let mut hole = Hole::new(1, meta(2, 0), "spool-full");
        for _ in 1..10_000 {
            hole.extend(meta(2, 0));
        }
        assert!(hole.is_open());
        assert!(!Hole { last: MAX_SPAN, ..hole.clone() }.is_open());
        let statement = hole.statement(500);
        assert_eq!((statement.first_seq, hole.last, statement.telegrams), (1, 10_000, 20_000));
        assert!(statement.counts.is_empty());
    }
}
