//! What can be wrong with a log, and where.

use std::ops::Range;

use crate::hash::Hash;
use crate::tile::TileId;
use crate::trusted::ReadError;

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault<E> {
    /// An entry is not the one that was signed.
    #[error("entry {index} {reason}")]
    Entry {
        /// The first wrong index.
        index: u64,
        /// What happened to it.
        reason: Reason,
    },
    /// A tile is not the one that was signed; with its level, and the entries of a tile of leaves, the hash in it.
    #[error("{} was changed{}", id.path(), hash.map(|h| format!(" at its hash {h}")).unwrap_or_default())]
    Tile {
        /// Which.
        id: TileId,
        /// Which of its hashes, where that can be told.
        hash: Option<u64>,
    },
    /// Something cannot be read: a gap that begins at this entry.
    #[error("from entry {index} on the log cannot be read: {error}")]
    Unreadable {
        /// The first entry that is missing.
        index: u64,
        /// What the storage says.
        error: E,
    },
    /// The tail is gone: entries that were signed, and nothing after them.
    #[error("the log ends before entry {index}, and {size} were signed")]
    Truncated {
        /// The first entry that is missing.
        index: u64,
        /// Leaves of the checkpoint.
        size: u64,
    },
    /// The checkpoint shown has fewer leaves than one kept from before: the tail was cut off and signed anew.
    #[error("the checkpoint shown has {shown} leaves, one kept from before has {kept}")]
    Shorter {
        /// Leaves of the checkpoint shown.
        shown: u64,
        /// Leaves of the one kept.
        kept: u64,
    },
    /// Another history: the log as shown differs from what was signed before.
    #[error("another history: entries from {from} to before {before} are not those that were signed earlier")]
    Fork {
        /// Up to here the checkpoints kept from before agree.
        from: u64,
        /// The size of the one that does not.
        before: u64,
    },
    /// The entries do not give the signed root, and no kept checkpoint tells where they begin to differ.
    #[error("entries from {from} on do not give the signed root of {size} leaves")]
    Root {
        /// Up to here the checkpoints kept from before agree.
        from: u64,
        /// Leaves of the checkpoint.
        size: u64,
    },
    /// A checkpoint kept from before is of another log.
    #[error("a checkpoint kept from before is of the log {origin}")]
    OtherLog {
        /// Which.
        origin: String,
    },
    /// A span that the checkpoint has not.
    #[error("no span from {} to before {} in {size} entries", span.start, span.end)]
    NoSuchSpan {
        /// The span.
        span: Range<u64>,
        /// Leaves of the checkpoint.
        size: u64,
    },
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was changed.
    Changed,
    /// It and another one changed places.
    SwappedWith(u64),
    /// It was left out; the next one stands in its place.
    Dropped,
    /// It was put in.
    Added,
    /// The bundle ends before it.
    Missing,
    /// The bytes of the bundle are no entry there.
    Malformed,
    /// It or one of the 255 after it differs, and the tile that would tell which was changed, too.
    WithinTile,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed => f.write_str("was changed"),
            Self::SwappedWith(other) => write!(f, "changed places with entry {other}"),
            Self::Dropped => f.write_str("was left out"),
            Self::Added => f.write_str("was put in"),
            Self::Missing => f.write_str("is missing: its bundle ends before it"),
            Self::Malformed => f.write_str("cannot be read: the bundle's bytes are no entry there"),
            Self::WithinTile => {
                f.write_str("or one of the 255 after it was changed, and their tile with them")
            }
        }
    }
}

impl<E> Fault<E> {
    /// The first entry that is wrong or in doubt, where the fault is about entries.
    #[must_use]
    pub fn first_index(&self) -> Option<u64> {
        match self {
            Self::Entry { index, .. } | Self::Unreadable { index, .. } | Self::Truncated { index, .. } => {
                Some(*index)
            }
            Self::Tile { id, hash } => {
                Some(id.first_leaf().saturating_add(hash.unwrap_or(0) << (8 * id.level())))
            }
            Self::Fork { from, .. } | Self::Root { from, .. } => Some(*from),
            Self::Shorter { shown, .. } => Some(*shown),
            Self::OtherLog { .. } | Self::NoSuchSpan { .. } => None,
        }
    }

    pub(super) fn read(error: ReadError<E>) -> Self {
        match error {
            ReadError::Source { id, error } => Self::Unreadable { index: id.first_leaf(), error },
            ReadError::Length { id, .. } | ReadError::Forged { id } => Self::Tile { id, hash: None },
            ReadError::Edge { size } | ReadError::Beyond { size, .. } => Self::Root { from: 0, size },
        }
    }
}

/// Names the first difference between the entries shown and the leaves that were signed, which are not the same.
pub(super) fn compare<E>(shown: &[Hash], signed: &[Hash], next: Option<Hash>, first: u64) -> Fault<E> {
    let same = shown.iter().zip(signed).take_while(|(a, b)| a == b).count();
    let at = |i: usize| first + i as u64;
    let reason = match (shown.get(same), signed.get(same)) {
        (None, _) => Reason::Missing,
        (Some(_), None) => Reason::Added,
        (Some(there), Some(here)) => {
            let later = |i: usize| signed.get(i).copied().or(next.filter(|_| i == signed.len()));
            let swapped = (same + 1..signed.len())
                .find(|i| signed.get(*i) == Some(there) && shown.get(*i) == Some(here));
            match swapped {
                Some(other) => Reason::SwappedWith(at(other)),
                None if later(same + 1) == Some(*there) => Reason::Dropped,
                None if shown.get(same + 1) == Some(here) => Reason::Added,
                None => Reason::Changed,
            }
        }
    };
    Fault::Entry { index: at(same), reason }
}

/// Which hash of a stored tile is the first that is not as it should be.
pub(super) fn first_difference(stored: &[u8], right: &[Hash]) -> Option<u64> {
    let stored = stored.as_chunks::<32>().0;
    let same = stored.iter().zip(right).take_while(|(a, b)| **a == b.0).count();
    (same < right.len().max(stored.len())).then_some(same as u64)
}
