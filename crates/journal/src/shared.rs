//! What the writer and its readers both see: the segments, and how far they are durable.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, JournalError, Options, format};

/// One segment file, as far as it is durable.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) salt: u64,
    /// Durable length of the file.
    pub(crate) bytes: u64,
    /// Some (position, offset) pairs, so that a reader need not start at the first record.
    pub(crate) marks: Vec<(u64, u64)>,
}

pub(crate) struct State {
    pub(crate) segments: VecDeque<Segment>,
    /// The position after the last durable record.
    pub(crate) durable: u64,
}

pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) state: Mutex<State>,
}

/// Where to start reading for a position.
pub(crate) struct Start {
    pub(crate) first: u64,
    pub(crate) salt: u64,
    pub(crate) position: u64,
    pub(crate) offset: u64,
}

/// How far a segment may be read now.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Up to which byte.
    pub(crate) bytes: u64,
    /// The position after its last record, when no more can come.
    pub(crate) end: Option<u64>,
}

impl Shared {
    /// A panic elsewhere leaves the state whole: it is only ever changed in single steps.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn path(&self, first: u64) -> PathBuf {
        self.dir.join(format::file_name(first))
    }

    /// Where a durable position is; `None` when it is not durable yet.
    pub(crate) fn find(&self, position: u64) -> Result<Option<Start>, JournalError> {
        let state = self.state();
        let first = state.segments.front().map_or(0, |s| s.first);
        if position < first {
            return Err(JournalError::Dropped { position, first });
        }
        if position >= state.durable {
            return Ok(None);
        }
        let after = state.segments.partition_point(|s| s.first <= position);
        let Some(segment) = after.checked_sub(1).and_then(|i| state.segments.get(i)) else { return Ok(None) };
        let (position, offset) = match segment.marks.partition_point(|(p, _)| *p <= position).checked_sub(1) {
            Some(i) => segment.marks.get(i).copied().unwrap_or((segment.first, format::HEADER)),
            None => (segment.first, format::HEADER),
        };
        Ok(Some(Start { first: segment.first, salt: segment.salt, position, offset }))
    }

    /// How far the segment that starts at `first` may be read; `None` when it was dropped.
    pub(crate) fn extent(&self, first: u64) -> Option<Extent> {
        let state = self.state();
        let at = state.segments.partition_point(|s| s.first < first);
        let segment = state.segments.get(at).filter(|s| s.first == first)?;
        let end = state.segments.get(at.saturating_add(1)).map(|next| next.first);
        Some(Extent { bytes: segment.bytes, end })
    }
}
