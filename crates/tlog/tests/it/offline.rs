//! The offline verifier: each way of bending a log is named, with the first index that is wrong.

use tlog::verify::{Depth, Fault, Reason, Report, goes_on, span, whole};
use tlog::{BundleId, Checkpoint, TileId, changed_bundles, leaf_hash, write_bundle};

use crate::memory::{Log, Memory, NotThere, ORIGIN, entry};

const SIZE: u64 = 1100;

fn log() -> (Log, Vec<Checkpoint>, Checkpoint) {
    let mut log = Log::new();
    let kept = [0, 1, 100, 256, 700, 1000].map(|n| log.grow_to(n)).to_vec();
    let shown = log.grow_to(SIZE);
    (log, kept, shown)
}

/// Writes entries over the bundles of a log of `SIZE`, as many as there are, and nothing else.
fn show(log: &Log, entries: &[Vec<u8>]) -> Memory {
    let mut memory = log.memory.clone();
    for id in changed_bundles(0, SIZE) {
        let from = (id.first() as usize).min(entries.len());
        let to = (from + usize::from(id.width())).min(entries.len());
        if from == to {
            memory.files.remove(&id.path());
        } else {
            let bundle = write_bundle(entries[from..to].iter().map(Vec::as_slice)).unwrap();
            memory.files.insert(id.path(), bundle);
        }
    }
    memory
}

fn fault(memory: Memory, shown: &Checkpoint, kept: &[Checkpoint]) -> Fault<NotThere> {
    whole(memory, shown, kept, Depth::Entries).unwrap_err()
}

#[test]
fn a_whole_log_is_valid_and_goes_on_from_what_was_kept() {
    let (log, kept, shown) = log();
    for depth in [Depth::Tiles, Depth::Entries] {
        let report = whole(log.memory.clone(), &shown, &kept, depth).unwrap();
        assert_eq!(report, Report { entries: SIZE, kept: kept.len() });
    }
    for older in &kept {
        goes_on(log.memory.clone(), older, &shown).unwrap();
    }
    let none = Log::new().grow_to(0);
    assert_eq!(whole(Memory::default(), &none, &[], Depth::Entries).unwrap(), Report::default());
}

#[test]
fn a_flipped_bit_in_any_entry_is_named_by_its_index() {
    let (log, kept, shown) = log();
    for index in [0, 1, 127, 255, 256, 511, 512, 1023, 1024, 1099] {
        let mut entries = log.entries.clone();
        entries[index as usize][2] ^= 1;
        let found = fault(show(&log, &entries), &shown, &kept);
        assert_eq!(found, Fault::Entry { index, reason: Reason::Changed });
        assert_eq!(found.first_index(), Some(index));
        assert_eq!(span(show(&log, &entries), &shown, index..index + 1, Depth::Entries).unwrap_err(), found);
    }
}

#[test]
fn dropped_added_and_swapped_entries_are_named_by_their_index() {
    let (log, kept, shown) = log();
    for index in [0, 1, 100, 254, 255, 256, 700, 1098] {
        let mut entries = log.entries.clone();
        entries.remove(index as usize);
        let found = fault(show(&log, &entries), &shown, &kept);
        assert_eq!(found, Fault::Entry { index, reason: Reason::Dropped }, "drop {index}");
    }
    for index in [0, 1, 100, 254, 256, 700, 1023] {
        let mut entries = log.entries.clone();
        entries.insert(index as usize, b"put in".to_vec());
        let found = fault(show(&log, &entries), &shown, &kept);
        let reason = if index % 256 == 255 { Reason::Changed } else { Reason::Added };
        assert_eq!(found, Fault::Entry { index, reason }, "add {index}");
    }
    for (one, other) in [(0, 1), (0, 255), (300, 410), (1098, 1099)] {
        let mut entries = log.entries.clone();
        entries.swap(one as usize, other as usize);
        let found = fault(show(&log, &entries), &shown, &kept);
        assert_eq!(found, Fault::Entry { index: one, reason: Reason::SwappedWith(other) });
    }
    // across bundles the other place is not known, the first wrong index is
    let mut entries = log.entries.clone();
    entries.swap(3, 900);
    assert_eq!(fault(show(&log, &entries), &shown, &kept).first_index(), Some(3));
}

