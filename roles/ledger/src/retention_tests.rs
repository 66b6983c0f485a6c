//! A log of many months, of which what is too old is removed, with every proof as before.

use std::path::Path;

use base::{Month, Secret};
use bytes::Bytes;
use house::LedgerConfig;
use journal::Disk as _;
use journal::faulty::FaultyDisk;
use link::Shutdown;
use tlog::key::LogSigner;
use tlog::verify::{Depth, LogSource, Report, whole};
use tlog::{BundleId, Checkpoint, TileId, TileSource};

use super::*;
use crate::entries::{Entries, EntryError};
use crate::life::{CONFIGURED, Found, begin};
use crate::log::Log;
use crate::publisher::Publisher;
use crate::writer::Writer;

/// Entries a month.
const A_MONTH: u64 = 600;
/// Months that are written.
const MONTHS: u64 = 18;
const DAY_MS: i64 = 24 * 3_600_000;

fn signer() -> LogSigner {
    LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap()
}

fn month(n: u64) -> Month {
    Month::from_number("2026-01".parse::<Month>().unwrap().number() + u32::try_from(n).unwrap())
}

/// The middle of the last month that was written.
fn now() -> UtcMillis {
    month(MONTHS - 1).begins().plus(20 * DAY_MS)
}

fn tiles(disk: &FaultyDisk) -> Tiles {
    Tiles::new(Arc::new(disk.clone()), Path::new("/tiles"))
}

fn published(disk: &FaultyDisk) -> Option<Checkpoint> {
    tiles(disk).published(&signer().verifier()).unwrap().map(|published| published.checkpoint)
}

fn open(disk: &FaultyDisk) -> Result<Log, LogError> {
    Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20, signer(), published(disk).as_ref())
}

fn publish(disk: &FaultyDisk, log: &mut Log) {
    let out = tiles(disk).published(&signer().verifier()).unwrap();
    let foot = log.footing().now();
    let mut publisher = Publisher::open(tiles(disk), log.reader(), out.as_ref(), foot.as_deref());
    publisher.publish(&log.sync().unwrap()).unwrap();
}

/// Says how long the log is kept, and writes the months, each with as many entries.
fn write(disk: &FaultyDisk, keep_months: u32, months: u64) {
    let mut log = open(disk).unwrap();
    let configured = Event::new(month(0).begins(), "ledger", CONFIGURED, Outcome::Done);
    let detail = format!("the first settings; all: keep_months={keep_months}, review.sample=20");
    log.append(&Event { detail, ..configured }.encode().into(), month(0).begins()).unwrap();
    for n in 0..months {
        for of in 0..A_MONTH {
            let at = month(n).begins().plus(1 + i64::try_from(of).unwrap() * 4_000_000);
            let event = Event::new(at, "archive", "read-readings", Outcome::Allowed);
            let event = Event { on_behalf: format!("staff-{n}"), subjects: vec![[7; 16]], ..event };
            log.append(&Bytes::from(event.encode()), at).unwrap();
        }
    }
    publish(disk, &mut log);
}

struct House {
    retention: Retention,
    entries: Entries,
    writer: Writer,
    shutdown: Shutdown,
}

impl House {
    fn new(disk: &FaultyDisk) -> Self {
        let log = open(disk).unwrap();
        let (footing, key, shutdown) = (log.footing(), signer().verifier(), Shutdown::new());
        let counters = Arc::new(Counters::new());
        let (ledger, writer) =
            Ledger::start(log, tiles(disk), key.clone(), Arc::clone(&counters), shutdown.clone()).unwrap();
        let (entries, ledger) = (ledger.entries(), Arc::new(ledger));
        let retention = Retention {
            history: ledger.history(),
            reader: entries.reader(),
            footing,
            tiles: tiles(disk),
            key,
            log: OwnLog::new(Arc::clone(&ledger)),
            counters,
            ledger,
        };
        Self { retention, entries, writer, shutdown }
    }

