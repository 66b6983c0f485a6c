//! The ordinary days: rolling, dropping, following.

use journal::faulty::FaultyDisk;
use journal::{JournalError, Options, Position, RECORD_OVERHEAD};

use crate::{all, open, options, payload};

#[test]
fn only_durable_records_can_be_read() {
    let disk = FaultyDisk::new(0);
    let (mut journal, _) = open(&disk, options(1 << 20)).unwrap();
    let mut follow = journal.reader().read_from(Position(0));
    assert!(follow.next().is_none());
    journal.append(b"one").unwrap();
    assert!(follow.next().is_none());
    assert_eq!((journal.next(), journal.durable()), (Position(1), Position(0)));
    journal.sync().unwrap();
    assert_eq!(follow.next().unwrap().unwrap(), (Position(0), b"one".to_vec()));
    assert!(follow.next().is_none());
    journal.append(b"two").unwrap();
    journal.sync().unwrap();
    assert_eq!(
        follow.next().unwrap().unwrap(),
        (Position(1), b"two".to_vec()),
        "a reader goes on where it was"
    );
}

#[test]
fn many_appends_share_one_sync() {
    let disk = FaultyDisk::new(0);
    let (mut journal, _) = open(&disk, options(1 << 30)).unwrap();
    let before = disk.syncs();
    for n in 0..10_000 {
        journal.append(&payload(n, 0, 50)).unwrap();
    }
    journal.sync().unwrap();
    journal.sync().unwrap();
    assert_eq!(disk.syncs() - before, 1);
}

#[test]
fn reading_may_start_anywhere_and_crosses_segments() {
    let disk = FaultyDisk::new(0);
    let (mut journal, _) = open(&disk, options(600_000)).unwrap();
    let len = |n: u64| 1 + usize::try_from(n * 7919 % 3000).unwrap();
    for n in 0..1500 {
        journal.append(&payload(n, 0, len(n))).unwrap();
        if n % 97 == 0 {
            journal.sync().unwrap();
        }
    }
    journal.sync().unwrap();
    assert!(journal.segments().len() >= 4);
    for reopened in [false, true] {
        if reopened {
            drop(journal);
            journal = open(&disk, options(600_000)).unwrap().0;
        }
        for from in (0..1500).step_by(37) {
            let mut expect = from;
            for record in journal.read_from(Position(from)) {
                let (position, bytes) = record.unwrap();
                assert_eq!((position.0, bytes), (expect, payload(expect, 0, len(expect))));
                expect += 1;
            }
            assert_eq!(expect, 1500);
        }
        assert!(journal.read_from(Position(1500)).next().is_none());
    }
}

#[test]
fn dropping_gives_space_back_and_old_readers_are_told() {
    let disk = FaultyDisk::new(0);
    let (mut journal, _) = open(&disk, options(2000)).unwrap();
    for n in 0..20 {
        journal.append(&payload(n, 0, 500)).unwrap();
    }
    journal.sync().unwrap();
    let total: u64 = journal.segments().iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(journal.bytes(), total);
    let mut behind = journal.read_from(Position(0));
    behind.next().unwrap().unwrap();
    let freed = journal.drop_before(Position(10)).unwrap();
    assert!(freed > 3000);
    assert_eq!(journal.bytes(), total - freed);
    let first = journal.first();
    assert!(first <= Position(10) && first > Position(5), "{first}");
    // A reader that stands in a dropped file may finish it, and is then told; it never skips.
    let mut expect = 1;
    let end = loop {
        match behind.next() {
            Some(Ok((position, _))) => {
                assert_eq!(position.0, expect);
                expect += 1;
            }
            other => break other,
        }
    };
    assert!(
        matches!(end, Some(Err(JournalError::Dropped { position, first: f })) if position == expect && f == first.0)
    );
    assert_eq!(journal.drop_before(Position(10)).unwrap(), 0);
    assert!(matches!(journal.read_from(Position(0)).next(), Some(Err(JournalError::Dropped { .. }))));
}

#[test]
fn rolling_lets_everything_be_dropped_and_numbers_go_on() {
    let disk = FaultyDisk::new(0);
    let start = Options { start: Position(1), ..options(1 << 20) };
    let (mut journal, _) = open(&disk, start).unwrap();
    assert_eq!(journal.append(b"first").unwrap(), Position(1));
    journal.roll().unwrap();
    journal.roll().unwrap();
    journal.drop_before(Position(2)).unwrap();
    assert_eq!((journal.first(), journal.next()), (Position(2), Position(2)));
    drop(journal);
    let (mut journal, found) = open(&disk, start).unwrap();
    assert!(!found.created && found.torn_bytes == 0);
    assert_eq!(journal.append(b"second").unwrap(), Position(2));
    journal.sync().unwrap();
    assert_eq!(all(&journal), [(Position(2), b"second".to_vec())]);
}

#[test]
fn limits_are_refused_without_harm() {
    let disk = FaultyDisk::new(0);
    let small = Options { max_record: 100, ..options(1000) };
    let (mut journal, _) = open(&disk, small).unwrap();
    assert!(matches!(journal.append(&[0; 101]), Err(JournalError::TooLarge { len: 101, max: 100 })));
    assert!(matches!(journal.append(b""), Err(JournalError::Empty)));
    journal.append(&[0; 100]).unwrap();
    journal.sync().unwrap();
    assert_eq!(journal.bytes(), 40 + RECORD_OVERHEAD + 100);
    let roomy = Options { segment_bytes: 10, ..options(10) };
    let other = FaultyDisk::new(1);
    let (mut journal, _) = open(&other, roomy).unwrap();
    for n in 0..3 {
        journal.append(&payload(n, 0, 50)).unwrap();
    }
    journal.sync().unwrap();
    assert_eq!(journal.segments().len(), 3, "a record larger than a segment gets its own");
    assert_eq!(all(&journal).len(), 3);
}
