//! Freshness that survives: a journal of committed batches, and snapshots that bound how much of it is read at
//! start. The journal is kept beyond the snapshot, because it also remembers verdicts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{BatchPosition, Secret, UtcMillis};
use journal::{
    Disk, Journal, JournalError, Options, Position, Reader, read_whole, write_atomically_in_parts,
};
use seal::{Place, aead};
use wire::vault::Verdict;

use super::book::{Book, Presented, TooMuchWaits};
use super::meter::WINDOW;
use super::record::{Batch, Entry};
use super::seconds::Secs;
use super::snapshot::{self, SnapshotError};
use crate::MeterNumber;
use crate::ceilings::Caps;

/// How much is remembered, and how much goes out.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of journal kept for repeating verdicts; at least what lies after the snapshot is kept.
    pub journal_bytes: u64,
    /// Batches whose verdicts are remembered; each takes some bytes of memory too.
    pub batches: u64,
    /// Bytes of journal after which a new snapshot is made.
    pub snapshot_every: u64,
    /// What goes out in an hour.
    pub caps: Caps,
}

impl Default for Limits {
    fn default() -> Self {
        Self { journal_bytes: 16 << 30, batches: 8_000_000, snapshot_every: 64 << 20, caps: Caps::default() }
    }
}

/// Why freshness cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum FreshError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record is not of this vault.
    #[error(
        "record {0} of the freshness journal was not written by this vault, or was changed; put back the file that was"
    )]
    Foreign(u64),
    /// The snapshot.
    #[error("{0}")]
    Snapshot(String),
    /// Snapshot and journal do not belong together.
    #[error(
        "the freshness journal holds records {first} to {next}, the snapshot goes on at {wanted}; put back files of the same day"
    )]
    Hole {
        /// First record kept.
        first: u64,
        /// The record after the last one.
        next: u64,
        /// Where the snapshot ends.
        wanted: u64,
    },
    /// Too much waits.
    #[error("too many judged telegrams wait for their commit; commit them first")]
    TooMuchWaits,
}

impl From<SnapshotError> for FreshError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error.to_string())
    }
}

impl From<TooMuchWaits> for FreshError {
    fn from(_: TooMuchWaits) -> Self {
        Self::TooMuchWaits
    }
}

/// What a commit came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Positions that this run has not judged and that are not final.
    pub(crate) unknown: Vec<BatchPosition>,
    /// Meters whose key has shown itself right by this.
    pub(crate) proven: Vec<MeterNumber>,
}

/// The durable book of freshness.
pub(crate) struct Freshness {
    book: Mutex<Book>,
    /// One commit at a time; also what a snapshot waits for.
    writer: Mutex<Writer>,
    reader: Reader,
    key: Secret<32>,
    disk: Arc<dyn Disk>,
    snapshot_path: PathBuf,
    limits: Limits,
}

struct Writer {
    journal: Journal,
    /// The record at which the newest snapshot ends, and the journal's size then.
    snapshot: u64,
    bytes_since: u64,
    /// Records by time, one an hour, for giving up what is older than the window.
    marks: Vec<(Secs, u64)>,
}

