//! A growing tree by its right edge alone: the roots of its complete subtrees, at most 63 hashes.

use crate::hash::{Hash, empty_root, node_hash};

/// The most leaves that a log can have, as the tools of others count in signed numbers.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// Why a tree does not grow, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The log has [`MAX_SIZE`] leaves.
    #[error("the log is full")]
    Full,
    /// The number of hashes does not fit the number of leaves.
    #[error("a tree of {size} leaves has {} hashes at its right edge, not {given}", size.count_ones())]
    Edge {
        /// Leaves.
        size: u64,
        /// Hashes given.
        given: usize,
    },
}

/// The number of leaves and the roots of the complete subtrees, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    edge: Vec<Hash>,
}

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A stored tree.
    ///
    /// # Errors
    /// [`TreeError`] when the hashes do not fit the size. Whether they are the right ones only the root can tell.
    pub fn from_edge(size: u64, edge: Vec<Hash>) -> Result<Self, TreeError> {
        if size > MAX_SIZE {
            return Err(TreeError::Full);
        }
        if usize::try_from(size.count_ones()) != Ok(edge.len()) {
            return Err(TreeError::Edge { size, given: edge.len() });
        }
        Ok(Self { size, edge })
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    #[must_use]
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// Appends the hash of a leaf.
    ///
    /// # Errors
    /// [`TreeError::Full`].
    pub fn append(&mut self, leaf: Hash) -> Result<(), TreeError> {
        self.append_with(leaf, |_, _, _| ())
    }

    /// Appends the hash of a leaf and tells of each subtree that it completes: height (0 is the leaf), index among the
    /// subtrees of that height, root.
    ///
    /// # Errors
    /// [`TreeError::Full`].
    pub fn append_with(
        &mut self,
        leaf: Hash,
        mut completed: impl FnMut(u32, u64, Hash),
    ) -> Result<(), TreeError> {
        if self.size >= MAX_SIZE {
            return Err(TreeError::Full);
        }
        let (mut hash, mut height) = (leaf, 0);
        completed(0, self.size, hash);
        while self.size >> height & 1 == 1 {
            let Some(left) = self.edge.pop() else { break };
            hash = node_hash(&left, &hash);
            height += 1;
            completed(height, self.size >> height, hash);
        }
        self.edge.push(hash);
        self.size += 1;
        Ok(())
    }

    /// The root over all leaves, from at most 62 hashes.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.edge
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}