#[test]
fn a_tail_that_is_gone_is_named_by_where_it_begins() {
    let (log, kept, shown) = log();
    for end in [0, 1, 256, 300, 1024, 1050, 1099] {
        let memory = show(&log, &log.entries[..end as usize]);
        assert_eq!(fault(memory, &shown, &kept), Fault::Truncated { index: end, size: SIZE }, "{end}");
    }
    // the tiles cut off as well: first a log that really is of that size, then read as the longer one
    for end in [1, 256, 300, 1050] {
        let shorter = Log::of(end).0;
        assert_eq!(
            fault(shorter.memory, &shown, &[]),
            Fault::Truncated { index: end - end % 256, size: SIZE }
        );
    }
    // and signed anew with the right key: only what was kept tells
    let (cut, signed) = Log::of(900);
    assert!(whole(cut.memory.clone(), &signed, &[], Depth::Entries).is_ok());
    assert_eq!(fault(cut.memory, &signed, &kept), Fault::Shorter { shown: 900, kept: 1000 });
}

#[test]
fn a_gap_is_named_by_its_first_entry() {
    let (log, kept, shown) = log();
    let mut memory = log.memory.clone();
    let path = BundleId::in_tree(2, SIZE).unwrap().path();
    memory.files.remove(&path);
    assert_eq!(fault(memory, &shown, &kept), Fault::Unreadable { index: 512, error: NotThere(path) });
    let mut memory = log.memory.clone();
    let path = TileId::in_tree(0, 3, SIZE).unwrap().path();
    memory.files.remove(&path);
    assert_eq!(fault(memory, &shown, &kept), Fault::Unreadable { index: 768, error: NotThere(path) });
    let mut memory = log.memory.clone();
    let bundle = memory.files.get_mut("tile/entries/001").unwrap();
    bundle.truncate(bundle.len() - 1);
    assert_eq!(fault(memory, &shown, &kept), Fault::Entry { index: 511, reason: Reason::Malformed });
}

#[test]
fn a_log_rebuilt_with_the_right_key_is_a_fork_between_two_kept_checkpoints() {
    let (log, kept, shown) = log();
    for (changed, from, before) in
        [(0, 0, 1), (1, 1, 100), (150, 100, 256), (256, 256, 700), (999, 700, 1000)]
    {
        let mut entries = log.entries.clone();
        entries[changed] = b"rewritten".to_vec();
        let mut rebuilt = Log::new();
        let signed = rebuilt.append(entries);
        assert!(whole(rebuilt.memory.clone(), &signed, &[], Depth::Entries).is_ok(), "in itself it is sound");
        for depth in [Depth::Tiles, Depth::Entries] {
            let found = whole(rebuilt.memory.clone(), &signed, &kept, depth).unwrap_err();
            assert_eq!(found, Fault::Fork { from, before }, "{changed}");
        }
        let last = kept.last().unwrap();
        assert_eq!(
            goes_on(rebuilt.memory.clone(), last, &signed).unwrap_err(),
            Fault::Fork { from: 0, before: 1000 }
        );
    }
    // two checkpoints of one size, as two witnesses may have them
    let mut entries = log.entries.clone();
    entries[1099] = b"another".to_vec();
    let mut other = Log::new();
    let second = other.append(entries);
    let both = [kept.clone(), vec![shown.clone()]].concat();
    assert_eq!(fault(other.memory.clone(), &second, &both), Fault::Fork { from: 1000, before: SIZE });
    assert_eq!(fault(log.memory.clone(), &shown, &[second]), Fault::Fork { from: 0, before: SIZE });
    // changed after all that was kept: nothing kept can tell, and nothing may be claimed
    let mut entries = log.entries.clone();
    entries[1050] = b"rewritten".to_vec();
    let mut rebuilt = Log::new();
    let signed = rebuilt.append(entries);
    assert!(whole(rebuilt.memory, &signed, &kept, Depth::Entries).is_ok());
}

