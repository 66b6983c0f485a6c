//! Reading a tree's hashes from tiles that nobody has to be trusted for.
//!
//! The tiles at the right edge, one a level at most, are read first: together they hold exactly the subtrees that make
//! the root, each of their hashes goes into it, and none is used before it comes out as signed. Every other tile is a
//! full one, and its root is a hash in a tile one level up. So each tile is held against the one above it, and that
//! against the next, up to the edge. There is no list of tiles to check that could be shorter than the list of tiles
//! that are used, which is how a published reader came to accept forged ones.

use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::Subtrees;
use crate::tile::{LEVELS, TileId};
use crate::tree::{MAX_SIZE, Tree, TreeError};

/// Where tiles come from; the caller's I/O. It gives exactly the tile that is asked for: where only the full one is
/// left of a partial one, its first hashes.
pub trait TileSource {
    /// Why a tile cannot be read.
    type Error;

    /// The bytes of a tile.
    ///
    /// # Errors
    /// What the storage says; a tile that is not there is an error.
    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<S: TileSource + ?Sized> TileSource for &mut S {
    type Error = S::Error;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(id)
    }
}

/// Why a hash cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<E> {
    /// The storage does not give a tile.
    #[error("{} cannot be read: {error}", id.path())]
    Source {
        /// Which.
        id: TileId,
        /// Why.
        error: E,
    },
    /// A tile has not as many bytes as its name says.
    #[error("{} has {given} bytes instead of {}", id.path(), id.len())]
    Length {
        /// Which.
        id: TileId,
        /// Bytes it has.
        given: usize,
    },
    /// A tile is not the one that the checkpoint was signed over.
    #[error("{} is not what was signed: its leaves begin at {}", id.path(), id.first_leaf())]
    Forged {
        /// Which.
        id: TileId,
    },
    /// The tiles at the right edge do not give the signed root: one of them was changed, or the checkpoint is of another
    /// log.
    #[error("the tiles at the right edge of {size} leaves do not give the signed root")]
    Edge {
        /// Leaves of the checkpoint.
        size: u64,
    },
    /// Something beyond the checkpoint's size is asked for.
    #[error("{asked} is beyond the {size} leaves of the checkpoint")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// Leaves of the checkpoint.
        size: u64,
    },
}

/// A tree of a signed size and root, read from tiles that are proved to belong to it.
#[derive(Debug)]
pub struct TrustedTree<S> {
    source: S,
    size: u64,
    root: Hash,
    /// Hashes of the partial tile of each level; empty where the level has none.
    edge: [Vec<Hash>; LEVELS as usize],
    /// The last full tile read on each level: enough for reading in order.
    last: [Option<(u64, Vec<Hash>)>; LEVELS as usize],
}

impl<S: TileSource> TrustedTree<S> {
    /// Reads the tiles at the right edge and holds them against the signed root.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(mut source: S, size: u64, root: Hash) -> Result<Self, ReadError<S::Error>> {
        if size > MAX_SIZE {
            return Err(ReadError::Beyond { asked: size, size: MAX_SIZE });
        }
        let mut edge: [Vec<Hash>; LEVELS as usize] = Default::default();
        for (level, hashes) in (0..LEVELS).zip(edge.iter_mut()) {
            let index = (size >> (8 * level)) / 256;
            if let Some(id) = TileId::in_tree(level, index, size) {
                *hashes = read(&mut source, id)?;
            }
        }
        // from the smallest subtree at the right to the largest at the left
        let found = edge
            .iter()
            .flat_map(|hashes| subtrees(hashes).into_iter().rev())
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root);
        if found != root {
            return Err(ReadError::Edge { size });
        }
        Ok(Self { source, size, root, edge, last: Default::default() })
    }

    /// Leaves of the checkpoint.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The signed root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The tree's right edge, to append to.
    ///
    /// # Errors
    /// Never, as the edge was read for this size.
    pub fn tree(&self) -> Result<Tree, TreeError> {
        let edge = self.edge.iter().rev().flat_map(|hashes| subtrees(hashes)).collect();
        Tree::from_edge(self.size, edge)
    }

    /// The hashes of the partial tile of a level; empty where there is none.
    pub(crate) fn partial(&self, level: u8) -> &[Hash] {
        self.edge.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Gives back where the tiles came from.
    #[must_use]
    pub fn into_source(self) -> S {
        self.source
    }

    /// Where the tiles come from, for what lies beside them.
    pub(crate) fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The hashes of a tile as it is in this tree, full or partial.
    ///
    /// # Errors
    /// [`ReadError`]; a tile that is not proved to belong to the tree is one.
    pub fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], ReadError<S::Error>> {
        let Some(id) = TileId::in_tree(level, index, self.size) else {
            return Err(ReadError::Beyond { asked: index, size: self.size });
        };
        let at = usize::from(level);
        if id.width() < crate::tile::TILE_WIDTH {
            return Ok(self.partial(level));
        }
        if self.last.get(at).and_then(Option::as_ref).is_none_or(|(read, _)| *read != index) {
            let hashes = read(&mut self.source, id)?;
            // the level above holds this tile's root, and is itself proved before it is used
            let signed = self.tile(level + 1, index / 256)?.get(usize::from(index as u8)).copied();
            if signed.is_none() || fold(&hashes) != signed {
                return Err(ReadError::Forged { id });
            }
            if let Some(slot) = self.last.get_mut(at) {
                *slot = Some((index, hashes));
            }
        }
        Ok(self.last.get(at).and_then(Option::as_ref).map_or(&[], |(_, hashes)| hashes.as_slice()))
    }

    /// The hash of a leaf.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn leaf(&mut self, index: u64) -> Result<Hash, ReadError<S::Error>> {
        self.subtree(0, index)
    }
}

impl<S: TileSource> Subtrees for TrustedTree<S> {
    type Error = ReadError<S::Error>;

    fn size(&self) -> u64 {
        self.size
    }

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
        let beyond = ReadError::Beyond { asked: index, size: self.size };
        if height >= 63 || index >= self.size >> height {
            return Err(beyond);
        }
        let (level, within) = ((height / 8) as u8, height % 8);
        let tile = index >> (8 - within);
        let from = usize::from((index << within) as u8);
        let hashes = self.tile(level, tile)?;
        hashes.get(from..from + (1 << within)).and_then(fold).ok_or(beyond)
    }

    fn beyond(&self, asked: u64) -> Self::Error {
        ReadError::Beyond { asked, size: self.size }
    }
}

fn read<S: TileSource>(source: &mut S, id: TileId) -> Result<Vec<Hash>, ReadError<S::Error>> {
    let bytes = source.tile(id).map_err(|error| ReadError::Source { id, error })?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.len() != usize::from(id.width()) || !rest.is_empty() {
        return Err(ReadError::Length { id, given: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// The root over a power of two of hashes; `None` for none.
pub(crate) fn fold(hashes: &[Hash]) -> Option<Hash> {
    if hashes.len() <= 1 {
        return hashes.first().copied();
    }
    let mut row: Vec<Hash> = hashes.as_chunks::<2>().0.iter().map(|[l, r]| node_hash(l, r)).collect();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[l, r]| node_hash(l, r)).collect();
    }
    row.first().copied()
}

/// The roots of the complete subtrees within a partial tile, largest first.
fn subtrees(hashes: &[Hash]) -> Vec<Hash> {
    let (mut roots, mut rest) = (Vec::new(), hashes);
    while let Some(size) = rest.len().checked_ilog2().map(|log| 1 << log) {
        let (subtree, right) = rest.split_at(size);
        roots.extend(fold(subtree));
        rest = right;
    }
    roots
}
