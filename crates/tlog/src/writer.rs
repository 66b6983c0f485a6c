//! Appending, with the tiles that an append changes.

use std::mem;

use crate::hash::Hash;
use crate::tile::{LEVELS, TILE_WIDTH, TileId};
use crate::tree::{Tree, TreeError};
use crate::trusted::{TileSource, TrustedTree};

/// A tree with the unfinished tile of each level: all that a log keeps in memory, 64 kB at most.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    tree: Tree,
    open: [Vec<Hash>; LEVELS as usize],
    full: Vec<(TileId, Vec<u8>)>,
    written: u64,
}

/// What has to be durable before a checkpoint is signed: tiles, and size and root of the tree that they make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// The tiles that are new, with their bytes; partial ones last.
    pub tiles: Vec<(TileId, Vec<u8>)>,
    /// Leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Writer {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on with a log whose right edge was read and proved.
    ///
    /// # Errors
    /// [`TreeError`] never happens for a tree that was opened.
    pub fn resume<S: TileSource>(from: &TrustedTree<S>) -> Result<Self, TreeError> {
        let mut open: [Vec<Hash>; LEVELS as usize] = Default::default();
        for (level, hashes) in (0..LEVELS).zip(open.iter_mut()) {
            *hashes = from.partial(level).to_vec();
        }
        Ok(Self { tree: from.tree()?, open, full: Vec::new(), written: from.size() })
    }

    /// The tree as it is.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Appends the hash of a leaf and gives its index.
    ///
    /// # Errors
    /// [`TreeError::Full`].
    pub fn append(&mut self, leaf: Hash) -> Result<u64, TreeError> {
        let index = self.tree.size();
        let (open, full) = (&mut self.open, &mut self.full);
        self.tree.append_with(leaf, |height, index, hash| {
            let level = height / 8;
            let Some(hashes) = open.get_mut(level as usize).filter(|_| height.is_multiple_of(8)) else {
                return;
            };
            hashes.push(hash);
            if hashes.len() == usize::from(TILE_WIDTH)
                && let Ok(id) = TileId::new(level as u8, index / 256, TILE_WIDTH)
            {
                full.push((id, bytes(&mem::take(hashes))));
            }
        })?;
        Ok(index)
    }

    /// Forgets the full tiles, for a reader that only wants the edge.
    pub(crate) fn drop_full(&mut self) {
        self.full.clear();
    }

    /// The unfinished tile of each level.
    pub(crate) fn edge(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        (0..LEVELS).zip(&self.open).filter_map(|(level, hashes)| {
            let id = TileId::in_tree(level, (self.tree.size() >> (8 * level)) / 256, self.tree.size())?;
            Some((id, hashes.as_slice()))
        })
    }

    /// The tiles that are new since it was last asked, and the tree that they make.
    pub fn grown(&mut self) -> Grown {
        let (old, size) = (mem::replace(&mut self.written, self.tree.size()), self.tree.size());
        let mut tiles = mem::take(&mut self.full);
        for (level, hashes) in (0..LEVELS).zip(&self.open) {
            let (before, now) = (old >> (8 * level), size >> (8 * level));
            if before < now
                && let Some(id) = TileId::in_tree(level, now / 256, size)
            {
                tiles.push((id, bytes(hashes)));
            }
        }
        Grown { tiles, size, root: self.tree.root() }
    }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
