//! A log that is not what was published is not opened, and what was signed outlives every crash.

use base::Secret;
use grant::{Event, Outcome};
use journal::faulty::FaultyDisk;

use super::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const SEGMENT: u64 = 4096;

fn folder() -> &'static Path {
    Path::new("/house/log")
}

fn signer() -> LogSigner {
    LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap()
}

fn open(disk: &FaultyDisk) -> Result<Log, LogError> {
    Log::open(Arc::new(disk.clone()), folder(), SEGMENT, signer(), None)
}

fn event(n: u64) -> Bytes {
    let event = Event::new(NOW, "archive", "read-readings", Outcome::Allowed);
    Event { detail: format!("question {n}"), ..event }.encode().into()
}

fn journal(disk: &FaultyDisk) -> Journal {
    let options = Options { segment_bytes: SEGMENT, max_record: MAX_RECORD, ..Options::new(MAGIC) };
    Journal::open(Arc::new(disk.clone()), folder(), options).unwrap().0
}

/// A log of ten entries whose stored records were changed, with checksums that fit again, held against the checkpoint
/// of the first `published` of them.
fn tampered(published: u64, change: impl Fn(&mut Vec<Vec<u8>>)) -> Result<Log, LogError> {
    let (disk, forged) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let mut log = open(&disk).unwrap();
    let mut kept = None;
    for n in 1..=10 {
        log.append(&event(n), NOW).unwrap();
        let signed = log.sync().unwrap();
        if n == published {
            kept = Some(Checkpoint::new("house/log", signed.size, signed.root).unwrap());
        }
    }
    drop(log);
    let mut records = journal(&disk).read_from(Position(0));
    let mut stored = Vec::new();
    while let Some(next) = records.next_record() {
        stored.push(next.unwrap().1.to_vec());
    }
    change(&mut stored);
    let mut copy = journal(&forged);
    stored.iter().for_each(|bytes| _ = copy.append(bytes).unwrap());
    copy.sync().unwrap();
    drop(copy);
    Log::open(Arc::new(forged), folder(), SEGMENT, signer(), kept.as_ref())
}

#[test]
fn a_log_that_is_not_what_was_published_is_not_opened() {
    assert!(tampered(8, |_| ()).is_ok());
    let changed = tampered(8, |all| all[3] = entry_bytes(NOW, &event(99)));
    assert!(matches!(changed, Err(LogError::Broken { index: 7, .. })));
    let of_another_time = tampered(8, |all| all[3] = entry_bytes(NOW.plus(1), &event(4)));
    assert!(matches!(of_another_time, Err(LogError::Broken { index: 7, .. })));
    let swapped = tampered(8, |all| all.swap(2, 5));
    assert!(matches!(swapped, Err(LogError::Broken { index: 7, .. })));
    let removed = tampered(8, |all| _ = all.remove(4));
    assert!(matches!(removed, Err(LogError::Broken { index: 7, .. })));
    let unreadable = tampered(8, |all| all[6] = vec![0xff; 40]);
    assert!(matches!(unreadable, Err(LogError::Broken { index: 6, .. })));
    let cut_off = tampered(8, |all| all.truncate(6));
    assert!(matches!(cut_off, Err(LogError::CutOff { found: 6, published: 8 })));
    assert!(tampered(8, |all| all.truncate(9)).is_ok(), "what nobody published only others can miss");
}

#[test]
fn times_follow_indexes_over_restarts_but_a_clock_that_was_set_back_is_believed() {
    let disk = FaultyDisk::new(4);
    let mut log = open(&disk).unwrap();
    assert_eq!(log.append(&event(1), NOW).unwrap().at, NOW);
    assert_eq!(log.append(&event(2), NOW.plus(-3)).unwrap().at, NOW);
    log.sync().unwrap();
    drop(log);
    let mut log = open(&disk).unwrap();
    assert_eq!(log.append(&event(3), NOW.plus(-4)).unwrap().at, NOW);
    assert_eq!(log.append(&event(4), NOW.plus(7)).unwrap().at, NOW.plus(7));
    let set_back = NOW.plus(-3_600_000);
    assert_eq!(log.append(&event(5), set_back).unwrap().at, set_back);
    assert_eq!(log.append(&event(6), set_back.plus(1)).unwrap().at, set_back.plus(1));
}

#[test]
fn a_crash_between_append_and_fsync_loses_no_entry_that_was_signed() {
    let (mut torn, mut kept_unsynced) = (0, 0);
    for seed in 0..300 {
        let disk = FaultyDisk::new(seed);
        let mut signed = Vec::new();
        disk.cut_after(8 + seed % 40);
        let mut run = || -> Result<(), LogError> {
            let mut log = open(&disk)?;
            for n in 1..=20 {
                log.append(&event(n), NOW)?;
                if n % 3 == 0 {
                    signed.push(log.sync()?);
                }
            }
            Ok(())
        };
        let _ = run();
        disk.cut_power();
        disk.restart();
        let log = open(&disk).unwrap();
        torn += u64::from(log.torn_bytes() > 0);
        let newest = signed.last().map_or(0, |s| s.size);
        kept_unsynced += u64::from(log.size() > newest);
        assert!(log.size() >= newest, "seed {seed}: a signed entry is gone");
        let mut again = Issuer::new(signer(), WINDOW);
        let mut records = log.reader().read_from(Position(0));
        while let Some(next) = records.next_record() {
            again.append(next.unwrap().1).unwrap();
            if let Some(then) = signed.iter().find(|s| s.size == again.size()) {
                assert_eq!(then.root, again.root(), "seed {seed}");
            }
        }
        assert_eq!(again.root(), log.issuer.root());
    }
    assert!(torn > 10 && kept_unsynced > 10, "{torn} {kept_unsynced}");
}

proptest::proptest! {
    #[test]
    fn no_stored_bytes_panic(bytes: Vec<u8>) {
        let _ = follow(&mut Issuer::new(signer(), WINDOW), Position(0), &bytes);
    }
}
