//! What can go wrong with a journal.

use std::io;
use std::path::{Path, PathBuf};

/// Why a journal could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file layer refused.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Bytes that were durable once are not as they were written.
    #[error(
        "`{path}` is damaged at byte {offset}: {what}; put back a good copy of the file, or move the folder away to give up what it holds"
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A segment file between others is gone, or does not belong to them.
    #[error(
        "`{path}` does not follow the segment before it: records {expected} and on are missing; put the missing file back"
    )]
    Gap {
        /// The segment after the hole.
        path: PathBuf,
        /// The first record that is not there.
        expected: u64,
    },
    /// The file is a journal of another kind or a later version.
    #[error("`{path}` is not a segment of this kind of journal; is this the right folder?")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the folder open.
    #[error("`{path}` is in use by another process; stop it first")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// A record above [`crate::Options::max_record`].
    #[error("a record of {len} bytes is too large; the limit is {max}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The limit.
        max: u32,
    },
    /// A record without bytes, which could not be told from zeroed storage.
    #[error("an empty record cannot be kept")]
    Empty,
    /// The record asked for was dropped to make room.
    #[error("record {position} was dropped; the first one kept is {first}")]
    Dropped {
        /// The record asked for.
        position: u64,
        /// The first one there is.
        first: u64,
    },
    /// An earlier write or sync failed, so that it is unknown what is on the disk.
    #[error("the journal `{path}` stopped after a failed write; open it again")]
    Broken {
        /// Its folder.
        path: PathBuf,
    },
    /// The operating system has no randomness for a new segment.
    #[error("no randomness for a new segment: {0}")]
    Randomness(String),
}

impl JournalError {
    /// What the operating system said of a file, as an error that names the step and the file.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the storage was full (or a quota reached), which dropping old records may cure.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
