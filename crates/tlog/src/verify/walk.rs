//! When the tiles at the right edge do not give the signed root, nothing in the log is proved by it. The leaves, as they
//! are shown, still tell whether it is the edge that was changed, where they end, and up to which kept checkpoint they are
//! the old ones.

use super::fault::{Fault, first_difference};
use super::{Depth, LogSource, Marks, leaves};
use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::tile::{BundleId, TILE_WIDTH, TileId};
use crate::trusted::ReadError;
use crate::writer::Writer;

/// Finds out why the right edge does not fit.
pub(super) fn through<S: LogSource>(
    source: &mut S,
    shown: &Checkpoint,
    mut marks: Marks,
    depth: Depth,
    error: ReadError<S::Error>,
) -> Fault<S::Error> {
    let size = shown.size();
    let mut log = Writer::new();
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(id) = BundleId::in_tree(index, size) else { break };
        let hashes = match shown_leaves(source, id, depth) {
            Ok(hashes) => hashes,
            Err(fault) => return end(source, fault, size, depth),
        };
        // one too many is an entry that was put in; it makes another root
        for hash in &hashes {
            if let Err(fork) = marks.pass(log.tree()) {
                return fork;
            }
            let _ = log.append(*hash);
        }
        if hashes.len() < usize::from(id.width()) {
            return end(source, short(id, hashes.len()), size, depth);
        }
        // full tiles are not needed again: only the edge is in question
        log.drop_full();
    }
    if let Err(fork) = marks.pass(log.tree()) {
        return fork;
    }
    if log.tree().size() != size || log.tree().root() != shown.root() {
        return Fault::Root { from: marks.last_passed(), size };
    }
    // the leaves are the signed ones, so one of the edge's tiles is not
    for (id, right) in log.edge() {
        match source.tile(id) {
            Ok(stored) => {
                if let Some(hash) = first_difference(&stored, right) {
                    return Fault::Tile { id, hash: Some(hash) };
                }
                if stored.len() != id.len() {
                    return Fault::Tile { id, hash: None };
                }
            }
            Err(error) => return Fault::Unreadable { index: id.first_leaf(), error },
        }
    }
    Fault::read(error)
}

fn shown_leaves<S: LogSource>(
    source: &mut S,
    id: BundleId,
    depth: Depth,
) -> Result<Vec<Hash>, Fault<S::Error>> {
    if depth.reads(id.first()) {
        return leaves(source, id);
    }
    let id = TileId::new(0, id.index(), id.width()).map_err(|_| Fault::Root { from: 0, size: id.first() })?;
    let bytes = source.tile(id).map_err(|error| Fault::Unreadable { index: id.first_leaf(), error })?;
    Ok(bytes.as_chunks::<32>().0.iter().copied().map(Hash).collect())
}

fn short<E>(id: BundleId, entries: usize) -> Fault<E> {
    Fault::Entry { index: id.first() + entries as u64, reason: super::Reason::Missing }
}

/// Tells a gap from a tail that is gone: after a tail nothing can be read.
pub(super) fn end<S: LogSource>(
    source: &mut S,
    fault: Fault<S::Error>,
    size: u64,
    depth: Depth,
) -> Fault<S::Error> {
    let (Fault::Unreadable { index, .. } | Fault::Entry { index, reason: super::Reason::Missing }) = fault
    else {
        return fault;
    };
    let last = size.saturating_sub(1) / u64::from(TILE_WIDTH);
    let there = |source: &mut S, id| shown_leaves(source, id, depth).is_ok_and(|l| !l.is_empty());
    let is_last = index / u64::from(TILE_WIDTH) == last;
    let goes_on = !is_last && BundleId::in_tree(last, size).is_some_and(|id| there(source, id));
    if goes_on { fault } else { Fault::Truncated { index, size } }
}
