//! Trees, proofs and tiles against RFC 9162 2.1 written down as it stands, for all small sizes and all pairs of them.

use proptest::prelude::*;
use tlog::proof::{
    check_consistency, check_inclusion, consistency, from_bytes, inclusion, root_at, to_bytes,
};
use tlog::{Hash, TileId, Tree, TrustedTree, Writer, changed_tiles, empty_root, leaf_hash, node_hash};

use crate::memory::{Log, entry};

fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// RFC 9162 2.1.1.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 9162 2.1.3.1.
fn naive_inclusion(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) =
        if m < k { (naive_inclusion(m, left), right) } else { (naive_inclusion(m - k, right), left) };
    path.push(naive_root(other));
    path
}

/// RFC 9162 2.1.4.1.
fn naive_consistency(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if m <= k {
        (naive_consistency(m, left, whole), right)
    } else {
        (naive_consistency(m - k, right, false), left)
    };
    path.push(naive_root(other));
    path
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&entry(i))).collect()
}

#[test]
fn roots_of_all_sizes_are_those_of_the_definition() {
    let leaves = leaves(600);
    let mut tree = Tree::new();
    for size in 0..=600 {
        assert_eq!(tree.root(), naive_root(&leaves[..size]), "{size}");
        assert_eq!(tree.size(), size as u64);
        let stored = Tree::from_edge(tree.size(), tree.edge().to_vec()).unwrap();
        assert_eq!(stored, tree, "a stored tree goes on as it was");
        if size < 600 {
            tree.append(leaves[size]).unwrap();
        }
    }
}

#[test]
fn inclusion_of_every_leaf_in_every_size_is_proved_and_only_that() {
    let (log, checkpoint) = Log::of(300);
    let leaves = log.leaves();
    let mut tree = TrustedTree::open(log.memory, 300, checkpoint.root()).unwrap();
    for size in 1..=300usize {
        let root = naive_root(&leaves[..size]);
        assert_eq!(root_at(&mut tree, size as u64).unwrap(), root);
        for index in 0..size {
            let proof = inclusion(&mut tree, index as u64, size as u64).unwrap();
            if size % 7 == 0 || size < 40 {
                assert_eq!(proof, naive_inclusion(index, &leaves[..size]), "{index} of {size}");
            }
            let check = |i, n, p: &[Hash]| check_inclusion(leaves[index], i, n, p, root);
            let (i, n) = (index as u64, size as u64);
            assert_eq!(check(i, n, &proof), Ok(()), "{index} of {size}");
            assert!(i == 0 || check(i - 1, n, &proof).is_err(), "{index} of {size}: one before");
            assert!(check(i + 1, n, &proof).is_err(), "{index} of {size}: one after");
            assert!(proof.is_empty() || check(i, n, &proof[1..]).is_err());
            assert!(check(i, n, &[&proof[..], &[root]].concat()).is_err());
        }
    }
}

#[test]
fn consistency_of_all_pairs_is_proved_and_only_that() {
    let (log, checkpoint) = Log::of(300);
    let leaves = log.leaves();
    let roots: Vec<Hash> = (0..=300).map(|n| naive_root(&leaves[..n])).collect();
    let mut tree = TrustedTree::open(log.memory, 300, checkpoint.root()).unwrap();
    for new in 0..=300usize {
        for old in 0..=new {
            let proof = consistency(&mut tree, old as u64, new as u64).unwrap();
            if old > 0 && (new % 13 == 0 || new < 40) {
                assert_eq!(proof, naive_consistency(old, &leaves[..new], true), "{old} to {new}");
            }
            let (o, n) = (old as u64, new as u64);
            assert_eq!(check_consistency(o, roots[old], n, roots[new], &proof), Ok(()), "{old} to {new}");
            if old > 0 && old < new {
                let other = roots[old - 1];
                assert!(
                    check_consistency(o, other, n, roots[new], &proof).is_err(),
                    "{old} to {new}: old root"
                );
                assert!(
                    check_consistency(o, roots[old], n, other, &proof).is_err(),
                    "{old} to {new}: new root"
                );
                assert!(
                    check_consistency(o - 1, roots[old], n, roots[new], &proof).is_err(),
                    "{old} to {new}"
                );
                assert!(
                    check_consistency(o, roots[old], n, roots[new], &proof[1..]).is_err(),
                    "{old} to {new}"
                );
            }
        }
    }
}

