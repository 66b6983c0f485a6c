//! Offline verification: holds a whole log, or a span of it, against a signed checkpoint and checkpoints kept from before,
//! and names the first thing that is wrong. One tile and one bundle a level are in memory, whatever the log's size.
//!
//! Checkpoints come in here opened ([`crate::open`]): signatures are the caller's first step, not the last.

mod fault;
mod walk;

pub use fault::{Fault, Reason};

use std::ops::Range;

use crate::bundle::{Entries, MAX_ENTRY};
use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, leaf_hash};
use crate::proof::{Subtrees, root_at};
use crate::tile::{BundleId, TILE_WIDTH, TileId};
use crate::tree::Tree;
use crate::trusted::{ReadError, TileSource, TrustedTree, fold};

/// Where the tiles and entries of a log come from; the caller's I/O.
pub trait LogSource: TileSource {
    /// The bytes of a bundle of entries.
    ///
    /// # Errors
    /// What the storage says; a bundle that is not there is an error.
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, Self::Error>;
}

impl<S: LogSource + ?Sized> LogSource for &mut S {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, Self::Error> {
        (**self).bundle(id)
    }
}

/// What was held against each other, when nothing was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Entries, each of which hashes to its leaf, or leaves where the entries were not read.
    pub entries: u64,
    /// Checkpoints kept from before that the log goes on from.
    pub kept: usize,
}

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Tiles alone, for a log whose entries are pruned or lie elsewhere.
    Tiles,
    /// Tiles and the entries under them.
    Entries,
    /// Tiles, and the entries from this one on, the first of a bundle: those before were removed as the log's policy of
    /// retention says (C2SP `tlog-tiles`, Pruning).
    EntriesFrom(u64),
}

impl Depth {
    /// Whether a bundle that begins with this entry is read.
    #[must_use]
    pub const fn reads(self, first: u64) -> bool {
        match self {
            Self::Tiles => false,
            Self::Entries => true,
            Self::EntriesFrom(from) => first >= from,
        }
    }
}

/// Verifies a whole log of the size of a checkpoint, and that it goes on from each of the checkpoints kept from before.
///
/// # Errors
/// The first [`Fault`], in the order of the leaves.
pub fn whole<S: LogSource>(
    mut source: S,
    shown: &Checkpoint,
    kept: &[Checkpoint],
    depth: Depth,
) -> Result<Report, Fault<S::Error>> {
    let mut marks = Marks::new(shown, kept)?;
    match TrustedTree::open(&mut source, shown.size(), shown.root()) {
        Ok(mut tree) => {
            let mut grown = Tree::new();
            for index in 0..shown.size().div_ceil(u64::from(TILE_WIDTH)) {
                let leaves = match tile(&mut tree, index, depth) {
                    Ok(leaves) => leaves,
                    Err(fault) => return Err(walk::end(&mut source, fault, shown.size(), depth)),
                };
                for leaf in leaves {
                    marks.pass(&grown)?;
                    // the size was held against the largest that can be
                    let _ = grown.append(leaf);
                }
            }
            marks.pass(&grown)?;
            Ok(Report { entries: shown.size(), kept: marks.passed })
        }
        // without the right edge nothing is proved; what the entries themselves give finds out what is wrong
        Err(error) => Err(walk::through(&mut source, shown, marks, depth, error)),
    }
}

/// Verifies the entries of a span, widened to whole bundles, against a checkpoint.
///
/// # Errors
/// The first [`Fault`] in the span.
pub fn span<S: LogSource>(
    source: S,
    shown: &Checkpoint,
    span: Range<u64>,
    depth: Depth,
) -> Result<Report, Fault<S::Error>> {
    let mut tree = TrustedTree::open(source, shown.size(), shown.root()).map_err(Fault::read)?;
    if span.end > shown.size() || span.start >= span.end {
        return Err(Fault::NoSuchSpan { span, size: shown.size() });
    }
    let width = u64::from(TILE_WIDTH);
    let mut entries = 0;
    for index in span.start / width..span.end.div_ceil(width) {
        entries += tile(&mut tree, index, depth)?.len() as u64;
    }
    Ok(Report { entries, kept: 0 })
}

/// Verifies that a log whose tiles are at hand goes on from an older checkpoint.
///
/// # Errors
/// [`Fault`].
pub fn goes_on<S: TileSource>(
    source: S,
    older: &Checkpoint,
    newer: &Checkpoint,
) -> Result<(), Fault<S::Error>> {
    let marks = Marks::new(newer, std::slice::from_ref(older))?;
    let mut tree = TrustedTree::open(source, newer.size(), newer.root()).map_err(Fault::read)?;
    let root = root_at(&mut tree, older.size()).map_err(Fault::read)?;
    if root == older.root() { Ok(()) } else { Err(marks.fork(older.size())) }
}

