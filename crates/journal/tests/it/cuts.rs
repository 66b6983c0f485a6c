//! Power cuts at random moments, on a disk that loses what was not synced.

use journal::faulty::FaultyDisk;
use journal::{Disk, Position};
use proptest::prelude::*;

use crate::{all, open, options, payload};

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Sync,
    Roll,
    /// Drop this share of what is there, in percent.
    Drop(u8),
    Kill,
    Cut,
    /// The power goes within one of the next changes.
    CutSoon(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (1usize..3000).prop_map(Step::Append),
        6 => Just(Step::Sync),
        1 => Just(Step::Roll),
        1 => (0u8..=100).prop_map(Step::Drop),
        1 => Just(Step::Kill),
        2 => Just(Step::Cut),
        2 => (0u64..12).prop_map(Step::CutSoon),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// The promise of the crate, word by word.
    #[test]
    fn no_synced_record_is_lost_and_no_damaged_one_returned(seed: u64, steps in steps()) {
        let disk = FaultyDisk::new(seed);
        let options = options(8 * 1024);
        let mut journal = Some(open(&disk, options).unwrap().0);
        // What was appended since the last recovery and before; `synced` of it must survive anything.
        let mut written: Vec<Vec<u8>> = Vec::new();
        let (mut synced, mut dropped, mut life) = (0u64, 0u64, 0u64);
        for step in steps {
            let Some(j) = journal.as_mut() else { unreachable!() };
            let fine = match step {
                Step::Append(len) => {
                    let bytes = payload(written.len() as u64, life, len);
                    let done = j.append(&bytes);
                    // Also when it failed: the bytes may have reached the disk.
                    written.push(bytes);
                    done.map(|p| assert_eq!(p.0 + 1, written.len() as u64)).is_ok()
                }
                Step::Sync => match j.sync() {
                    Ok(()) => { synced = written.len() as u64; true }
                    Err(_) => false,
                },
                Step::Roll => j.roll().is_ok(),
                Step::Drop(share) => {
                    dropped = dropped.max(j.durable().0 * u64::from(share) / 100);
                    j.drop_before(Position(dropped)).is_ok()
                }
                Step::Kill => { disk.kill_process(); false }
                Step::Cut => { disk.cut_power(); false }
                Step::CutSoon(n) => { disk.cut_after(n); true }
            };
            synced = synced.max(j.durable().0);
            if !fine {
                drop(journal.take());
                if !disk.is_on() {
                    disk.restart();
                }
                life += 1;
                // Opening may itself be cut; then it is opened again.
                let again = loop {
                    match open(&disk, options) {
                        Ok((j, _)) => break j,
                        Err(_) if !disk.is_on() => disk.restart(),
                        Err(e) => return Err(TestCaseError::fail(format!("{e}"))),
                    }
                };
                prop_assert!(again.next().0 >= synced, "lost: {} < {synced}", again.next());
                prop_assert!(again.next().0 <= written.len() as u64);
                written.truncate(usize::try_from(again.next().0).unwrap());
                synced = again.next().0;
                journal = Some(again);
            }
            let j = journal.as_ref().unwrap();
            prop_assert!(j.first().0 <= dropped.min(j.next().0), "dropped too much: {}", j.first());
            if disk.is_on() {
                let mut next = j.first();
                for record in j.read_from(next) {
                    let (position, bytes) = record.unwrap();
                    prop_assert_eq!(position, next);
                    prop_assert_eq!(&bytes, &written[usize::try_from(position.0).unwrap()]);
                    next = next.next();
                }
                prop_assert_eq!(next, j.durable());
            }
        }
    }
}

