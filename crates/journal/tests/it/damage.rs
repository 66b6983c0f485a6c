//! Bytes that rot, files that vanish, folders of another kind.

use std::path::Path;

use journal::faulty::FaultyDisk;
use journal::{Disk, Journal, JournalError, Options};
use proptest::prelude::*;

use crate::{all, open, options, payload, segment_path};

/// Ten records, each synced, in one segment or several.
fn filled(seed: u64, segment_bytes: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(seed);
    let (mut journal, _) = open(&disk, options(segment_bytes)).unwrap();
    for n in 0..10 {
        journal.append(&payload(n, 0, 100)).unwrap();
        journal.sync().unwrap();
    }
    disk
}

proptest! {
    #[test]
    fn a_flipped_bit_is_never_returned_and_never_swallows_what_follows(at in 0usize..1240, bit in 0u8..8) {
        let disk = filled(1, 1 << 20);
        disk.flip(&segment_path(0), at, bit).unwrap();
        match open(&disk, options(1 << 20)) {
            Err(JournalError::Damaged { path, offset, .. }) => {
                prop_assert_eq!(path, segment_path(0));
                prop_assert!(usize::try_from(offset).unwrap() <= at);
            }
            Err(e) => return Err(TestCaseError::fail(e.to_string())),
            // Only the last record has nothing after it that vouches for it.
            Ok((journal, found)) => {
                prop_assert!(at >= 40 + 9 * 120, "byte {} was dropped silently", at);
                prop_assert_eq!(found.torn_bytes, 120);
                prop_assert_eq!(journal.next().0, 9);
            }
        }
    }

    #[test]
    fn random_bytes_as_a_segment_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let disk = FaultyDisk::new(0);
        journal::write_atomically(&disk, &segment_path(0), &bytes).unwrap();
        match open(&disk, options(4096)) {
            Ok((journal, found)) => {
                prop_assert!(bytes.len() <= 40);
                prop_assert_eq!(found.torn_bytes, bytes.len() as u64);
                prop_assert_eq!(journal.next().0, 0);
            }
            Err(JournalError::Damaged { offset, .. }) => prop_assert_eq!(offset, 0),
            Err(e) => return Err(TestCaseError::fail(e.to_string())),
        }
    }
}

#[test]
fn damage_in_an_older_segment_names_file_and_offset_when_read() {
    let disk = filled(2, 400);
    let (journal, _) = open(&disk, options(400)).unwrap();
    let (second, _) = journal.segments()[1];
    drop(journal);
    disk.flip(&segment_path(second.0), 40 + 120 + 30, 0).unwrap();
    let (journal, _) = open(&disk, options(400)).unwrap();
    let results: Vec<_> = journal.read_from(journal.first()).collect();
    let good = usize::try_from(second.0).unwrap() + 1;
    assert!(results[..good].iter().all(Result::is_ok));
    let text = results[good].as_ref().unwrap_err().to_string();
    assert!(text.contains(&format!("{:016x}.seg", second.0)) && text.contains("byte 160"), "{text}");
    assert_eq!(results.len(), good + 1, "nothing after an error");
}

#[test]
fn a_missing_file_between_others_is_a_gap() {
    let disk = filled(3, 400);
    let (journal, _) = open(&disk, options(400)).unwrap();
    let segments = journal.segments();
    drop(journal);
    disk.remove(&segment_path(segments[1].0.0)).unwrap();
    let Err(e) = open(&disk, options(400)) else { panic!("opened with a hole") };
    assert!(matches!(e, JournalError::Gap { .. }), "{e}");
    assert!(e.to_string().contains(&format!("{:016x}.seg", segments[2].0.0)), "{e}");
}

#[test]
fn an_older_segment_cut_short_is_damage() {
    let disk = filled(4, 400);
    let mut file = disk.open(&segment_path(0), journal::Open::Append).unwrap();
    let size = file.size().unwrap();
    file.truncate(size - 120).unwrap();
    let (journal, _) = open(&disk, options(400)).unwrap();
    let last = journal.read_from(journal.first()).last().unwrap();
    assert!(matches!(last, Err(JournalError::Damaged { .. })), "{last:?}");
}

