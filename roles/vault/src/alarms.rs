//! What somebody should look into: counted, and kept in a sealed journal until the archive has it in the log.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Secret, UtcMillis};
use house::Counters;
use journal::{Disk, Journal, Options, Position};
use prost::Message;
use seal::{Place, aead};
use wire::alarm::{Alarm, AlarmsRequest, MAX_ALARMS};

use crate::decoys::DECOY;
use crate::table::TableError;
use crate::vault::{Failure, Vault};

const HOUR: i64 = 3_600_000;
/// Alarms that wait for the log, at most; more are counted only, so that nobody fills the disk with them.
const MAX_UNTOLD: usize = 10_000;

/// The alarms.
pub(crate) struct Alarms {
    inner: Mutex<Inner>,
    key: Secret<32>,
    counters: Arc<Counters>,
}

struct Inner {
    journal: Journal,
    next: u64,
    untold: VecDeque<Alarm>,
    /// In which hour each was raised last: the same is told once an hour.
    raised: HashMap<(String, String), i64>,
    /// What was done to decoys: about which, when, and the sentence.
    of_decoys: Vec<(String, i64, String)>,
}

/// A step in the journal.
#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(message, optional, tag = "1")]
    alarm: Option<Alarm>,
    /// What it was about, so that it is told once an hour.
    #[prost(string, tag = "2")]
    about: String,
    /// All up to here are in the log.
    #[prost(uint64, tag = "3")]
    told: u64,
}

fn place(position: u64) -> Place {
    Place::new("meterkeep/vault-alarms/1").field(&position.to_le_bytes())
}

impl Alarms {
    /// Opens the alarms, or begins them.
    ///
    /// # Errors
    /// When the journal is damaged or of another vault.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        key: Secret<32>,
        counters: Arc<Counters>,
    ) -> Result<Self, TableError> {
        let options = Options { segment_bytes: 4 << 20, ..Options::new(*b"MKALARM1") };
        let (journal, _) = Journal::open(disk, folder, options)?;
        let (mut next, mut untold, mut raised) = (1, VecDeque::new(), HashMap::new());
        let mut of_decoys = Vec::new();
        let mut records = journal.read_from(journal.first());
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = || TableError::Foreign(position.0);
            let bytes = aead::open(&key, &place(position.0), sealed).map_err(|_| foreign())?;
            let record = Record::decode(bytes.as_slice()).map_err(|_| foreign())?;
            untold.retain(|alarm: &Alarm| alarm.number > record.told);
            if let Some(alarm) = record.alarm {
                next = alarm.number.saturating_add(1);
                if alarm.code == DECOY {
                    of_decoys.push((record.about.clone(), alarm.at_ms, alarm.text.clone()));
                }
                raised.insert((alarm.code.clone(), record.about), alarm.at_ms.div_euclid(HOUR));
                untold.push_back(alarm);
            }
        }
        Ok(Self { inner: Mutex::new(Inner { journal, next, untold, raised, of_decoys }), key, counters })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, inner: &mut Inner, record: &Record) -> Result<(), TableError> {
        let Position(position) = inner.journal.next();
        let sealed = aead::seal(&self.key, 1, &place(position), &record.encode_to_vec())?;
        inner.journal.append(&sealed)?;
        Ok(inner.journal.sync()?)
    }

    /// Raises an alarm, the same once an hour: `text` says who, without secrets.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(crate) fn raise(
        &self,
        code: &'static str,
        about: &str,
        text: &str,
        now: UtcMillis,
    ) -> Result<(), TableError> {
        let mut inner = self.lock();
        let hour = now.0.div_euclid(HOUR);
        inner.raised.retain(|_, raised| *raised >= hour);
        let this = (code.to_owned(), about.to_owned());
        if inner.raised.contains_key(&this) {
            return Ok(());
        }
        self.counters.add(format!("alarm.{code}"), 1);
        self.counters.note(text);
        tracing::warn!(code, text, "alarm");
        if inner.untold.len() >= MAX_UNTOLD {
            self.counters.add("alarms.dropped", 1);
            return Ok(());
        }
        let (code, text) = (code.to_owned(), text.to_owned());
        let alarm = Alarm { number: inner.next, at_ms: now.0, code, text };
        let record = Record { alarm: Some(alarm.clone()), about: about.to_owned(), told: 0 };
        self.write(&mut inner, &record)?;
        inner.next = inner.next.saturating_add(1);
        if alarm.code == DECOY {
            inner.of_decoys.push((about.to_owned(), alarm.at_ms, alarm.text.clone()));
        }
        inner.untold.push_back(alarm);
        inner.raised.insert(this, hour);
        Ok(())
    }

    /// What was done to decoys: about which, when, and the sentence.
    pub(crate) fn of_decoys(&self) -> Vec<(String, i64, String)> {
        self.lock().of_decoys.clone()
    }

    /// Those that are not in the log, after all up to `told` are said to be.
    fn untold(&self, told: u64) -> Result<Vec<Alarm>, TableError> {
        let mut inner = self.lock();
        let before = inner.untold.len();
        inner.untold.retain(|alarm| alarm.number > told);
        if inner.untold.len() < before {
            self.write(&mut inner, &Record { told, ..Record::default() })?;
        }
        Ok(inner.untold.iter().take(MAX_ALARMS).cloned().collect())
    }
}

impl Vault {
    /// The alarms that are not in the log yet.
    ///
    /// # Errors
    /// [`Failure::Broken`] when the disk fails.
    pub fn untold_alarms(&self, question: &AlarmsRequest) -> Result<wire::alarm::Alarms, Failure> {
        Ok(wire::alarm::Alarms { alarms: self.alarms.untold(question.recorded_up_to)? })
    }
}

#[cfg(test)]
mod tests {
    use journal::faulty::FaultyDisk;

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    #[test]
    fn an_alarm_is_told_until_it_is_in_the_log_and_raised_once_an_hour_also_after_a_restart() {
        let disk = FaultyDisk::new(0);
        let open = || {
            disk.kill_process();
            let counters = Arc::new(Counters::new());
            let folder = Path::new("/alarms");
            Alarms::open(Arc::new(disk.clone()), folder, Secret::new([3; 32]), counters).unwrap()
        };
        let told = |alarms: &Alarms, up_to| -> Vec<(u64, String)> {
            alarms.untold(up_to).unwrap().into_iter().map(|a| (a.number, a.text)).collect()
        };
        let alarms = open();
        for (about, text) in [("anna", "one"), ("anna", "again"), ("bo", "two")] {
            alarms.raise("ceiling", about, text, NOW).unwrap();
        }
        assert_eq!(alarms.counters.get("alarm.ceiling"), 2);
        let both = [(1, "one".to_owned()), (2, "two".to_owned())];
        assert_eq!(told(&alarms, 0), both);
        let alarms = open();
        alarms.raise("ceiling", "anna", "again", NOW).unwrap();
        assert_eq!(told(&alarms, 0), both);
        assert_eq!(told(&alarms, 1), both[1..]);
        let alarms = open();
        assert_eq!(told(&alarms, 0), both[1..]);
        alarms.raise("ceiling", "anna", "later", NOW.plus(HOUR)).unwrap();
        assert_eq!(told(&alarms, 2), [(3, "later".to_owned())]);
        assert_eq!(told(&alarms, 3), []);
        assert_eq!(told(&open(), 0), []);
    }
}
