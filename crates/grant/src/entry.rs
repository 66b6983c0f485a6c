//! An entry of the log: an event, and when the ledger took it. Its bytes are what a leaf of the log is the hash of.

use base::UtcMillis;
use prost::Message;
use tlog::{Hash, leaf_hash};

use crate::message::EntryBody;
use crate::shape::{MAX_EVENT_BYTES, ShapeError, decode};

/// The longest entry, in bytes: an event and what stands around it. Less than the formats of the log allow.
pub const MAX_ENTRY_BYTES: usize = MAX_EVENT_BYTES + 32;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When the ledger took it.
    pub at: UtcMillis,
    /// The encoded [`crate::Event`], byte for byte as the room recorded it.
    pub event: Vec<u8>,
}

impl LogEntry {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        entry_bytes(self.at, &self.event)
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`ShapeError`]; whether the event in it has a shape is not looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, ShapeError> {
        let body: EntryBody = decode("entry of the log", bytes, MAX_ENTRY_BYTES)?;
        Ok(Self { at: UtcMillis(body.at_ms), event: body.event })
    }
}

/// The bytes of an entry.
#[must_use]
pub fn entry_bytes(at: UtcMillis, event: &[u8]) -> Vec<u8> {
    EntryBody { at_ms: at.0, event: event.to_vec() }.encode_to_vec()
}

/// The leaf of the log that an event makes.
#[must_use]
pub(crate) fn leaf(at: UtcMillis, event: &[u8]) -> Hash {
    leaf_hash(&entry_bytes(at, event))
}
