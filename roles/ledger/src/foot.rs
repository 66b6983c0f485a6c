//! What is left of entries that were removed: which they were, signed, and the right edge of their tree, which everything after them
//! is proved by.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use grant::retention::Removal;
use journal::{Disk, JournalError, read_whole, write_atomically};
use prost::Message;
use tlog::key::VerifierKey;
use tlog::proof::Subtrees;
use tlog::{Hash, ReadError, TILE_WIDTH, TileId, TileSource, TrustedTree};

use crate::log::LogError;

/// The file, beside the journal's segments.
pub(crate) const FOOT: &str = "foot";
/// A signed note, and a tile of each of eight levels.
const MAX_FOOT: usize = 128 * 1024;
/// Levels of tiles.
const LEVELS: u8 = 8;

/// The right edge of a tree: its partial tile on each level, empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge(Vec<Vec<u8>>);

/// The edge has no such tile.
#[derive(Debug, thiserror::Error)]
#[error("it is not at the edge")]
pub(crate) struct NotThere;

impl Edge {
    /// The edge that a log had at a size, out of what it has come to, together with its root then.
    ///
    /// # Errors
    /// What its tiles say.
    pub(crate) fn of<S: TileSource>(
        tree: &mut TrustedTree<S>,
        size: u64,
    ) -> Result<(Self, Hash), ReadError<S::Error>> {
        let width = u64::from(TILE_WIDTH);
        let tiles = (0..LEVELS).map(|level| {
            let height = u32::from(level) * 8;
            let complete = size >> height;
            let hashes = (complete - complete % width..complete).map(|index| tree.subtree(height, index));
            hashes.collect::<Result<Vec<Hash>, _>>().map(|hashes| hashes.iter().flat_map(|h| h.0).collect())
        });
        let edge = Self(tiles.collect::<Result<_, _>>()?);
        Ok((edge, tlog::proof::root_at(tree, size)?))
    }
}

impl TileSource for &Edge {
    type Error = NotThere;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, NotThere> {
        self.0.get(usize::from(id.level())).filter(|tile| !tile.is_empty()).cloned().ok_or(NotThere)
    }
}

/// As it is stored.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(bytes = "vec", tag = "1")]
    note: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    edge: Vec<Vec<u8>>,
}

/// What a log stands on whose first entries were removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foot {
    /// Which entries those are.
    pub(crate) removal: Removal,
    /// The signed note that says so, as it is published.
    pub(crate) note: Vec<u8>,
    root: Hash,
    edge: Edge,
}

impl Foot {
    pub(crate) fn new(removal: Removal, note: Vec<u8>, root: Hash, edge: Edge) -> Self {
        Self { removal, note, root, edge }
    }

    /// The tree over the removed entries: its right edge, held against what was signed.
    ///
    /// # Errors
    /// When it is not the one that was signed.
    pub(crate) fn tree(&self) -> Result<TrustedTree<&Edge>, ReadError<NotThere>> {
        TrustedTree::open(&self.edge, self.removal.end, self.root)
    }

    /// Reads what is stored; `None` where nothing was removed.
    ///
    /// # Errors
    /// When the disk fails, and for what this log did not sign: nobody else says what was removed.
    pub(crate) fn read(disk: &dyn Disk, folder: &Path, key: &VerifierKey) -> Result<Option<Self>, LogError> {
        let Some(bytes) = read_whole(disk, &folder.join(FOOT), MAX_FOOT)? else { return Ok(None) };
        let broken = |what| LogError::Broken { index: 0, what };
        let Stored { note, edge } = Stored::decode(bytes.as_slice())
            .map_err(|_| broken("what says that it was removed cannot be read"))?;
        let opened = tlog::open(&note, key.name(), std::slice::from_ref(key), &[])
            .map_err(|_| broken("what says that it was removed is not signed by this log"))?;
        let removal = Removal::of(&opened.checkpoint)
            .filter(|removal| removal.end > 0 && removal.end.is_multiple_of(u64::from(TILE_WIDTH)))
            .ok_or_else(|| broken("nothing that is signed says that it was removed"))?;
        let foot = Self::new(removal, note, opened.checkpoint.root(), Edge(edge));
        match foot.tree() {
            Ok(_) => Ok(Some(foot)),
            Err(_) => Err(broken("the tree of what was removed is not the one that was signed")),
        }
    }

    /// Stores it, whole or not at all.
    pub(crate) fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), JournalError> {
        let stored = Stored { note: self.note.clone(), edge: self.edge.0.clone() };
        write_atomically(disk, &folder.join(FOOT), &stored.encode_to_vec())
    }
}

/// What the log stands on now; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Footing(Arc<Mutex<Option<Arc<Foot>>>>);

impl Footing {
    pub(crate) fn new(foot: Option<Foot>) -> Self {
        Self(Arc::new(Mutex::new(foot.map(Arc::new))))
    }

    /// `None` where nothing was removed.
    pub(crate) fn now(&self) -> Option<Arc<Foot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, foot: Foot) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(foot));
    }
}
