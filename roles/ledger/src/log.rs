//! The log itself: entries in an append-only journal, and the Merkle tree over them in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::UtcMillis;
use bytes::Bytes;
use grant::retention::Removal;
use grant::{Issuer, LogEntry, MAX_ENTRY_BYTES, Signed, entry_bytes};
use journal::{Disk, Journal, JournalError, Options, Position, Reader};
use tlog::key::LogSigner;
use tlog::{Checkpoint, CheckpointError, Hash, Outside, TILE_WIDTH, Tree, TreeError};

use crate::foot::{Edge, Foot, Footing};
use crate::history::History;

const MAGIC: [u8; 8] = *b"MKLEDGR2";
/// An entry and what the journal puts around it.
const MAX_RECORD: u32 = 128 * 1024;
/// A file of the journal begins at least so often, so that what is removed by the month lies in files of its own.
const FILE_MS: i64 = 7 * 24 * 3_600_000;
/// Receipts are made from memory for at least so many of the newest entries; older ones are read from tiles.
pub(crate) const WINDOW: u64 = 1 << 16;

/// Why the log is not opened, or takes no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The journal below.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is stored is not what was stored.
    #[error(
        "the log is broken at entry {index}: {what}; someone changed it, or the disk did: put the folder back \
         from a copy, or keep it as evidence and move it away"
    )]
    Broken {
        /// The first entry that does not fit, as far as it can be told.
        index: u64,
        /// Why.
        what: &'static str,
    },
    /// Entries are gone.
    #[error(
        "the log has {found} entries, and a checkpoint of {published} was published: its end was cut off; put the folder \
         back from a copy, or keep it as evidence and move it away"
    )]
    CutOff {
        /// Entries that are there.
        found: u64,
        /// Entries of the checkpoint.
        published: u64,
    },
    /// No more entries than a log can have, and no checkpoint of a name that is none.
    #[error("the log's tree: {0}")]
    Tree(String),
    /// A thread of the log ended unasked.
    #[error("the log's writer panicked")]
    Panicked,
}

impl From<TreeError> for LogError {
    fn from(error: TreeError) -> Self {
        Self::Tree(error.to_string())
    }
}

impl From<CheckpointError> for LogError {
    fn from(error: CheckpointError) -> Self {
        Self::Tree(error.to_string())
    }
}

/// A clock that goes back less than this is held still; one that goes back further was set, and is believed.
const CLOCK_JITTER_MS: i64 = 5000;

/// The journal's newest file. Files begin with a whole bundle of entries each, so that files and bundles are removed together.
struct Newest {
    first: u64,
    /// When its first entry was taken.
    since: UtcMillis,
    bytes: u64,
}

impl Newest {
    /// Takes an entry that is in it.
    fn take(&mut self, index: u64, at: UtcMillis, bytes: usize) {
        if index == self.first {
            self.since = at;
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

/// The open log. All calls block.
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    journal: Journal,
    newest: Newest,
    segment_bytes: u64,
    issuer: Issuer,
    /// The time of the newest entry.
    last: UtcMillis,
    torn_bytes: u64,
    history: History,
    footing: Footing,
}

/// Where an entry was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its index; the first is 0.
    pub(crate) index: u64,
    /// When the ledger took it.
    pub(crate) at: UtcMillis,
}

impl Log {
    /// Opens the log in a folder, reads all of it, and holds it against the checkpoint that was published last.
    ///
    /// # Errors
    /// [`LogError::Broken`] and [`LogError::CutOff`] when it is not what was published; otherwise what the journal says.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        segment_bytes: u64,
        signer: LogSigner,
        published: Option<&Checkpoint>,
    ) -> Result<Self, LogError> {
        let foot = Foot::read(disk.as_ref(), folder, &signer.verifier())?;
        // where a file ends is decided here, by the entry
        let options = Options { segment_bytes: u64::MAX, max_record: MAX_RECORD, ..Options::new(MAGIC) };
        let (mut journal, recovered) = Journal::open(Arc::clone(&disk), folder, options)?;
        let tree = foot.as_ref().map_or_else(|| Ok(Tree::new()), |foot| standing_on(foot, &mut journal))?;
        if journal.first().0 > tree.size() {
            let what =
                "it and what is before it is not there, and nothing that is signed says that it was removed";
            return Err(LogError::Broken { index: journal.first().0.saturating_sub(1), what });
        }
        let history = if foot.is_some() { History::of_rest() } else { History::default() };
        let from = Position(tree.size());
        let (mut issuer, mut last) = (Issuer::resume(signer, tree, WINDOW), UtcMillis(0));
        let first = journal.segments().last().map_or(0, |(first, _)| first.0);
        let mut newest = Newest { first, since: UtcMillis(0), bytes: 0 };
        let holds = |issuer: &Issuer| match published {
            Some(published) if published.size() == issuer.size() && published.root() != issuer.root() => {
                let what = "it or one before it is not the one whose checkpoint was published";
                Err(LogError::Broken { index: issuer.size().saturating_sub(1), what })
            }
            _ => Ok(()),
        };
        let mut records = journal.read_from(from);
        while let Some(next) = records.next_record() {
            let (position, bytes) = next?;
            let entry = follow(&mut issuer, position, bytes)?;
            last = entry.at;
            if position.0 >= newest.first {
                newest.take(position.0, last, bytes.len());
            }
            history.note(position.0, entry.at, &entry.event);
            holds(&issuer)?;
        }
        if let Some(published) = published.filter(|published| published.size() > issuer.size()) {
            return Err(LogError::CutOff { found: issuer.size(), published: published.size() });
        }
        let (torn_bytes, folder) = (recovered.torn_bytes, folder.to_owned());
        let footing = Footing::new(foot);
        Ok(Self { disk, folder, journal, newest, segment_bytes, issuer, last, torn_bytes, history, footing })
    }

