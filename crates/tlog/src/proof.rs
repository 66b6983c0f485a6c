//! Inclusion and consistency: made from tiles that are proved, checked as RFC 9162 2.1.3.2 and 2.1.4.2 have it.

use crate::hash::{Hash, empty_root, node_hash};
use crate::tree::MAX_SIZE;

/// The most hashes of a proof.
pub const MAX_PROOF: usize = 63;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not whole hashes, or more than [`MAX_PROOF`].
    #[error("a proof has at most 63 hashes of 32 bytes")]
    Bytes,
    /// The index lies beyond the tree, or the older tree is the larger one.
    #[error("no tree has such indexes and sizes")]
    Range,
    /// Too many or too few hashes for index and sizes.
    #[error("the proof has not the number of hashes that index and sizes call for")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Reads the hashes of a proof.
///
/// # Errors
/// [`ProofError::Bytes`].
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Hash>, ProofError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.len() > MAX_PROOF || !rest.is_empty() {
        return Err(ProofError::Bytes);
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// The hashes of a proof one after the other.
#[must_use]
pub fn to_bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

/// Checks that a leaf stands at an index of a tree.
///
/// # Errors
/// [`ProofError`].
pub fn check_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if size > MAX_SIZE || index >= size {
        return Err(ProofError::Range);
    }
    let (mut place, mut last, mut found) = (index, size - 1, leaf);
    for hash in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place & 1 == 1 || place == last {
            found = node_hash(hash, &found);
            climb(&mut place, &mut last);
        } else {
            found = node_hash(&found, hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if found == root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that a tree goes on from an older one: nothing of it was changed or taken away. Everything goes on from the
/// tree without leaves, and a tree from itself, both by an empty proof.
///
/// # Errors
/// [`ProofError`].
pub fn check_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new || new > MAX_SIZE {
        return Err(ProofError::Range);
    }
    if old == new || old == 0 {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        let expected = if old == 0 { empty_root() } else { new_root };
        let empty_is_empty = new != 0 || new_root == empty_root();
        return if old_root == expected && empty_is_empty { Ok(()) } else { Err(ProofError::Root) };
    }
    // an older tree of a power of two is itself the first hash
    let mut rest = proof.iter();
    let first = if old.is_power_of_two() { old_root } else { *rest.next().ok_or(ProofError::Length)? };
    let shift = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut before, mut now) = (first, first);
    for hash in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place & 1 == 1 || place == last {
            before = node_hash(hash, &before);
            now = node_hash(hash, &now);
            climb(&mut place, &mut last);
        } else {
            now = node_hash(&now, hash);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if before == old_root && now == new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// Passes the levels on which a last subtree has no sibling.
fn climb(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        (*place, *last) = (*place >> 1, *last >> 1);
    }
}

/// A tree whose complete subtrees can be asked for.
pub trait Subtrees {
    /// Why one cannot be had.
    type Error;

    /// Leaves of the tree.
    fn size(&self) -> u64;

    /// The root of the complete subtree of `2^height` leaves that is the `index`-th of its height.
    ///
    /// # Errors
    /// That it cannot be had.
    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;

    /// The error for what lies beyond the tree.
    fn beyond(&self, asked: u64) -> Self::Error;
}

/// The proof that the leaf at an index is in the tree as it was at a size.
///
/// # Errors
/// What the tree says.
pub fn inclusion<T: Subtrees>(tree: &mut T, index: u64, size: u64) -> Result<Vec<Hash>, T::Error> {
    if size > tree.size() || index >= size {
        return Err(tree.beyond(index.max(size)));
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range_root(tree, middle, to)?);
            to = middle;
        } else {
            proof.push(range_root(tree, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree at a size goes on from the tree at an older size.
///
/// # Errors
/// What the tree says.
pub fn consistency<T: Subtrees>(tree: &mut T, old: u64, new: u64) -> Result<Vec<Hash>, T::Error> {
    if new > tree.size() || old > new {
        return Err(tree.beyond(old.max(new)));
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut from, mut to, mut proof, mut whole) = (0, new, Vec::new(), true);
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range_root(tree, middle, to)?);
            to = middle;
        } else {
            proof.push(range_root(tree, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(range_root(tree, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree as it was at a size.
///
/// # Errors
/// What the tree says.
pub fn root_at<T: Subtrees>(tree: &mut T, size: u64) -> Result<Hash, T::Error> {
    if size > tree.size() {
        return Err(tree.beyond(size));
    }
    if size == 0 { Ok(empty_root()) } else { range_root(tree, 0, size) }
}

/// The largest power of two below a number of leaves, where RFC 6962 splits a tree.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root over the leaves from one index to another, which begin where a subtree as large as them does.
fn range_root<T: Subtrees>(tree: &mut T, from: u64, to: u64) -> Result<Hash, T::Error> {
    let (mut roots, mut at) = (Vec::new(), from);
    while let Some(height) = to.saturating_sub(at).checked_ilog2() {
        roots.push(tree.subtree(height, at >> height)?);
        at += 1 << height;
    }
    let root = roots.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
    root.ok_or_else(|| tree.beyond(to))
}