    /// Stops it, with all that it recorded published.
    async fn stop(self, disk: &FaultyDisk) {
        self.shutdown.cancel();
        drop(self.retention);
        tokio::task::spawn_blocking(|| self.writer.finish()).await.unwrap().unwrap();
        publish(disk, &mut open(disk).unwrap());
    }
}

/// The public copy, as an auditor has it.
struct Copy(Tiles, FaultyDisk);

impl TileSource for Copy {
    type Error = String;
    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, String> {
        self.0.tile(id).map_err(|e| e.to_string())
    }
}

impl LogSource for Copy {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, String> {
        let read = |id: BundleId| {
            let path = Path::new("/tiles").join(id.path());
            journal::read_whole(&self.1, &path, 1 << 22).map_err(|e| e.to_string())
        };
        let full = || BundleId::new(id.index(), TILE_WIDTH).ok().and_then(|id| read(id).transpose());
        read(id)?.map(Ok).or_else(full).unwrap_or_else(|| Err(format!("{} is missing", id.path())))
    }
}

fn verify(disk: &FaultyDisk, kept: &[Checkpoint], depth: Depth) -> Result<Report, String> {
    let shown = published(disk).unwrap();
    whole(Copy(tiles(disk), disk.clone()), &shown, kept, depth).map_err(|fault| fault.to_string())
}