#[test]
fn a_torn_tail_is_cut_and_its_size_told() {
    let mut torn = 0;
    for seed in 0..200 {
        let disk = FaultyDisk::new(seed);
        let (mut journal, fresh) = open(&disk, options(1 << 20)).unwrap();
        assert!(fresh.created);
        for n in 0..10 {
            journal.append(&payload(n, 0, 700)).unwrap();
        }
        journal.sync().unwrap();
        // These reach the file, but not the platter.
        let big = vec![9; 300_000];
        journal.append(&big).unwrap();
        journal.append(&big).unwrap();
        drop(journal);
        disk.cut_power();
        disk.restart();
        let (journal, found) = open(&disk, options(1 << 20)).unwrap();
        assert!((10..=12).contains(&journal.next().0), "seed {seed}");
        assert!(!found.created);
        if found.torn_bytes > 0 {
            torn += 1;
        }
        assert_eq!(all(&journal).len() as u64, journal.next().0);
        // A second opening finds nothing more to cut.
        drop(journal);
        assert_eq!(open(&disk, options(1 << 20)).unwrap().1.torn_bytes, 0);
    }
    assert!(torn > 50, "{torn}");
}

#[test]
fn a_cut_while_a_segment_is_born_loses_nothing() {
    for seed in 0..300 {
        let disk = FaultyDisk::new(seed);
        let (mut journal, _) = open(&disk, options(4096)).unwrap();
        journal.append(&payload(0, 0, 1000)).unwrap();
        journal.sync().unwrap();
        disk.cut_after(seed % 6);
        let rolled = journal.roll().is_ok();
        drop(journal);
        disk.cut_power();
        disk.restart();
        let (mut journal, _) = open(&disk, options(4096)).unwrap();
        assert_eq!(journal.next().0, 1, "seed {seed} rolled {rolled}");
        journal.append(&payload(1, 1, 1000)).unwrap();
        journal.sync().unwrap();
        assert_eq!(all(&journal).len(), 2);
    }
}

#[test]
fn a_cut_while_segments_are_dropped_leaves_no_hole() {
    for seed in 0..300 {
        let disk = FaultyDisk::new(seed);
        let (mut journal, _) = open(&disk, options(1000)).unwrap();
        for n in 0..12 {
            journal.append(&payload(n, 0, 600)).unwrap();
        }
        journal.sync().unwrap();
        disk.cut_after(seed % 14);
        _ = journal.drop_before(Position(9));
        drop(journal);
        disk.cut_power();
        disk.restart();
        let (journal, _) = open(&disk, options(1000)).unwrap();
        assert!(journal.first().0 <= 9);
        assert_eq!(all(&journal).len() as u64, 12 - journal.first().0, "seed {seed}");
    }
}

#[test]
fn what_only_the_cache_held_is_durable_after_recovery() {
    for seed in 0..100 {
        let disk = FaultyDisk::new(seed);
        let (mut journal, _) = open(&disk, options(1 << 20)).unwrap();
        journal.append(&vec![1; 300_000]).unwrap(); // written, not synced
        drop(journal);
        disk.kill_process();
        let (journal, _) = open(&disk, options(1 << 20)).unwrap();
        assert_eq!(journal.next().0, 1, "SIGKILL takes nothing from the cache");
        drop(journal);
        disk.cut_power();
        disk.restart();
        assert_eq!(
            open(&disk, options(1 << 20)).unwrap().0.next().0,
            1,
            "seed {seed}: it was readable, so it must stay"
        );
    }
}

#[test]
fn the_disk_itself_forgets_what_was_not_synced() {
    // The other tests mean something only if this disk does lose data.
    let mut lost = 0;
    for seed in 0..100 {
        let disk = FaultyDisk::new(seed);
        let path = std::path::Path::new("/spool/file");
        let mut file = disk.open(path, journal::Open::Create).unwrap();
        disk.sync_dir(&crate::dir()).unwrap();
        file.append(&[7; 4096]).unwrap();
        disk.cut_power();
        disk.restart();
        let whole = journal::read_whole(&disk, path, 1 << 20).unwrap().unwrap();
        if whole != [7; 4096] {
            lost += 1;
        }
    }
    assert!(lost > 80, "{lost}");
}