    /// Entries, durable or not.
    #[must_use]
    pub(crate) fn size(&self) -> u64 {
        self.issuer.size()
    }

    /// Reads durable entries while others are written: the position of a record is its index, its bytes are the entry's.
    #[must_use]
    pub(crate) fn reader(&self) -> Reader {
        self.journal.reader()
    }

    /// What the log says of itself.
    #[must_use]
    pub(crate) fn history(&self) -> History {
        self.history.clone()
    }

    /// What is left of entries that were removed.
    #[must_use]
    pub(crate) fn footing(&self) -> Footing {
        self.footing.clone()
    }

    /// Bytes of unsynced writes that a crash had left and opening cut off.
    #[must_use]
    pub(crate) const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Appends one event. It is not durable, and no checkpoint with it may be signed, before [`Self::sync`].
    ///
    /// Times of entries follow their indexes: whoever holds an older receipt against a newer one (the vault
    /// does) must not take the jitter of a clock for a log that was put back.
    ///
    /// # Errors
    /// What the journal says; the log takes nothing more after that.
    pub(crate) fn append(&mut self, event: &Bytes, now: UtcMillis) -> Result<Placed, LogError> {
        let at = if self.last.since(now) < CLOCK_JITTER_MS { now.max(self.last) } else { now };
        self.last = at;
        let entry = entry_bytes(at, event);
        self.begin_file(at)?;
        self.journal.append(&entry)?;
        self.newest.take(self.issuer.size(), at, entry.len());
        let index = self.issuer.append(&entry)?;
        self.history.note(index, at, event);
        Ok(Placed { index, at })
    }

    /// Makes everything so far durable, and signs it.
    ///
    /// # Errors
    /// What the journal says; the log takes nothing more after that.
    pub(crate) fn sync(&mut self) -> Result<Signed, LogError> {
        self.journal.sync()?;
        Ok(self.issuer.sign()?)
    }

    /// Begins a new file of the journal where one is due.
    fn begin_file(&mut self, at: UtcMillis) -> Result<(), LogError> {
        let (next, Newest { first, since, bytes }) = (self.issuer.size(), &self.newest);
        let due = *bytes >= self.segment_bytes || at.since(*since) >= FILE_MS;
        if next > *first && next.is_multiple_of(u64::from(TILE_WIDTH)) && due {
            self.journal.roll()?;
            self.newest = Newest { first: next, since: at, bytes: 0 };
        }
        Ok(())
    }

    /// Removes the entries before [`Removal::end`], which is where a file of the journal begins. `edge` and `root` are those of the
    /// log at that size. What says that they are removed is durable before the first of them is gone.
    ///
    /// # Errors
    /// What the disk says: then some of them may still be there, and are removed when the log is opened again.
    pub(crate) fn remove(&mut self, removal: Removal, edge: Edge, root: Hash) -> Result<Arc<Foot>, LogError> {
        let note = self.issuer.sign_removal(&removal, root)?.note;
        let foot = Foot::new(removal, note, root, edge);
        if foot.tree().is_err() {
            return Err(LogError::Tree(
                "the edge of what is to be removed does not give its root".to_owned(),
            ));
        }
        foot.write(self.disk.as_ref(), &self.folder)?;
        self.history.remove_before(removal.end);
        self.footing.set(foot.clone());
        self.journal.drop_before(Position(removal.end))?;
        Ok(Arc::new(foot))
    }

    /// The inclusion proof of an entry of the newest ones.
    pub(crate) fn inclusion(&mut self, index: u64) -> Result<Bytes, Outside> {
        self.issuer.inclusion(index).map(Bytes::from)
    }

    /// The proof that the log goes on from one of its newest sizes.
    pub(crate) fn consistency(&mut self, since: u64) -> Result<Bytes, Outside> {
        self.issuer.consistency(since).map(Bytes::from)
    }
}

/// The tree of what was removed. Files of it that are still there are removed now.
fn standing_on(foot: &Foot, journal: &mut Journal) -> Result<Tree, LogError> {
    journal.drop_before(Position(foot.removal.end))?;
    let broken = |_| LogError::Broken {
        index: 0,
        what: "the tree of what was removed is not the one that was signed",
    };
    Ok(foot.tree().map_err(broken)?.tree()?)
}

/// Takes a stored entry into the tree. Gives it, or says why it does not follow.
fn follow(issuer: &mut Issuer, position: Position, bytes: &[u8]) -> Result<LogEntry, LogError> {
    let index = issuer.size();
    let broken = |what| LogError::Broken { index, what };
    if position.0 != index {
        return Err(broken("its number is not the next one"));
    }
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err(broken("it is larger than any entry"));
    }
    let entry = LogEntry::decode(bytes).map_err(|_| broken("it cannot be read"))?;
    issuer.append(bytes)?;
    Ok(entry)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