#[test]
fn each_flipped_bit_of_a_proof_is_refused() {
    let (log, checkpoint) = Log::of(1000);
    let (size, root) = (1000, checkpoint.root());
    let leaf = log.leaves()[777];
    let mut tree = TrustedTree::open(log.memory, size, root).unwrap();
    let included = to_bytes(&inclusion(&mut tree, 777, size).unwrap());
    let old_root = root_at(&mut tree, 300).unwrap();
    let consistent = to_bytes(&consistency(&mut tree, 300, size).unwrap());
    for bit in 0..included.len() * 8 {
        let mut bent = included.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(check_inclusion(leaf, 777, size, &from_bytes(&bent).unwrap(), root).is_err(), "bit {bit}");
    }
    for bit in 0..consistent.len() * 8 {
        let mut bent = consistent.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let proof = from_bytes(&bent).unwrap();
        assert!(check_consistency(300, old_root, size, root, &proof).is_err(), "bit {bit}");
    }
    for bit in 0..64 {
        assert!(check_inclusion(leaf, 777 ^ 1 << bit, size, &from_bytes(&included).unwrap(), root).is_err());
    }
}

#[test]
fn a_writer_writes_the_tiles_of_each_size_and_no_others() {
    let leaves = leaves(70_000);
    for steps in [vec![1, 2, 255, 256, 257, 511, 600], vec![256, 512], vec![65_535, 65_536, 65_537, 70_000]] {
        let (mut writer, mut old) = (Writer::new(), 0);
        for size in steps {
            for leaf in &leaves[old as usize..size as usize] {
                writer.append(*leaf).unwrap();
            }
            let grown = writer.grown();
            let mut written: Vec<TileId> = grown.tiles.iter().map(|(id, _)| *id).collect();
            written.sort();
            assert_eq!(written, changed_tiles(old, size).collect::<Vec<_>>(), "{old} to {size}");
            for (id, bytes) in grown.tiles {
                let under = 256usize.pow(u32::from(id.level()));
                let expected: Vec<u8> = (0..usize::from(id.width()))
                    .flat_map(|i| {
                        let from = (id.index() as usize * 256 + i) * under;
                        naive_root(&leaves[from..from + under]).0
                    })
                    .collect();
                assert_eq!(bytes, expected, "{} of {size}", id.path());
            }
            assert!(writer.grown().tiles.is_empty(), "nothing new");
            old = size;
        }
    }
}

#[test]
fn a_log_of_70000_has_the_tiles_that_the_format_names() {
    let tiles: Vec<TileId> = changed_tiles(0, 70_000).collect();
    let count =
        |level, full| tiles.iter().filter(|t| t.level() == level && (t.width() == 256) == full).count();
    assert_eq!((count(0, true), count(0, false)), (273, 1));
    assert_eq!((count(1, true), count(1, false)), (1, 1));
    assert_eq!((count(2, true), count(2, false)), (0, 1));
    let partial: Vec<String> = tiles.iter().filter(|t| t.width() < 256).map(TileId::path).collect();
    assert_eq!(partial, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Larger logs, grown in steps and resumed from their own tiles in between.
    #[test]
    fn a_resumed_log_goes_on_as_if_it_had_never_stopped(
        sizes in proptest::collection::btree_set(1u64..3000, 1..6),
        index in any::<prop::sample::Index>(),
    ) {
        let mut log = Log::new();
        let mut kept = Vec::new();
        for size in sizes {
            let checkpoint = log.grow_to(size);
            let tree = TrustedTree::open(log.memory.clone(), size, checkpoint.root()).unwrap();
            prop_assert_eq!(&tree.tree().unwrap(), log.writer.tree());
            log.writer = Writer::resume(&tree).unwrap();
            kept.push(checkpoint);
        }
        let last = kept.last().unwrap().clone();
        let leaves = log.leaves();
        prop_assert_eq!(last.root(), naive_root(&leaves));
        let mut tree = TrustedTree::open(log.memory, last.size(), last.root()).unwrap();
        let at = index.index(leaves.len());
        prop_assert_eq!(tree.leaf(at as u64).unwrap(), leaves[at]);
        let proof = inclusion(&mut tree, at as u64, last.size()).unwrap();
        prop_assert_eq!(&proof, &naive_inclusion(at, &leaves));
        for old in &kept {
            let proof = consistency(&mut tree, old.size(), last.size()).unwrap();
            prop_assert_eq!(&proof, &naive_consistency(old.size() as usize, &leaves, true));
            prop_assert_eq!(check_consistency(old.size(), old.root(), last.size(), last.root(), &proof), Ok(()));
        }
    }
}
