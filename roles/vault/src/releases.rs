//! How often keys of each tenancy went out, durably, for which entries of the log, under which ceilings, and the newest receipt seen.
//!
//! What went out for which entry is kept until the ledger has held it against the log (decision record 0033).

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base::{MeterId, Month, Secret, TenancyId, UtcMillis};
use grant::Receipt;
use journal::{Disk, Journal, Options, Position};
use seal::{Place, aead};
use tlog::Hash;

use crate::ceilings::{By, Caps, Hour, Reached, Sealing, Taken};
use crate::codec::{Fields, Malformed, put_varint};
use crate::table::TableError;
use crate::witness::{Forked, Seen, Witness};

/// Records after which a start folds them into one.
const FOLD_AT: u64 = 2_000;

/// Releases that wait for being held against the log, at most; a house that reads that much in one night has its ledger look more
/// often, and what is let go here is counted as such.
const MAX_UNCHECKED: usize = 1_000_000;

/// Keys that went out at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    /// Where it stands in the journal.
    pub(crate) number: u64,
    /// The entry of the log that they went out for.
    pub(crate) entry: u64,
    /// Of whom how many.
    pub(crate) counts: Vec<(TenancyId, u64)>,
}

/// The durable count.
pub(crate) struct Releases {
    inner: Mutex<Inner>,
    key: Secret<32>,
}

struct Inner {
    journal: Journal,
    totals: HashMap<TenancyId, u64>,
    unchecked: VecDeque<Release>,
    /// Those that could not be kept until they were checked.
    let_go: u64,
    witness: Witness,
    hour: Hour,
}

