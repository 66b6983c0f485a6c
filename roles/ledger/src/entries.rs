//! The entries of the log as they lie in its journal: the truth, which the index only points into.

use base::UtcMillis;
use bytes::Bytes;
use grant::{Event, LogEntry};
use journal::{JournalError, Position, Reader, Records};

/// Bytes that are read at once.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// An entry that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its index in the log, from 0: the number that people and receipts name it by.
    pub(crate) position: u64,
    /// When the ledger took it.
    pub(crate) at: UtcMillis,
    /// The encoded event, byte for byte.
    pub(crate) bytes: Bytes,
    /// What it says.
    pub(crate) event: Event,
}

/// Why an entry is not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryError {
    /// The journal below.
    #[error(transparent)]
    Journal(JournalError),
    /// It was removed when its time was over.
    #[error(
        "entry {position} of the log was removed when its time was over; the first that is kept is entry {first}"
    )]
    Removed {
        /// The entry asked for.
        position: u64,
        /// The first that is there.
        first: u64,
    },
    /// What lies there is no entry.
    #[error("entry {0} of the log cannot be read")]
    Unreadable(u64),
}

impl From<JournalError> for EntryError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Dropped { position, first } => Self::Removed { position, first },
            other => Self::Journal(other),
        }
    }
}

/// Reads entries while the writer goes on. All calls block.
#[derive(Clone)]
pub(crate) struct Entries(Reader);

impl Entries {
    pub(crate) const fn new(reader: Reader) -> Self {
        Self(reader)
    }

    /// What reads them as they lie, for who publishes them.
    pub(crate) fn reader(&self) -> Reader {
        self.0.clone()
    }

    /// How many entries are durable.
    pub(crate) fn durable(&self) -> u64 {
        self.0.durable().0
    }

    /// The first entry that was not removed.
    pub(crate) fn first(&self) -> u64 {
        self.0.first().0
    }

    /// At most `most` entries from a position on, and not many more than [`MAX_BYTES`] of them.
    pub(crate) fn some(&self, from: u64, most: usize) -> Result<Vec<Entry>, EntryError> {
        let mut records = self.0.read_from(Position(from));
        let (mut entries, mut bytes) = (Vec::new(), 0usize);
        while entries.len() < most
            && bytes < MAX_BYTES
            && let Some(entry) = next(&mut records)?
        {
            bytes = bytes.saturating_add(entry.bytes.len());
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The entry at a position.
    pub(crate) fn at(&self, position: u64) -> Result<Entry, EntryError> {
        self.some(position, 1)?.pop().ok_or(EntryError::Unreadable(position))
    }
}

fn next(records: &mut Records) -> Result<Option<Entry>, EntryError> {
    let Some(record) = records.next_record() else { return Ok(None) };
    let (position, bytes) = record?;
    decode(position.0, bytes).map(Some).ok_or(EntryError::Unreadable(position.0))
}

/// An entry from its record.
fn decode(position: u64, bytes: &[u8]) -> Option<Entry> {
    let LogEntry { at, event: bytes } = LogEntry::decode(bytes).ok()?;
    let event = Event::decode(&bytes).ok()?;
    Some(Entry { position, at, bytes: bytes.into(), event })
}
