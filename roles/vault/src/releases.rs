//! How often keys of each tenancy went out to the archive, durably, under which ceilings, and the newest receipt seen.

use std::collections::HashMap;
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

/// The durable count.
pub(crate) struct Releases {
    inner: Mutex<Inner>,
    key: Secret<32>,
}

struct Inner {
    journal: Journal,
    totals: HashMap<TenancyId, u64>,
    witness: Witness,
    hour: Hour,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    newest: Option<Seen>,
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
        let options = Options { segment_bytes: 4 << 20, ..Options::new(*b"MKRELEA1") };
        let (mut journal, _) = Journal::open(disk, folder, options)?;
        let mut totals: HashMap<TenancyId, u64> = HashMap::new();
        let mut newest = None;
        let (mut hour, mut of_hour) = (Hour::new(caps), Vec::new());
        let first = journal.first();
        let mut records = journal.read_from(first);
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = |_| TableError::Foreign(position.0);
            let bytes = aead::open(&key, &place(position.0), sealed).map_err(|_| foreign(Malformed))?;
            let record = Record::decode(&bytes).map_err(foreign)?;
            for (tenancy, n) in record.counts {
                *totals.entry(tenancy).or_default() += n;
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
                write(&mut journal, &key, &Record { newest, counts, taken: None })?;
            }
            // those of this hour as they are: they count against its ceilings
            for taken in of_hour {
                write(&mut journal, &key, &Record { taken: Some(taken), ..Record::default() })?;
            }
            journal.sync()?;
            journal.drop_before(begin)?;
        }
        let inner = Inner { journal, totals, witness: Witness::restored(newest), hour };
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

    /// Counts keys durably, before they go out, if they fit under all ceilings.
    ///
    /// # Errors
    /// When the journal cannot be written: then no key goes out. Inside, the ceiling that was reached.
    pub(crate) fn count(
        &self,
        counts: Vec<(TenancyId, u64)>,
        taken: Taken,
    ) -> Result<Result<(), Reached>, TableError> {
        let mut inner = self.lock();
        // checked and written under one lock, so that two questions cannot cross
        if let Err(reached) = inner.hour.fits(&taken) {
            return Ok(Err(reached));
        }
        let newest = inner.witness.newest();
        let record = Record { newest, counts, taken: Some(taken) };
        write(&mut inner.journal, &self.key, &record)?;
        inner.journal.sync()?;
        record.taken.iter().for_each(|taken| inner.hour.restore(taken));
        for (tenancy, n) in record.counts {
            *inner.totals.entry(tenancy).or_default() += n;
        }
        Ok(Ok(()))
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

fn write(journal: &mut Journal, key: &Secret<32>, record: &Record) -> Result<Position, TableError> {
    let sealed = aead::seal(key, 1, &place(journal.next().0), &record.encode())?;
    Ok(journal.append(&sealed)?)
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let mut into = vec![if self.newest.is_some() { 2 } else { 0 }];
        if let Some(Seen { size, root, index, at }) = &self.newest {
            into.extend_from_slice(&size.to_le_bytes());
            into.extend_from_slice(&root.0);
            into.extend_from_slice(&index.to_le_bytes());
            into.extend_from_slice(&at.0.to_le_bytes());
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
        let newest = match fields.byte()? {
            0 => None,
            2 => {
                let (size, root) = (fields.u64()?, Hash(fields.array()?));
                Some(Seen { size, root, index: fields.u64()?, at: UtcMillis(fields.i64()?) })
            }
            _ => return Err(Malformed),
        };
        let count = fields.count(17)?;
        let counts = (0..count)
            .map(|_| Ok((TenancyId(fields.array()?), fields.varint()?)))
            .collect::<Result<_, Malformed>>()?;
        // records of earlier editions end here
        let taken = if fields.end().is_ok() { None } else { Some(Taken::decode(&mut fields)?) };
        fields.end()?;
        Ok(Self { newest, counts, taken })
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
            releases.count(counts, taken).unwrap().unwrap();
        }
        drop(releases);
        for _ in 0..3 {
            let releases = open(&disk);
            assert_eq!(releases.of(a), 2 * (FOLD_AT + 5));
            assert_eq!(releases.of(b), (FOLD_AT + 5) / 2);
            assert_eq!(releases.total(), releases.of(a) + releases.of(b));
            let last = FOLD_AT + 5;
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
        assert!(open(&disk).lock().journal.next().0 - open(&disk).lock().journal.first().0 < 10);
    }
}