impl Inner {
    fn keep(&mut self, release: Release) {
        if self.unchecked.len() >= MAX_UNCHECKED {
            self.unchecked.pop_front();
            self.let_go += 1;
        }
        self.unchecked.push_back(release);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    newest: Option<Seen>,
    /// The entry of the log that the keys went out for.
    entry: Option<u64>,
    /// The counts are in the sums before it already.
    summed: bool,
    /// Releases up to this number were held against the log.
    checked: Option<u64>,
    counts: Vec<(TenancyId, u64)>,
    taken: Option<Taken>,
}

fn place(position: u64) -> Place {
    Place::new("meterkeep/vault-releases/1").field(&position.to_le_bytes())
}

impl Releases {
    /// Opens the count, or begins one.
    ///
    /// # Errors
    /// When the journal is damaged or of another vault.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        key: Secret<32>,
        caps: Caps,
    ) -> Result<Self, TableError> {
        // from 1 on: whoever says that none was checked yet says 0
        let start = Position(1);
        let options = Options { segment_bytes: 4 << 20, start, ..Options::new(*b"MKRELEA1") };
        let (mut journal, _) = Journal::open(disk, folder, options)?;
        let mut totals: HashMap<TenancyId, u64> = HashMap::new();
        let (mut newest, mut unchecked) = (None, VecDeque::new());
        let (mut hour, mut of_hour) = (Hour::new(caps), Vec::new());
        let first = journal.first();
        let mut records = journal.read_from(first);
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = |_| TableError::Foreign(position.0);
            let bytes = aead::open(&key, &place(position.0), sealed).map_err(|_| foreign(Malformed))?;
            let record = Record::decode(&bytes).map_err(foreign)?;
            for (tenancy, n) in record.counts.iter().filter(|_| !record.summed) {
                *totals.entry(*tenancy).or_default() += n;
            }
            if let Some(entry) = record.entry {
                unchecked.push_back(Release { number: position.0, entry, counts: record.counts });
            }
            if let Some(checked) = record.checked {
                forget(&mut unchecked, checked);
            }
            newest = record.newest.or(newest);
            if let Some(taken) = record.taken {
                let before = hour.number();
                hour.restore(&taken);
                if hour.number() > before {
                    of_hour.clear();
                }
                of_hour.push(taken);
            }
        }
        if journal.next().0 - first.0 > FOLD_AT {
            // the sums take the place of what they were summed from
            journal.roll()?;
            let begin = journal.next();
            let all: Vec<_> = totals.iter().map(|(t, n)| (*t, *n)).collect();
            let mut parts = all.chunks(100_000).map(<[_]>::to_vec).collect::<Vec<_>>();
            parts.push(Vec::new());
            for counts in parts {
                write(&mut journal, &key, &Record { newest, counts, ..Record::default() })?;
            }
            // what nobody has held against the log yet stays as it is, under a new number
            for release in &mut unchecked {
                let (entry, counts) = (Some(release.entry), release.counts.clone());
                let record = Record { entry, summed: true, counts, ..Record::default() };
                release.number = write(&mut journal, &key, &record)?.0;
            }
            // those of this hour as they are: they count against its ceilings
            for taken in of_hour {
                write(&mut journal, &key, &Record { taken: Some(taken), ..Record::default() })?;
            }
            journal.sync()?;
            journal.drop_before(begin)?;
        }
        let witness = Witness::restored(newest);
        let inner = Inner { journal, totals, unchecked, let_go: 0, witness, hour };
        Ok(Self { inner: Mutex::new(inner), key })
    }

    /// Takes a receipt if its checkpoint goes on from what was seen of the log. That is durable with the next release.
    ///
    /// # Errors
    /// When the ledger shows two faces or was put back, or the receipt is proved from elsewhere.
    pub(crate) fn take(&self, receipt: &Receipt) -> Result<(), Forked> {
        self.lock().witness.take(receipt)
    }

    /// How many entries of the log were seen.
    pub(crate) fn log_size(&self) -> u64 {
        self.lock().witness.newest().map_or(0, |seen| seen.size)
    }

    /// Counts keys durably, before they go out for an entry of the log, if they fit under all ceilings.
    ///
    /// # Errors
    /// When the journal cannot be written: then no key goes out. Inside, the ceiling that was reached.
    pub(crate) fn count(
        &self,
        entry: u64,
        counts: Vec<(TenancyId, u64)>,
        taken: Taken,
    ) -> Result<Result<(), Reached>, TableError> {
        let mut inner = self.lock();
        // checked and written under one lock, so that two questions cannot cross
        if let Err(reached) = inner.hour.fits(&taken) {
            return Ok(Err(reached));
        }
        let newest = inner.witness.newest();
        let entry_of_log = (!counts.is_empty()).then_some(entry);
        let record = Record { newest, entry: entry_of_log, counts, taken: Some(taken), ..Record::default() };
        let number = write(&mut inner.journal, &self.key, &record)?.0;
        inner.journal.sync()?;
        record.taken.iter().for_each(|taken| inner.hour.restore(taken));
        for (tenancy, n) in &record.counts {
            *inner.totals.entry(*tenancy).or_default() += n;
        }
        if !record.counts.is_empty() {
            inner.keep(Release { number, entry, counts: record.counts });
        }
        Ok(Ok(()))
    }

    /// The oldest releases that were not held against the log yet, after those up to a number were. One at least, and no more than
    /// have so many tenancies together.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(crate) fn unchecked(&self, checked_up_to: u64, most: usize) -> Result<Vec<Release>, TableError> {
        let mut inner = self.lock();
        if inner.unchecked.front().is_some_and(|oldest| oldest.number <= checked_up_to) {
            let record = Record { checked: Some(checked_up_to), ..Record::default() };
            write(&mut inner.journal, &self.key, &record)?;
            inner.journal.sync()?;
            forget(&mut inner.unchecked, checked_up_to);
        }
        let (mut told, mut tenancies) = (Vec::new(), 0usize);
        for release in &inner.unchecked {
            tenancies = tenancies.saturating_add(release.counts.len());
            if tenancies > most && !told.is_empty() {
                break;
            }
            told.push(release.clone());
        }
        Ok(told)
    }

    /// How many releases wait for being held against the log, and how many could not be kept so long.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.unchecked.len() as u64, inner.let_go)
    }

    /// Which of the series that intake wants keys of it gets, durably counted before they go out.
    ///
    /// # Errors
    /// When the journal cannot be written: then no key goes out.
    pub(crate) fn seal(
        &self,
        wanted: &[(MeterId, Month, bool)],
        now: UtcMillis,
    ) -> Result<Sealing, TableError> {
        let mut inner = self.lock();
        let sealing = inner.hour.seal(wanted, now);
        if let Some(taken) = sealing.taken.clone() {
            self.keep(&mut inner, taken)?;
        }
        Ok(sealing)
    }

    /// Reserves decryption of this hour up to so much, durably, before the plaintext goes out.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(crate) fn reserve(&self, up_to: u64, now: UtcMillis) -> Result<(), TableError> {
        let taken = Taken { at: now, by: By::Decrypting, keys: up_to, meters: Vec::new() };
        self.keep(&mut self.lock(), taken)
    }

    fn keep(&self, inner: &mut Inner, taken: Taken) -> Result<(), TableError> {
        let record = Record { taken: Some(taken), ..Record::default() };
        write(&mut inner.journal, &self.key, &record)?;
        inner.journal.sync()?;
        record.taken.iter().for_each(|taken| inner.hour.restore(taken));
        Ok(())
    }

    /// The newest hour in which telegrams were decrypted, and how far that was reserved.
    pub(crate) fn decrypting(&self) -> (i64, u64) {
        self.lock().hour.decrypting()
    }

    /// How many records were ever written.
    pub(crate) fn position(&self) -> u64 {
        self.lock().journal.next().0
    }

    /// Keys that went out in all.
    pub(crate) fn total(&self) -> u64 {
        self.lock().totals.values().sum()
    }

    #[cfg(test)]
    pub(crate) fn of(&self, tenancy: TenancyId) -> u64 {
        self.lock().totals.get(&tenancy).copied().unwrap_or(0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget(unchecked: &mut VecDeque<Release>, checked_up_to: u64) {
    while unchecked.front().is_some_and(|release| release.number <= checked_up_to) {
        unchecked.pop_front();
    }
}

/// What a record's first byte says of it.
mod has {
    pub(super) const NEWEST: u8 = 2;
    pub(super) const ENTRY: u8 = 4;
    pub(super) const SUMMED: u8 = 8;
    pub(super) const CHECKED: u8 = 16;
    pub(super) const ALL: u8 = NEWEST | ENTRY | SUMMED | CHECKED;
}

fn write(journal: &mut Journal, key: &Secret<32>, record: &Record) -> Result<Position, TableError> {
    let sealed = aead::seal(key, 1, &place(journal.next().0), &record.encode())?;
    Ok(journal.append(&sealed)?)
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        let mut into = vec![
            flag(self.newest.is_some(), has::NEWEST)
                | flag(self.entry.is_some(), has::ENTRY)
                | flag(self.summed, has::SUMMED)
                | flag(self.checked.is_some(), has::CHECKED),
        ];
        if let Some(Seen { size, root, index, at }) = &self.newest {
            into.extend_from_slice(&size.to_le_bytes());
            into.extend_from_slice(&root.0);
            into.extend_from_slice(&index.to_le_bytes());
            into.extend_from_slice(&at.0.to_le_bytes());
        }
        for number in self.entry.iter().chain(&self.checked) {
            into.extend_from_slice(&number.to_le_bytes());
        }
        put_varint(&mut into, self.counts.len() as u64);
        for (tenancy, n) in &self.counts {
            into.extend_from_slice(&tenancy.0);
            put_varint(&mut into, *n);
        }
        self.taken.iter().for_each(|taken| taken.encode(&mut into));
        into
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(bytes);
        let flags = fields.byte()?;
        if flags & !has::ALL != 0 {
            return Err(Malformed);
        }
        let newest = if flags & has::NEWEST == 0 {
            None
        } else {
            let (size, root) = (fields.u64()?, Hash(fields.array()?));
            Some(Seen { size, root, index: fields.u64()?, at: UtcMillis(fields.i64()?) })
        };
        let entry = if flags & has::ENTRY == 0 { None } else { Some(fields.u64()?) };
        let checked = if flags & has::CHECKED == 0 { None } else { Some(fields.u64()?) };
        let count = fields.count(17)?;
        let counts = (0..count)
            .map(|_| Ok((TenancyId(fields.array()?), fields.varint()?)))
            .collect::<Result<_, Malformed>>()?;
        // records of earlier editions end here
        let taken = if fields.end().is_ok() { None } else { Some(Taken::decode(&mut fields)?) };
        fields.end()?;
        Ok(Self { newest, entry, summed: flags & has::SUMMED != 0, checked, counts, taken })
    }
}

#[cfg(test)]
mod tests {
    use grant::{Issuer, check_past_entry};
    use journal::faulty::FaultyDisk;
    use tlog::key::LogSigner;

    use super::*;

    fn open(disk: &FaultyDisk) -> Releases {
        disk.kill_process();
        Releases::open(Arc::new(disk.clone()), Path::new("/releases"), Secret::new([3; 32]), Caps::default())
            .unwrap()
    }

    fn log() -> Issuer {
        Issuer::new(LogSigner::from_seed("house/log", &Secret::new([4; 32])).unwrap(), u64::MAX)
    }

    fn receipt(log: &mut Issuer, at: u64, since: u64) -> Receipt {
        let receipt = log.record(b"event", UtcMillis(at as i64), since).unwrap();
        Receipt::clone(&check_past_entry(b"event", &receipt, &log.verifier()).unwrap())
    }

    #[test]
    fn counts_and_the_newest_receipt_survive_restarts_and_folding() {
        let disk = FaultyDisk::new(0);
        let (a, b) = (TenancyId([1; 16]), TenancyId([2; 16]));
        let releases = open(&disk);
        let mut log = log();
        for seq in 1..=FOLD_AT + 5 {
            let mut counts = vec![(a, 2)];
            counts.extend((seq % 2 == 0).then_some((b, 1)));
            let by = By::Reading { person: "anna".to_owned(), grant: [1; 16] };
            let taken = Taken { at: UtcMillis(seq as i64), by, keys: 1, meters: vec![7] };
            releases.take(&receipt(&mut log, seq, seq - 1)).unwrap();
            releases.count(seq, counts, taken).unwrap().unwrap();
            if seq % 10 == 0 {
                releases.unchecked(releases.position() - 5, 1).unwrap();
            }
        }
        drop(releases);
        for _ in 0..3 {
            let releases = open(&disk);
            assert_eq!(releases.of(a), 2 * (FOLD_AT + 5));
            assert_eq!(releases.of(b), (FOLD_AT + 5) / 2);
            assert_eq!(releases.total(), releases.of(a) + releases.of(b));
            let last = FOLD_AT + 5;
            let waiting = releases.unchecked(0, usize::MAX).unwrap();
            let entries: Vec<u64> = waiting.iter().map(|release| release.entry).collect();
            assert_eq!(entries, (1997..=last).collect::<Vec<_>>(), "what was checked is not told again");
            assert!(waiting.iter().all(|release| release.counts.first() == Some(&(a, 2))));
            assert!(waiting.is_sorted_by_key(|release| release.number));
            assert_eq!(releases.log_size(), last);
            let mut put_back = self::log();
            assert_eq!(
                releases.take(&receipt(&mut put_back, 1 << 40, 0)).unwrap_err().code(),
                "log-put-back"
            );
            (1..last).for_each(|_| _ = receipt(&mut put_back, 1, 0));
            let other_face = receipt(&mut put_back, last, last);
            assert_eq!(releases.take(&other_face), Err(Forked::TwoFaces(last)));
        }
        assert!(open(&disk).lock().journal.next().0 - open(&disk).lock().journal.first().0 < 20);
    }
}