#[test]
fn a_log_rebuilt_without_the_key_does_not_give_the_signed_root() {
    let (log, kept, shown) = log();
    let mut entries = log.entries.clone();
    entries[1050] = b"rewritten".to_vec();
    let mut rebuilt = Log::new();
    rebuilt.append(entries);
    assert_eq!(fault(rebuilt.memory.clone(), &shown, &kept), Fault::Root { from: 1000, size: SIZE });
    let tiles = whole(rebuilt.memory, &shown, &kept, Depth::Tiles).unwrap_err();
    assert_eq!(tiles, Fault::Root { from: 1000, size: SIZE });
    let mut entries = log.entries.clone();
    entries[50] = b"rewritten".to_vec();
    let mut rebuilt = Log::new();
    rebuilt.append(entries);
    assert_eq!(fault(rebuilt.memory, &shown, &kept), Fault::Fork { from: 1, before: 100 });
}

#[test]
fn a_tile_that_was_bent_is_named_with_the_hash_in_it() {
    let (log, kept, shown) = log();
    for path in log.memory.files.keys().filter(|p| !p.starts_with("tile/entries")) {
        let id = TileId::parse(path).unwrap();
        // older partial tiles are not part of this checkpoint
        if TileId::in_tree(id.level(), id.index(), SIZE) != Some(id) {
            continue;
        }
        for hash in [0, u64::from(id.width()) / 2, u64::from(id.width()) - 1] {
            let mut memory = log.memory.clone();
            memory.files.get_mut(path).unwrap()[hash as usize * 32 + 5] ^= 16;
            let found = fault(memory.clone(), &shown, &kept);
            assert_eq!(found, Fault::Tile { id, hash: Some(hash) }, "{path}");
            assert_eq!(found.first_index(), Some(id.first_leaf() + (hash << (8 * id.level()))));
            assert!(whole(memory, &shown, &kept, Depth::Tiles).is_err());
        }
    }
    // entry and tile bent together: their tile of 256 is what can be named
    let mut entries = log.entries.clone();
    entries[600] = b"rewritten".to_vec();
    let mut memory = show(&log, &entries);
    let tile = memory.files.get_mut("tile/0/002").unwrap();
    tile[88 * 32..89 * 32].copy_from_slice(&leaf_hash(b"rewritten").0);
    assert_eq!(fault(memory, &shown, &kept), Fault::Entry { index: 512, reason: Reason::WithinTile });
}

#[test]
fn spans_and_checkpoints_that_do_not_belong_are_refused() {
    let (log, kept, shown) = log();
    let mut entries = log.entries.clone();
    entries[900] = b"bent".to_vec();
    let memory = show(&log, &entries);
    assert_eq!(
        span(memory.clone(), &shown, 0..700, Depth::Entries).unwrap(),
        Report { entries: 768, kept: 0 }
    );
    assert_eq!(span(memory.clone(), &shown, 890..910, Depth::Entries).unwrap_err().first_index(), Some(900));
    assert_eq!(span(memory.clone(), &shown, 890..910, Depth::Tiles).unwrap().entries, 256);
    for wrong in [5..5, 0..SIZE + 1, SIZE..SIZE + 1] {
        assert!(matches!(span(memory.clone(), &shown, wrong, Depth::Entries), Err(Fault::NoSuchSpan { .. })));
    }
    let stranger = Checkpoint::new("log.example/other", 1, kept[1].root()).unwrap();
    assert_eq!(
        fault(memory.clone(), &shown, &[stranger]),
        Fault::OtherLog { origin: "log.example/other".into() }
    );
    let sized = Checkpoint::new(ORIGIN, SIZE + 1, shown.root()).unwrap();
    assert!(whole(log.memory, &sized, &[], Depth::Entries).is_err());
    assert_eq!(entry(900), log.entries[900]);
}
