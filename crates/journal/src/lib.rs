//! Append-only segments that survive SIGKILL and a power cut: the spool of the collector, the queue of the
//! gateway, the log of the ledger, the changes of the vault.
//!
//! A [`Journal`] is a folder of segment files. [`Journal::append`] numbers a record, [`Journal::sync`] makes all
//! records so far durable, and only then can they be read: *what can be read cannot be lost any more*. One owner
//! writes; any number of [`Reader`]s follow. All calls block, so async callers use a thread of their own.
//!
//! What recovery promises ([`Journal::open`]):
//! - every record that was synced is there, unchanged;
//! - the torn rest of what was never synced is cut off, and its size is reported;
//! - anything else that is not as it was written is [`JournalError::Damaged`] with file and offset: good records
//!   behind damage are never dropped silently.
//!
//! It can tell the two apart because each record states how many records before it were durable when it was
//! written. Damage to the very last sync group, with nothing written after it, looks like a torn write and is
//! reported as one. After a failed write or sync the journal refuses to go on until it is opened again.

mod atomic;
mod disk;
mod error;
pub mod faulty;
mod format;
mod journal;
mod read;
mod recover;
mod shared;

pub use atomic::{read_whole, write_atomically, write_atomically_in_parts};
pub use disk::{Disk, DiskFile, DiskLock, Open, RealDisk};
pub use error::JournalError;
pub use format::RECORD_OVERHEAD;
pub use journal::{Journal, Options, Recovered};
pub use read::{Reader, Records};

use std::fmt;

/// The number of a record in its journal; the first is 0. Numbers are never used twice for durable records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
