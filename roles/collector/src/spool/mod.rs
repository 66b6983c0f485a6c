//! The spool: sealed batches on disk, numbered without holes, kept until the core has them and longer.
//!
//! A batch's number is its position in the journal. Batches stay after they were sent and confirmed (a ring),
//! so that the core can ask for them again. Space is given back in whole segments: confirmed batches first,
//! for age or for room; unconfirmed ones only when the spool is full, by the stated policy, and then a [`Gap`]
//! that takes their place says how many telegrams were lost and of when. What was dropped is durable in the
//! state file *before* it is dropped.

mod drop;
mod reserve;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::UtcMillis;
use journal::{Disk, Journal, Options, Position, Reader};
use serde::{Deserialize, Serialize};
use wire::batch::Gap;

use crate::CollectorError;
use crate::batch::Meta;
use reserve::Reserve;
use state::{Hole, State};

/// What gives way when the spool is full of batches that the core has not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// The oldest batches: the newest readings survive a long outage.
    #[default]
    DropOldest,
    /// What is heard while it is full: the oldest readings survive.
    DropNewest,
}

/// The spool's limits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes on disk, at most.
    pub max_bytes: u64,
    /// How long confirmed batches are kept, at most.
    pub keep_ms: i64,
    /// The policy.
    pub when_full: WhenFull,
}

impl Limits {
    fn segment_bytes(&self) -> u64 {
        (self.max_bytes / 16).clamp(16 << 10, 64 << 20)
    }
}

/// Why telegrams were dropped.
pub const SPOOL_FULL: &str = "spool-full";
/// No batch key for longer than the intake could open.
pub const NO_BATCH_KEY: &str = "no-batch-key";
/// A number asked for once more that is no longer in the ring.
pub const NO_LONGER_KEPT: &str = "no-longer-kept";

const MAGIC: [u8; 8] = *b"MKSPOOL1";

/// One number of the spool, for sending.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An encoded `wire::batch::Signed`, a batch or a gap statement.
    Batch(Vec<u8>),
    /// A statement to be signed, standing at this last number.
    Gap(Gap, u64),
}

/// The spool's owner. All calls block.
pub struct Spool {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    limits: Limits,
    journal: Journal,
    state: State,
    dirty: bool,
    /// The number at which the waiting gap's statement was appended; it is durable after the next sync.
    stated: Option<u64>,
    reserve: Reserve,
    torn_bytes: u64,
}