/// The signed leaves of a tile, held against the entries where they are to be read.
fn tile<S: LogSource>(
    tree: &mut TrustedTree<S>,
    index: u64,
    depth: Depth,
) -> Result<Vec<Hash>, Fault<S::Error>> {
    let signed = match tree.tile(0, index) {
        Ok(hashes) => hashes.to_vec(),
        Err(ReadError::Forged { id }) if id.level() == 0 && depth.reads(id.first_leaf()) => {
            return Err(behind_forged_tile(tree, id));
        }
        Err(error) => return Err(Fault::read(error)),
    };
    if let Some(id) = BundleId::in_tree(index, tree.size()).filter(|id| depth.reads(id.first())) {
        let shown = leaves(tree.source(), id)?;
        if shown != signed {
            // a bundle that lost its last entry goes on with the first of the next one
            let next = tree.leaf(id.first() + signed.len() as u64).ok();
            return Err(fault::compare(&shown, &signed, next, id.first()));
        }
    }
    Ok(signed)
}

/// A tile of leaves that was not signed: when the entries are the signed ones, they tell which of its hashes is wrong;
/// else the two together tell the first entry that is not as the tile has it.
fn behind_forged_tile<S: LogSource>(tree: &mut TrustedTree<S>, id: TileId) -> Fault<S::Error> {
    let forged = Fault::Tile { id, hash: None };
    let Ok(bundle) = BundleId::new(id.index(), id.width()) else { return forged };
    let shown = match leaves(tree.source(), bundle) {
        Ok(shown) => shown,
        Err(fault) => return fault,
    };
    let full = shown.len() == usize::from(TILE_WIDTH);
    let signed = tree.subtree(8, id.index()).ok();
    if !full || fold(&shown) != signed {
        return Fault::Entry { index: id.first_leaf(), reason: Reason::WithinTile };
    }
    match tree.source().tile(id) {
        Ok(stored) => Fault::Tile { id, hash: fault::first_difference(&stored, &shown) },
        Err(error) => Fault::Unreadable { index: id.first_leaf(), error },
    }
}

/// The hashes of the entries of a bundle as it is shown, whatever their number, but never more than a bundle and one.
fn leaves<S: LogSource>(source: &mut S, id: BundleId) -> Result<Vec<Hash>, Fault<S::Error>> {
    let bytes = source.bundle(id).map_err(|error| Fault::Unreadable { index: id.first(), error })?;
    if bytes.len() > usize::from(TILE_WIDTH) * (MAX_ENTRY + 2) {
        return Err(Fault::Entry { index: id.first(), reason: Reason::Malformed });
    }
    let (mut hashes, mut next) = (Vec::with_capacity(usize::from(id.width())), id.first());
    for entry in Entries::of(&bytes).take(usize::from(TILE_WIDTH) + 1) {
        let entry = entry.map_err(|_| Fault::Entry { index: next, reason: Reason::Malformed })?;
        hashes.push(leaf_hash(entry));
        next += 1;
    }
    Ok(hashes)
}

/// The checkpoints kept from before, passed in the order of their sizes.
struct Marks {
    kept: Vec<(u64, Hash)>,
    passed: usize,
}

impl Marks {
    fn new<E>(shown: &Checkpoint, kept: &[Checkpoint]) -> Result<Self, Fault<E>> {
        let mut sorted = Vec::with_capacity(kept.len());
        for one in kept {
            if one.origin() != shown.origin() {
                return Err(Fault::OtherLog { origin: one.origin().to_owned() });
            }
            sorted.push((one.size(), one.root()));
        }
        sorted.sort_by_key(|(size, _)| *size);
        if let Some((kept, _)) = sorted.last().filter(|(size, _)| *size > shown.size()) {
            return Err(Fault::Shorter { shown: shown.size(), kept: *kept });
        }
        Ok(Self { kept: sorted, passed: 0 })
    }

    /// Holds a tree against the checkpoints of its size.
    fn pass<E>(&mut self, tree: &Tree) -> Result<(), Fault<E>> {
        while let Some((size, root)) = self.kept.get(self.passed).filter(|(size, _)| *size == tree.size()) {
            if tree.root() != *root {
                return Err(self.fork(*size));
            }
            self.passed += 1;
        }
        Ok(())
    }

    /// Another history before a size: the first difference lies after the last checkpoint that was passed.
    fn fork<E>(&self, before: u64) -> Fault<E> {
        Fault::Fork { from: self.last_passed(), before }
    }

    fn last_passed(&self) -> u64 {
        self.passed.checked_sub(1).and_then(|at| self.kept.get(at)).map_or(0, |(size, _)| *size)
    }
}