/// Whether bytes stand in any file of the house.
fn stands_anywhere(disk: &FaultyDisk, needle: &str) -> bool {
    fn walk(disk: &FaultyDisk, folder: &Path, needle: &str) -> bool {
        disk.list(folder).unwrap_or_default().into_iter().any(|name| {
            let path = folder.join(name);
            match journal::read_whole(disk, &path, 1 << 24) {
                Ok(Some(bytes)) => memchr::memmem::find(&bytes, needle.as_bytes()).is_some(),
                _ => walk(disk, &path, needle),
            }
        })
    }
    ["/log", "/tiles"].iter().any(|folder| walk(disk, Path::new(folder), needle))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_gone_from_every_file_and_every_proof_holds() {
    let disk = FaultyDisk::new(0);
    write(&disk, 13, MONTHS);
    let kept = published(&disk).unwrap();
    assert!(stands_anywhere(&disk, "staff-0") && stands_anywhere(&disk, "staff-2"));
    let house = House::new(&disk);
    let whole_size = house.entries.durable();

    let first = house.retention.remove(now()).await.unwrap().unwrap();
    assert!(
        first.is_multiple_of(256) && first <= 1 + A_MONTH * (MONTHS - 1 - 13),
        "nothing that is kept: {first}"
    );
    assert!(
        first > A_MONTH * (MONTHS - 1 - 13 - 1),
        "a file a week: all but the last days of a month is gone"
    );
    assert_eq!(house.entries.first(), first);
    let gone = house.entries.at(first - 1).unwrap_err();
    assert!(
        matches!(gone, EntryError::Removed { position, first: said } if position == first - 1 && said == first)
    );
    assert_eq!(house.entries.at(first).unwrap().position, first);
    // it is said in the log, and how the log is set up is said once more
    let said = house.entries.some(whole_size, 10).unwrap();
    let said: Vec<(&str, &str)> =
        said.iter().map(|e| (e.event.action.as_str(), e.event.detail.as_str())).collect();
    let removal = format!("entries before {first} are removed: from before 2026-05, kept for 13 months");
    assert_eq!(
        said,
        [(CONFIGURED, "as before; all: keep_months=13, review.sample=20"), (PRUNED, removal.as_str())]
    );
    assert_eq!(house.retention.remove(now()).await.unwrap(), None, "once");
    let reviews = house.retention.history.reviews(now());
    assert!(
        reviews.iter().all(|review| review.span.first >= first) && reviews.len() == 13,
        "{}",
        reviews.len()
    );
    house.stop(&disk).await;

    assert!(!stands_anywhere(&disk, "staff-0") && !stands_anywhere(&disk, "staff-2"), "it is gone");
    assert!(stands_anywhere(&disk, "staff-4"));
    let depth = Depth::EntriesFrom(first);
    assert_eq!(verify(&disk, std::slice::from_ref(&kept), depth).unwrap().kept, 1, "it goes on from before");
    assert!(verify(&disk, &[], Depth::Entries).unwrap_err().contains("entry 0"), "the entries are not there");
    // receipts of what is kept are made and proved as before, in a house that was started anew
    let house = House::new(&disk);
    assert_eq!((house.entries.first(), house.entries.durable()), (first, whole_size + 2));
    assert_eq!(house.retention.history.reviews(now()), reviews);
    assert_eq!(
        house.retention.history.configured().unwrap().detail,
        "as before; all: keep_months=13, review.sample=20"
    );
    let event = Event::new(now(), "ledger", "test", Outcome::Done);
    house.retention.log.record_one(event).await.unwrap();
    house.stop(&disk).await;
    assert_eq!(verify(&disk, &[kept], depth).unwrap().entries, whole_size + 3);
    assert_eq!(tiles(&disk).tile(TileId::new(0, 0, 256).unwrap()).unwrap().len(), 8192, "the hashes stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_before_its_time_nor_by_a_clock_nor_by_a_setting_that_nobody_saw_coming() {
    let disk = FaultyDisk::new(0);
    write(&disk, 60, MONTHS);
    let house = House::new(&disk);
    assert_eq!(house.retention.remove(now()).await.unwrap(), None);
    let years_ahead = now().plus(20 * 365 * DAY_MS);
    assert_eq!(house.retention.remove(years_ahead).await.unwrap(), None);

    let shorter = |keep_months| LedgerConfig { keep_months, ..LedgerConfig::default() };
    let said = Event::new(now(), "ledger", CONFIGURED, Outcome::Done);
    let said = Event { detail: "keep_months 60 -> 13; all: keep_months=13".to_owned(), ..said };
    house.retention.history.note(house.entries.durable(), now(), &said.encode());
    assert_eq!(house.retention.history.keeps_from(now()), None, "it was said just now");
    assert_eq!(house.retention.history.keeps_from(now().plus(89 * DAY_MS)), None);
    let (from, before, keep) = house.retention.history.keeps_from(now().plus(90 * DAY_MS)).unwrap();
    assert_eq!(
        (from, before.to_string().as_str(), keep),
        (1 + 4 * A_MONTH, "2026-05", 13),
        "as many months as there are"
    );
    // what is set up in a house is what the log says of it
    let found = Found { size: 0, torn_bytes: 0 };
    begin(&house.retention.log, &house.retention.history, &found, &shorter(24)).await.unwrap();
    assert!(house.retention.history.configured().unwrap().detail.contains("keep_months 13 -> 24"));
    house.stop(&disk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_public_copy_does_not_reach_is_not_removed() {
    let disk = FaultyDisk::new(0);
    write(&disk, 13, MONTHS);
    disk.remove_dir(Path::new("/tiles")).unwrap();
    let house = House::new(&disk);
    assert!(matches!(house.retention.remove(now()).await, Err(NotRemoved::NotPublished)));
    assert_eq!(house.entries.at(0).unwrap().position, 0);
    house.stop(&disk).await;
    assert!(verify(&disk, &[], Depth::Entries).is_ok());
}

/// A log of which some was removed, and its first entry since.
async fn removed(seed: u64) -> (FaultyDisk, u64) {
    let disk = FaultyDisk::new(seed);
    write(&disk, 13, MONTHS);
    let house = House::new(&disk);
    let first = house.retention.remove(now()).await.unwrap().unwrap();
    house.stop(&disk).await;
    (disk, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_log_says_what_was_removed() {
    let (disk, first) = removed(0).await;
    let foot = Path::new("/log/foot");
    let good = journal::read_whole(&disk, foot, 1 << 20).unwrap().unwrap();
    let broken = |disk: &FaultyDisk| open(disk).err().unwrap().to_string();
    disk.remove(foot).unwrap();
    let said = broken(&disk);
    assert!(
        said.contains(&format!("entry {}", first - 1)) && said.contains("nothing that is signed"),
        "{said}"
    );
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        journal::write_atomically(&disk, foot, &bad).unwrap();
        assert!(open(&disk).is_err(), "byte {at}");
    }
    // another log's word for it
    let other = LogSigner::from_seed("house/log", &Secret::new([7; 32])).unwrap();
    let read = Foot::read(&disk, Path::new("/log"), &other.verifier());
    assert!(read.is_err());
    journal::write_atomically(&disk, foot, &good).unwrap();
    assert!(open(&disk).is_ok());
    // less than was removed, from an earlier copy of the file, does not go with the files that are there
    let whole = FaultyDisk::new(3);
    write(&whole, 13, MONTHS - 1);
    let house = House::new(&whole);
    house.retention.remove(month(MONTHS - 2).begins().plus(20 * DAY_MS)).await.unwrap().unwrap();
    house.stop(&whole).await;
    let earlier = journal::read_whole(&whole, foot, 1 << 20).unwrap().unwrap();
    journal::write_atomically(&disk, foot, &earlier).unwrap();
    assert!(open(&disk).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_it_leaves_the_log_whole_and_the_rest_is_done_at_the_next_start() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..36 {
        let disk = FaultyDisk::new(seed);
        write(&disk, 13, MONTHS);
        let kept = published(&disk).unwrap();
        let house = House::new(&disk);
        disk.cut_after(seed + seed / 2);
        let done = house.retention.remove(now()).await;
        house.shutdown.cancel();
        drop(house.retention);
        _ = tokio::task::spawn_blocking(|| house.writer.finish()).await.unwrap();
        disk.cut_power();
        disk.restart();

        let mut log = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let foot = log.footing().now();
        assert!(foot.is_some() || done.is_err(), "seed {seed}");
        if let Some(foot) = &foot {
            settle(&tiles(&disk), foot).unwrap();
            assert_eq!(
                log.reader().first().0,
                foot.removal.end,
                "seed {seed}: files that were left are gone"
            );
        }
        let first = foot.as_ref().map_or(0, |foot| foot.removal.end);
        if first > 0 {
            after += 1
        } else {
            before += 1
        }
        publish(&disk, &mut log);
        let found = verify(&disk, &[kept], Depth::EntriesFrom(first));
        assert!(found.is_ok(), "seed {seed}: {found:?}");
        drop(log);
        if first > 0 {
            assert!(!stands_anywhere(&disk, "staff-0"), "seed {seed}: something of it is left");
        }
    }
    assert!(before > 3 && after > 10, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_copy_that_is_damaged_behind_what_was_removed_is_made_anew_from_there() {
    let (disk, first) = removed(0).await;
    let out = tiles(&disk).published(&signer().verifier()).unwrap();
    let size = out.as_ref().unwrap().checkpoint.size();
    let edge = TileId::in_tree(0, size / 256, size).unwrap();
    disk.flip(&Path::new("/tiles").join(edge.path()), 5, 1).unwrap();
    assert!(verify(&disk, &[], Depth::EntriesFrom(first)).is_err());
    let mut log = open(&disk).unwrap();
    let foot = log.footing().now();
    let mut publisher = Publisher::open(tiles(&disk), log.reader(), out.as_ref(), foot.as_deref());
    publisher.publish(&log.sync().unwrap()).unwrap();
    assert_eq!(verify(&disk, &[], Depth::EntriesFrom(first)).unwrap().entries, size);
}
