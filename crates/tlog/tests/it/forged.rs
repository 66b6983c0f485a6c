//! Tiles that were forged. A published reader gave out the hashes of full leaf tiles without holding those tiles
//! against their parents (as in CVE-2026-56865): these are its tests, and more of them.

use tlog::proof::{consistency, inclusion, root_at};
use tlog::{ReadError, TileId, TrustedTree, leaf_hash};

use crate::memory::Log;

#[test]
fn a_leaf_hash_that_was_forged_in_any_full_tile_is_never_given_out() {
    let (log, checkpoint) = Log::of(5000);
    for tile in 0..19u64 {
        for within in [0, 1, 128, 255] {
            let mut memory = log.memory.clone();
            let id = TileId::in_tree(0, tile, 5000).unwrap();
            let bytes = memory.files.get_mut(&id.path()).unwrap();
            bytes[within * 32..within * 32 + 32].copy_from_slice(&leaf_hash(b"forged").0);
            let mut tree = TrustedTree::open(memory, 5000, checkpoint.root()).unwrap();
            let index = tile * 256 + within as u64;
            // the forged one, another one in its tile, and again, as a tile that was refused may not be remembered
            for asked in [index, tile * 256 + 77, index] {
                assert_eq!(tree.leaf(asked), Err(ReadError::Forged { id }), "tile {tile}, hash {within}");
            }
            assert_eq!(inclusion(&mut tree, index, 5000), Err(ReadError::Forged { id }));
            let other = if tile == 0 { 300 } else { 3 };
            assert_eq!(tree.leaf(other).unwrap(), log.leaves()[other as usize], "good tiles are still read");
        }
    }
}

#[test]
fn each_flipped_bit_of_each_tile_is_refused_by_whatever_needs_the_tile() {
    // three levels: 256 full leaf tiles and one hash more on the second level
    let (log, checkpoint) = Log::of(66_000);
    let leaves = log.leaves();
    let paths: Vec<String> =
        log.memory.files.keys().filter(|p| !p.starts_with("tile/entries")).cloned().collect();
    assert!(paths.iter().any(|p| p.starts_with("tile/2/")));
    for path in paths.iter().step_by(9).chain(paths.iter().filter(|p| !p.starts_with("tile/0/"))) {
        let id = TileId::parse(path).unwrap();
        let bits = id.len() * 8;
        for bit in [0, 7, bits / 2, bits - 1] {
            let mut memory = log.memory.clone();
            memory.files.get_mut(path).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let opened = TrustedTree::open(memory, 66_000, checkpoint.root());
            if id.width() < 256 {
                assert_eq!(opened.err(), Some(ReadError::Edge { size: 66_000 }), "{path} bit {bit}");
            } else {
                let mut tree = opened.unwrap();
                assert_eq!(tree.leaf(id.first_leaf()), Err(ReadError::Forged { id }), "{path} bit {bit}");
                let far = id.first_leaf() + (256u64 << (8 * id.level())) - 1;
                assert_eq!(tree.leaf(far), Err(ReadError::Forged { id }), "{path} bit {bit}");
            }
        }
    }
    // and what is not forged is right
    let mut tree = TrustedTree::open(log.memory, 66_000, checkpoint.root()).unwrap();
    for index in (0..66_000).step_by(1009) {
        assert_eq!(tree.leaf(index).unwrap(), leaves[index as usize]);
    }
}

#[test]
fn a_forged_tile_with_a_forged_parent_is_refused_at_the_parent() {
    let (log, checkpoint) = Log::of(70_000);
    let mut memory = log.memory;
    let (leaf, parent) = (TileId::new(0, 3, 256).unwrap(), TileId::new(1, 0, 256).unwrap());
    let mut other = Log::new();
    let mut entries = log.entries;
    entries[3 * 256 + 9] = b"forged".to_vec();
    other.append(entries);
    for id in [leaf, parent] {
        memory.files.insert(id.path(), other.memory.files[&id.path()].clone());
    }
    let mut tree = TrustedTree::open(memory, 70_000, checkpoint.root()).unwrap();
    assert_eq!(tree.leaf(3 * 256 + 9), Err(ReadError::Forged { id: parent }));
    assert_eq!(root_at(&mut tree, 1000), Err(ReadError::Forged { id: parent }));
    assert_eq!(consistency(&mut tree, 1000, 70_000), Err(ReadError::Forged { id: parent }));
}

#[test]
fn tiles_of_another_length_or_missing_ones_are_no_hashes() {
    let (log, checkpoint) = Log::of(600);
    let id = TileId::new(0, 1, 256).unwrap();
    for length in [0, 31, 32, 8191, 8193, 8224] {
        let mut memory = log.memory.clone();
        memory.files.get_mut(&id.path()).unwrap().resize(length, 0);
        let mut tree = TrustedTree::open(memory, 600, checkpoint.root()).unwrap();
        assert_eq!(tree.leaf(256), Err(ReadError::Length { id, given: length }));
    }
    let mut memory = log.memory.clone();
    memory.files.remove(&id.path());
    let mut tree = TrustedTree::open(memory, 600, checkpoint.root()).unwrap();
    assert!(matches!(tree.leaf(256), Err(ReadError::Source { .. })));
    for beyond in [600, 601, u64::MAX] {
        assert!(matches!(tree.leaf(beyond), Err(ReadError::Beyond { .. })), "{beyond}");
    }
    assert!(TrustedTree::open(log.memory, u64::MAX, checkpoint.root()).is_err());
}

#[test]
fn reading_in_order_reads_each_tile_once() {
    let (log, checkpoint) = Log::of(70_000);
    let mut tree = TrustedTree::open(log.memory, 70_000, checkpoint.root()).unwrap();
    let mut asked = 0;
    for index in 0..70_000 {
        tree.leaf(index).unwrap();
        asked = asked.max(index);
    }
    assert_eq!(asked, 69_999);
    let memory = tree.into_source();
    let mut once = memory.asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), memory.asked.len(), "no tile twice");
    assert_eq!(memory.asked.len(), 274 + 2 + 1);
}