#[test]
fn a_folder_of_another_kind_is_refused() {
    let disk = filled(5, 400);
    let other = Options { magic: *b"MK-OTHER", ..options(400) };
    assert!(matches!(open(&disk, other), Err(JournalError::Foreign { .. })));
    journal::write_atomically(&disk, Path::new("/spool/notes.seg"), b"mine").unwrap();
    assert!(
        matches!(open(&disk, options(400)), Err(JournalError::Foreign { path }) if path.ends_with("notes.seg"))
    );
}

#[test]
fn a_payload_that_looks_like_a_record_vouches_for_nothing() {
    // Whoever fills the journal may write records inside records, but does not know the segment's salt.
    let inner = {
        let disk = FaultyDisk::new(6);
        let (mut journal, _) = open(&disk, options(1 << 20)).unwrap();
        for n in 0..50 {
            journal.append(&payload(n, 0, 30)).unwrap();
            journal.sync().unwrap();
        }
        journal::read_whole(&disk, &segment_path(0), 1 << 20).unwrap().unwrap()
    };
    let disk = FaultyDisk::new(7);
    let (mut journal, _) = open(&disk, options(1 << 20)).unwrap();
    journal.append(&payload(0, 0, 10)).unwrap();
    journal.append(&inner).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let at = 40 + 20 + 10 + 3; // in the head of the record that carries the forgery
    disk.flip(&segment_path(0), at, 1).unwrap();
    let (journal, found) = open(&disk, options(1 << 20)).unwrap();
    assert_eq!(all(&journal).len(), 1);
    assert!(found.torn_bytes > 1000);
}

#[test]
fn a_full_disk_breaks_the_journal_but_nothing_synced_and_dropping_cures_it() {
    let disk = FaultyDisk::new(8);
    let (mut journal, _) = open(&disk, options(10_000)).unwrap();
    disk.set_capacity(Some(50_000));
    let mut synced = 0;
    let e = loop {
        if let Err(e) = journal.append(&payload(journal.next().0, 0, 900)).and_then(|_| journal.sync()) {
            break e;
        }
        synced = journal.durable().0;
    };
    assert!(e.is_full(), "{e}");
    assert!(synced > 40);
    assert!(matches!(journal.append(b"x"), Err(JournalError::Broken { .. })));
    assert!(matches!(journal.sync(), Err(JournalError::Broken { .. })));
    let mut follow = journal.read_from(journal::Position(30));
    assert_eq!(follow.by_ref().count() as u64, synced - 30);
    journal.drop_before(journal::Position(30)).unwrap();
    journal.reopen().unwrap();
    assert!(journal.next().0 >= synced && !journal.is_broken());
    assert_eq!(journal.bytes(), journal.segments().iter().map(|(_, bytes)| bytes).sum::<u64>());
    journal.append(b"room again").unwrap();
    journal.sync().unwrap();
    assert!(all(&journal).last().unwrap().1 == b"room again");
    assert_eq!(follow.last().unwrap().unwrap().1, b"room again", "readers go on");
}

#[test]
fn one_owner_at_a_time() {
    let disk = FaultyDisk::new(9);
    let first = open(&disk, options(400)).unwrap();
    assert!(matches!(open(&disk, options(400)), Err(JournalError::InUse { .. })));
    drop(first);
    assert!(open(&disk, options(400)).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let real: std::sync::Arc<dyn Disk> = std::sync::Arc::new(journal::RealDisk);
    let held = Journal::open(real.clone(), folder.path(), options(400)).unwrap();
    assert!(matches!(
        Journal::open(real.clone(), folder.path(), options(400)),
        Err(JournalError::InUse { .. })
    ));
    drop(held);
    assert!(Journal::open(real, folder.path(), options(400)).is_ok());
}
