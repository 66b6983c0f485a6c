//! The newest part of a log in memory: the proofs that receipts are made of, without reading a tile.

use std::collections::VecDeque;

use crate::hash::Hash;
use crate::proof::{self, Subtrees};
use crate::tree::{Tree, TreeError};

/// A tree that remembers the nodes over its newest leaves. A proof about older ones has to come from tiles.
#[derive(Debug, Clone)]
pub struct Window {
    tree: Tree,
    keep: u64,
    /// For each height the newest complete subtrees, and the index of the first of them that is remembered.
    rows: Vec<(u64, VecDeque<Hash>)>,
}

/// Why a window has no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Outside {
    /// It lies before the window.
    #[error("it is older than what is in memory")]
    Older,
    /// It lies beyond the log.
    #[error("{asked} is beyond the {size} leaves of the log")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// Leaves.
        size: u64,
    },
}

impl Window {
    /// Over a log without leaves, for at least so many of its newest leaves: 64 bytes of memory a leaf.
    #[must_use]
    pub fn new(keep: u64) -> Self {
        Self::resume(Tree::new(), keep)
    }

    /// Goes on with a tree of which only the right edge is there: what lies before it is proved for no entry, and is all that
    /// a proof about what comes after it needs.
    #[must_use]
    pub fn resume(tree: Tree, keep: u64) -> Self {
        let size = tree.size();
        let mut edge = tree.edge().iter().rev().copied();
        // the subtrees of the edge are the siblings at the left of all that is appended
        let rows = (0..u64::BITS - size.leading_zeros()).map(|height| {
            let next = size >> height;
            let last = (next % 2 == 1).then(|| edge.next()).flatten();
            (next - u64::from(last.is_some()), VecDeque::from_iter(last))
        });
        let rows = rows.collect();
        Self { tree, keep, rows }
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
        let (rows, keep) = (&mut self.rows, self.keep);
        self.tree.append_with(leaf, |height, index, hash| {
            let at = height as usize;
            if rows.len() <= at {
                // a row begins with its first subtree, however late that comes
                rows.resize_with(at + 1, || (index, VecDeque::new()));
            }
            let Some((first, row)) = rows.get_mut(at) else { return };
            row.push_back(hash);
            // the subtrees over the newest leaves, the one before them as a sibling, and one cut through
            let wanted = (keep >> height).saturating_add(3);
            while row.len() as u64 > wanted {
                row.pop_front();
                *first += 1;
            }
        })?;
        Ok(index)
    }

    /// The proof that the leaf at an index is in the log as it is.
    ///
    /// # Errors
    /// [`Outside`].
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, Outside> {
        proof::inclusion(self, index, self.tree.size())
    }

    /// The proof that the log as it is goes on from what it was at an older size.
    ///
    /// # Errors
    /// [`Outside`].
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>, Outside> {
        proof::consistency(self, old, self.tree.size())
    }
}

impl Subtrees for Window {
    type Error = Outside;

    fn size(&self) -> u64 {
        self.tree.size()
    }

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Outside> {
        let (first, row) = self.rows.get(height as usize).ok_or(Outside::Older)?;
        let at = index.checked_sub(*first).ok_or(Outside::Older)?;
        let found = usize::try_from(at).ok().and_then(|at| row.get(at)).copied();
        found.ok_or_else(|| self.beyond(index))
    }

    fn beyond(&self, asked: u64) -> Outside {
        Outside::Beyond { asked, size: self.tree.size() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{empty_root, leaf_hash};
    use crate::proof::{check_consistency, check_inclusion};

    fn leaf(n: u64) -> Hash {
        leaf_hash(&n.to_be_bytes())
    }

    #[test]
    fn the_newest_leaves_and_sizes_are_proved_whatever_the_size_and_older_ones_are_named_so() {
        const KEEP: u64 = 20;
        let mut window = Window::new(KEEP);
        let mut roots = vec![empty_root()];
        for n in 0..600 {
            assert_eq!(window.append(leaf(n)), Ok(n));
            let (size, root) = (n + 1, window.tree().root());
            roots.push(root);
            for index in size.saturating_sub(KEEP)..size {
                let proof = window.inclusion(index).unwrap();
                assert_eq!(check_inclusion(leaf(index), index, size, &proof, root), Ok(()));
            }
            for old in size.saturating_sub(KEEP)..=size {
                let proof = window.consistency(old).unwrap();
                let before = roots[old as usize];
                assert_eq!(check_consistency(old, before, size, root, &proof), Ok(()), "{old} {size}");
            }
        }
        assert_eq!(window.inclusion(3), Err(Outside::Older));
        assert_eq!(window.inclusion(600), Err(Outside::Beyond { asked: 600, size: 600 }));
        assert_eq!(window.consistency(601), Err(Outside::Beyond { asked: 601, size: 600 }));
        let remembered: usize = window.rows.iter().map(|(_, row)| row.len()).sum();
        assert!(remembered < 100, "{remembered} nodes are remembered of a window of {KEEP} leaves");
    }

    #[test]
    fn a_window_over_a_bare_edge_proves_all_that_comes_after_it() {
        for foot in [0, 1, 2, 3, 5, 8, 12, 31, 32, 100, 255, 256] {
            let mut whole = Tree::new();
            (0..foot).for_each(|n| whole.append(leaf(n)).unwrap());
            let before = whole.root();
            let mut window = Window::resume(whole, 1000);
            let mut roots = vec![before];
            for n in foot..foot + 300 {
                window.append(leaf(n)).unwrap();
                roots.push(window.tree().root());
            }
            let (size, root) = (foot + 300, window.tree().root());
            for index in foot..size {
                let proof = window.inclusion(index).unwrap();
                assert_eq!(check_inclusion(leaf(index), index, size, &proof, root), Ok(()), "{foot} {index}");
            }
            for (old, before) in (foot..=size).zip(roots) {
                let proof = window.consistency(old).unwrap();
                assert_eq!(check_consistency(old, before, size, root, &proof), Ok(()), "{foot} {old}");
            }
            assert!(
                foot < 2 || window.inclusion(0) == Err(Outside::Older),
                "of what is gone nothing is proved"
            );
        }
    }
}
