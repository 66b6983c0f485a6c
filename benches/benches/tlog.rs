//! The Merkle log in process, on one core: appending, reading proved tiles, proofs, and the verification of
//! 10,000,000 events with their entries, as an auditor's machine does it.
//!
//! `cargo bench -p meterkeep-house-benches --bench tlog`; the row `verify` is the seconds of the whole log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use tlog::proof::{check_inclusion, inclusion};
use tlog::verify::{Depth, LogSource, whole};
use tlog::{BundleId, Checkpoint, Hash, TileId, TileSource, TrustedTree, Writer, leaf_hash};

const EVENTS: u64 = 10_000_000;
/// An envelope in clear and the hash of a sealed body.
const ENTRY: usize = 160;

fn main() {
    divan::main();
}

fn entry(index: u64) -> [u8; ENTRY] {
    let mut entry = [0x5a; ENTRY];
    entry[..8].copy_from_slice(&index.to_le_bytes());
    entry
}

/// Tiles in memory; bundles are made as they are asked for, which costs little beside hashing them.
struct Made {
    tiles: HashMap<TileId, Vec<u8>>,
    checkpoint: Checkpoint,
}

impl Made {
    fn new(events: u64) -> Self {
        let mut writer = Writer::new();
        for index in 0..events {
            writer.append(leaf_hash(&entry(index))).unwrap();
        }
        let grown = writer.grown();
        let checkpoint = Checkpoint::new("log.example/bench", grown.size, grown.root).unwrap();
        Self { tiles: grown.tiles.into_iter().collect(), checkpoint }
    }
}

impl TileSource for &Made {
    type Error = TileId;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, TileId> {
        self.tiles.get(&id).cloned().ok_or(id)
    }
}

impl LogSource for &Made {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, TileId> {
        let mut bundle = Vec::with_capacity(usize::from(id.width()) * (ENTRY + 2));
        for index in id.first()..id.first() + u64::from(id.width()) {
            bundle.extend((ENTRY as u16).to_be_bytes());
            bundle.extend(entry(index));
        }
        Ok(bundle)
    }
}

static MILLION: LazyLock<Made> = LazyLock::new(|| Made::new(1_000_000));

/// Hashing an entry and appending its leaf, tiles and all, with a root every 256.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn append(bencher: Bencher) {
    const MANY: u64 = 100_000;
    bencher.counter(ItemsCount::new(MANY)).bench(|| {
        let mut writer = Writer::new();
        for index in 0..MANY {
            writer.append(leaf_hash(&entry(index))).unwrap();
            if index % 256 == 255 {
                black_box(writer.grown());
            }
        }
    });
}

/// A full tile of leaves, read and held against its parent.
#[divan::bench]
fn tile(bencher: Bencher) {
    let log = &*MILLION;
    let mut tree = TrustedTree::open(log, log.checkpoint.size(), log.checkpoint.root()).unwrap();
    let mut index = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        index = (index + 1) % 3900;
        tree.tile(0, index).unwrap().len()
    });
}

/// An inclusion proof of any entry, made from tiles that are proved.
#[divan::bench]
fn make_inclusion(bencher: Bencher) {
    let log = &*MILLION;
    let size = log.checkpoint.size();
    let mut tree = TrustedTree::open(log, size, log.checkpoint.root()).unwrap();
    let mut index = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        index = (index + 777_777) % size;
        inclusion(&mut tree, index, size).unwrap()
    });
}

#[divan::bench]
fn check(bencher: Bencher) {
    let log = &*MILLION;
    let (size, root) = (log.checkpoint.size(), log.checkpoint.root());
    let mut tree = TrustedTree::open(log, size, root).unwrap();
    let proof: Vec<Hash> = inclusion(&mut tree, 123_456, size).unwrap();
    let leaf = leaf_hash(&entry(123_456));
    bencher
        .counter(ItemsCount::new(1u32))
        .bench(|| check_inclusion(black_box(leaf), 123_456, size, black_box(&proof), root).unwrap());
}

/// 10,000,000 events: every entry hashed, every tile held against its parent, the root computed anew.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn verify(bencher: Bencher) {
    bencher
        .counter(ItemsCount::new(EVENTS))
        .with_inputs(|| Made::new(EVENTS))
        .bench_refs(|log| whole(&*log, &log.checkpoint, &[], Depth::Entries).unwrap());
}