fn record_place(record: u64) -> Place {
    Place::new("meterkeep/vault-freshness/1").field(&record.to_le_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a panic while judging leaves at worst a judgement without its commit, which is then made anew
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Freshness {
    /// Opens the book in a folder, or begins one: the newest snapshot and what the journal holds after it.
    ///
    /// # Errors
    /// When files are damaged, of another vault, or do not belong together.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        key: Secret<32>,
        limits: Limits,
    ) -> Result<Self, FreshError> {
        let options = Options { segment_bytes: 16 << 20, ..Options::new(*b"MKFRESH1") };
        let (journal, recovered) = Journal::open(Arc::clone(&disk), &folder.join("journal"), options)?;
        let snapshot_path = folder.join("snapshot");
        let (mut book, from) = match read_whole(disk.as_ref(), &snapshot_path, 1 << 30)? {
            Some(file) => snapshot::open(&key, &file)?,
            None => (Book::default(), 0),
        };
        book.fastest = limits.caps.fastest_interval_s;
        let (first, next) = (journal.first().0, journal.next().0);
        if from < first || from > next {
            return Err(FreshError::Hole { first, next, wanted: from });
        }
        let mut marks = Vec::new();
        let mut records = journal.read_from(Position(from));
        let mut replayed = 0u64;
        while let Some(record) = records.next_record() {
            let (position, bytes) = record?;
            let batch = open_record(&key, position.0, bytes)?;
            mark(&mut marks, batch.at, position.0);
            book.commit(&batch, position.0);
            book.pay_again(&batch);
            replayed += 1;
        }
        tracing::info!(
            meters = book.meters.len(),
            replayed,
            torn = recovered.torn_bytes,
            "freshness is read"
        );
        let reader = journal.reader();
        let writer = Writer { journal, snapshot: from, bytes_since: 0, marks };
        Ok(Self {
            book: Mutex::new(book),
            writer: Mutex::new(writer),
            reader,
            key,
            disk,
            snapshot_path,
            limits,
        })
    }

    /// Judges the frames of a batch. What was judged at this position before keeps its verdict. Gives what the opened
    /// ones cost, too, in tenths of seconds of what their meters send.
    ///
    /// # Errors
    /// When too much waits for its commit, or the journal cannot be read.
    pub(crate) fn judge(
        &self,
        position: BatchPosition,
        frames: &[Presented],
        time_reliable: bool,
        now: UtcMillis,
    ) -> Result<(Vec<Verdict>, u64), FreshError> {
        let (is_final, record) = {
            let book = lock(&self.book);
            (book.finals.contains(position), book.finals.record_of(position))
        };
        let remembered = match (is_final, record) {
            (false, _) => Vec::new(),
            (true, Some(record)) => self.read(record)?,
            (true, None) => return Ok((vec![Verdict::StalePosition; frames.len()], 0)),
        };
        let mut book = lock(&self.book);
        let verdicts = book.judge(position, frames, time_reliable, remembered, Secs::of(now))?;
        Ok((verdicts, book.take_spent()))
    }

    fn read(&self, record: u64) -> Result<Vec<Entry>, FreshError> {
        let mut records = self.reader.read_from(Position(record));
        match records.next_record() {
            Some(found) => open_record(&self.key, record, found?.1).map(|batch| batch.entries),
            None => Err(FreshError::Foreign(record)),
        }
    }

    /// Makes the verdicts of positions final, durably. A position that was not judged in this run and is not
    /// final is named in the answer. Blocks for an fsync; one serves all positions of the call.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing is final then that was not before, and the vault has to be
    /// started again.
    pub(crate) fn commit(&self, positions: &[BatchPosition], now: UtcMillis) -> Result<Outcome, FreshError> {
        let mut writer = lock(&self.writer);
        let mut outcome = Outcome::default();
        let mut batches = Vec::new();
        {
            let book = lock(&self.book);
            for position in positions {
                match book.to_commit(*position, Secs::of(now)) {
                    Some(batch) => batches.push(batch),
                    None if book.finals.contains(*position) => {}
                    None => outcome.unknown.push(*position),
                }
            }
        }
        let mut records = Vec::with_capacity(batches.len());
        for batch in &batches {
            let record = writer.journal.next().0;
            let sealed = aead::seal(&self.key, 1, &record_place(record), &batch.encode())
                .map_err(|_| SnapshotError::NoRandomness)?;
            writer.bytes_since = writer.bytes_since.saturating_add(sealed.len() as u64);
            records.push(writer.journal.append(&sealed)?.0);
        }
        writer.journal.sync()?;
        {
            let mut book = lock(&self.book);
            for (batch, record) in batches.iter().zip(&records) {
                outcome.proven.append(&mut book.commit(batch, *record));
            }
        }
        if let Some(record) = records.first() {
            mark(&mut writer.marks, Secs::of(now), *record);
        }
        if writer.bytes_since >= self.limits.snapshot_every {
            self.make_snapshot(&mut writer, now)?;
        }
        Ok(outcome)
    }

    /// Makes a snapshot, so that the next start is quick.
    ///
    /// # Errors
    /// When it cannot be written; the one before is then still there.
    pub(crate) fn snapshot(&self, now: UtcMillis) -> Result<(), FreshError> {
        let mut writer = lock(&self.writer);
        if writer.journal.next().0 == writer.snapshot { Ok(()) } else { self.make_snapshot(&mut writer, now) }
    }

    fn make_snapshot(&self, writer: &mut Writer, now: UtcMillis) -> Result<(), FreshError> {
        let record = writer.journal.next().0;
        let give_up = self.give_up_before(writer, record, Secs::of(now));
        let (head, chunks) = {
            let mut book = lock(&self.book);
            book.finals.forget_before(give_up);
            (snapshot::head(&book, record), snapshot::chunks(&book))
        };
        // final states change only with the writer, which is held here: chunks that are made one after the other fit together
        let chunk = |n| snapshot::chunk(&lock(&self.book), n);
        let parts =
            snapshot::seal(&self.key, head, chunks, chunk)?.map(|part| part.map_err(FreshError::from));
        write_atomically_in_parts(self.disk.as_ref(), &self.snapshot_path, parts)?;
        writer.snapshot = record;
        writer.bytes_since = 0;
        // only now: until then the journal was needed from the snapshot before on
        writer.journal.drop_before(Position(give_up))?;
        writer.marks.retain(|(_, mark)| *mark >= give_up);
        Ok(())
    }

    /// The record before which the journal is not needed any more: older than the window, or beyond its size.
    fn give_up_before(&self, writer: &Writer, snapshot: u64, now: Secs) -> u64 {
        let old = writer.marks.partition_point(|(at, _)| now.since(*at) > WINDOW);
        let by_age = writer.marks.get(..old).and_then(<[_]>::last).map_or(0, |(_, record)| *record);
        let mut bytes = writer.journal.bytes();
        let mut by_size = 0;
        let segments = writer.journal.segments();
        for ((_, size), (next, _)) in segments.iter().zip(segments.iter().skip(1)) {
            if bytes <= self.limits.journal_bytes {
                break;
            }
            bytes = bytes.saturating_sub(*size);
            by_size = next.0;
        }
        // one record a batch
        let by_count = snapshot.saturating_sub(self.limits.batches);
        by_age.max(by_size).max(by_count).min(snapshot)
    }

    /// Up to where positions are final, and single ones above.
    pub(crate) fn positions(&self) -> (Vec<BatchPosition>, Vec<BatchPosition>) {
        let book = lock(&self.book);
        (book.finals.up_to().collect(), book.finals.single().collect())
    }

    /// Those of some positions that are not final.
    pub(crate) fn not_final(&self, positions: &[BatchPosition]) -> Vec<BatchPosition> {
        let book = lock(&self.book);
        positions.iter().filter(|p| !book.finals.contains(**p)).copied().collect()
    }

    /// How many of some meters' keys have not shown themselves right yet.
    pub(crate) fn count_unproven(&self, numbers: impl Iterator<Item = MeterNumber>) -> usize {
        let book = lock(&self.book);
        numbers.filter(|n| !book.is_proven(*n)).count()
    }

    /// Whether the keys of these meters have proved themselves, and when something opened last; in their order.
    pub(crate) fn proven(&self, numbers: impl Iterator<Item = MeterNumber>) -> Vec<(bool, Option<Secs>)> {
        let book = lock(&self.book);
        numbers.map(|n| (book.is_proven(n), book.last_heard(n))).collect()
    }

    /// Telegrams that wait for their commit, holes remembered, meters known.
    #[must_use]
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let book = lock(&self.book);
        (book.waiting(), book.gaps(), book.meters.len())
    }
}

fn open_record(key: &Secret<32>, record: u64, sealed: &[u8]) -> Result<Batch, FreshError> {
    let foreign = || FreshError::Foreign(record);
    let bytes = aead::open(key, &record_place(record), sealed).map_err(|_| foreign())?;
    Batch::decode(&bytes).map_err(|_| foreign())
}

fn mark(marks: &mut Vec<(Secs, u64)>, at: Secs, record: u64) {
    if marks.last().is_none_or(|(last, _)| at.since(*last) >= 3600) {
        marks.push((at, record));
    }
}