impl Spool {
    /// Opens the spool in a folder; an empty one begins a new epoch.
    ///
    /// # Errors
    /// What the journal finds, or a state file that does not belong to the batches.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, limits: Limits) -> Result<Self, CollectorError> {
        let options = Options {
            segment_bytes: limits.segment_bytes(),
            max_record: u32::try_from(wire::batch::MAX_BATCH_BYTES).unwrap_or(u32::MAX).saturating_add(64),
            start: Position(1),
            ..Options::new(MAGIC)
        };
        let (journal, recovered) = Journal::open(Arc::clone(&disk), dir, options)?;
        let path = dir.join("state");
        let empty = journal.next() == Position(1);
        let state = match State::load(&disk, &path)? {
            // Nothing was ever numbered under an epoch whose journal is empty, but a state that was left behind
            // by another journal must not lend it its epoch.
            _ if empty => {
                let epoch = base::random().map_err(|e| CollectorError::Seal(e.to_string()))?;
                let state = State { epoch: u64::from_le_bytes(epoch), ..State::default() };
                state.store(&disk, &path)?;
                state
            }
            Some(state) => state,
            None => {
                let why =
                    "its file `state` is missing; put it back, or move the folder away to begin a new one";
                return Err(CollectorError::SpoolState { path: dir.to_owned(), why: why.to_owned() });
            }
        };
        let reserve = Reserve::new(Arc::clone(&disk), dir.join("reserve"));
        let mut spool = Self {
            disk,
            dir: dir.to_owned(),
            limits,
            journal,
            state,
            dirty: false,
            stated: None,
            reserve,
            torn_bytes: recovered.torn_bytes,
        };
        // A statement that reached the journal before its place in the state was cleared.
        if spool.state.waiting.as_ref().is_some_and(|w| w.last < spool.journal.next().0) {
            spool.state.waiting = None;
            spool.dirty = true;
        }
        spool.keep_what_is_there()?;
        spool.reserve.take();
        Ok(spool)
    }

    /// The spool's life.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// The number that the next batch gets.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.journal.next().0
    }

    /// The newest durable number; 0 when there is none.
    #[must_use]
    pub const fn newest_seq(&self) -> u64 {
        self.journal.durable().0.saturating_sub(1)
    }

    /// The oldest number whose batch is still there.
    #[must_use]
    pub fn oldest_seq(&self) -> u64 {
        self.journal.first().0
    }

    /// Up to where the core has confirmed, as far as is known.
    #[must_use]
    pub const fn confirmed_seq(&self) -> u64 {
        self.state.confirmed
    }

    /// Bytes on disk.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// Bytes of unsynced writes that opening cut off; 0 after a clean stop.
    #[must_use]
    pub const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Telegrams that found no room and wait to become a statement: it has to be appended, signed, before the
    /// next batch, with [`Self::append_statement`].
    ///
    /// # Errors
    /// When the number that it will get cannot be stored.
    pub fn waiting_gap(&mut self) -> Result<Option<Gap>, CollectorError> {
        let next = self.next_seq();
        if self.is_stated() {
            return Ok(None);
        }
        let Some(waiting) = &mut self.state.waiting else { return Ok(None) };
        let moved = waiting.first != next;
        (waiting.first, waiting.last) = (next, next);
        let statement = waiting.statement(next);
        if moved {
            // Only by the stored number can a statement be recognised that is in the journal already.
            self.store()?;
        }
        Ok(Some(statement))
    }

    /// Appends a batch under the next number. It counts as spooled after the next [`Self::sync`].
    ///
    /// # Errors
    /// What the journal says; after [`journal::JournalError::is_full`], [`Self::relieve`] may help.
    pub fn append(&mut self, signed: &[u8], meta: Meta) -> Result<u64, CollectorError> {
        let Meta { count, from_ms, to_ms } = meta;
        let parts: [&[u8]; 4] = [&count.to_le_bytes(), &from_ms.to_le_bytes(), &to_ms.to_le_bytes(), signed];
        Ok(self.journal.append_parts(&parts)?.0)
    }

    /// Appends the statement of [`Self::waiting_gap`].
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_statement(&mut self, signed: &[u8], meta: Meta) -> Result<u64, CollectorError> {
        let seq = self.append(signed, meta)?;
        self.stated = Some(seq);
        Ok(seq)
    }

    /// Whether the waiting gap's statement is in the journal already.
    fn is_stated(&self) -> bool {
        self.stated.is_some_and(|seq| seq < self.next_seq())
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// What the journal or the state file says.
    pub fn sync(&mut self) -> Result<(), CollectorError> {
        self.journal.sync()?;
        if self.state.waiting.as_ref().is_some_and(|w| w.last < self.journal.durable().0) {
            self.state.waiting = None;
            self.stated = None;
            self.store()?;
        }
        Ok(())
    }

    /// Counts telegrams that cannot be kept, durably: they become a gap statement at the next number.
    ///
    /// # Errors
    /// When the state file cannot be written.
    pub fn skip(&mut self, meta: Meta, reason: &'static str) -> Result<(), CollectorError> {
        if self.is_stated() {
            // What was signed cannot be added to.
            self.sync()?;
        }
        let before = self.state.waiting.clone();
        let next = self.next_seq();
        match &mut self.state.waiting {
            Some(hole) => hole.add(meta),
            None => self.state.waiting = Some(Hole::new(next, meta, reason)),
        }
        let stored = self.store();
        if stored.is_err() {
            self.state.waiting = before;
        }
        stored
    }

    /// The core has confirmed everything up to `seq`. It may be lower than before: a core restored from a backup
    /// has not what it had.
    pub fn confirm(&mut self, seq: u64) {
        let seq = seq.min(self.newest_seq());
        if seq == self.state.confirmed {
            return;
        }
        if seq < self.state.confirmed {
            tracing::warn!(before = self.state.confirmed, now = seq, "the core confirms less than before");
        }
        self.state.confirmed = seq;
        self.state.dropped.retain(|hole| hole.last > seq);
        self.dirty = true;
    }

    /// Stores what changed in memory only; at a clean stop and now and then. Losing it only means to keep more.
    ///
    /// # Errors
    /// When the state file cannot be written.
    pub fn flush(&mut self) -> Result<(), CollectorError> {
        if self.dirty { self.store() } else { Ok(()) }
    }

    /// A handle for reading batches without the spool's lock.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.journal.reader()
    }

    /// What stands at a number that is not in the journal any more.
    #[must_use]
    pub fn in_place_of(&self, seq: u64) -> Option<Item> {
        if seq >= self.oldest_seq() {
            return None;
        }
        if let Some(hole) = self.state.dropped.iter().find(|h| (h.first..=h.last).contains(&seq)) {
            return Some(Item::Gap(hole.statement(seq), hole.last));
        }
        // Confirmed once and dropped since; how many telegrams there were is no longer known here.
        let stated = self.state.dropped.iter().map(|h| h.first).find(|first| *first > seq);
        let end = stated.unwrap_or_else(|| self.oldest_seq()).min(seq.saturating_add(500_000));
        let gap = Gap { first_seq: seq, reason: NO_LONGER_KEPT.to_owned(), ..Gap::default() };
        Some(Item::Gap(gap, end.saturating_sub(1)))
    }

    fn store(&mut self) -> Result<(), CollectorError> {
        let path = self.dir.join("state");
        let stored = match self.state.store(&self.disk, &path) {
            Err(CollectorError::Spool(e)) if e.is_full() && self.reserve.release() => {
                let stored = self.state.store(&self.disk, &path);
                // At once, before batches fill the space: the next time will come.
                self.reserve.take();
                stored
            }
            other => other,
        };
        self.dirty = stored.is_err();
        stored
    }
}

/// Before each batch in the journal: `count u32 | from i64 | to i64`.
const META: usize = 20;

/// Splits a record of the spool's journal; `None` when it is too short to be one.
#[must_use]
pub fn decode_record(record: &[u8]) -> Option<(Meta, &[u8])> {
    let (count, rest) = record.split_first_chunk()?;
    let (from, rest) = rest.split_first_chunk()?;
    let (to, signed) = rest.split_first_chunk()?;
    let meta = Meta {
        count: u32::from_le_bytes(*count),
        from_ms: i64::from_le_bytes(*from),
        to_ms: i64::from_le_bytes(*to),
    };
    Some((meta, signed))
}

/// A wall clock before this moment has not been set since the computer started.
const PLAUSIBLE: UtcMillis = UtcMillis(1_735_689_600_000); // 2025-01-01

#[cfg(test)]
mod tests;
