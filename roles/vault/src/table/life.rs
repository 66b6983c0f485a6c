//! The lives of keys: when each was brought, proven, exposed, changed and retired, and by whom.

use std::collections::HashMap;

use base::{Secret, SecretBytes, UtcMillis};
use seal::meter::dlms::agree::{transfer_of_encryption_key, wrap};
use seal::{Place, SealError, aead};
use wire::custody::Step;

use super::record::Record;
use super::{Content, Table, TableError};
use crate::MeterNumber;

/// The place's role of a new encryption key that waits for its meter.
pub(super) const NEXT: &str = "GUEK next";

/// What happened to each meter's keys, beside their delivery.
#[derive(Default)]
pub(crate) struct Lives {
    events: HashMap<MeterNumber, Vec<Event>>,
    /// From when on telegrams are refused.
    retired: HashMap<MeterNumber, UtcMillis>,
    /// When a new key was made that the meter has not shown yet.
    pending: HashMap<MeterNumber, UtcMillis>,
    /// When each key was proven first; with the bit of DLMS where it is that of a port.
    proven: HashMap<MeterNumber, UtcMillis>,
}

struct Event {
    what: &'static str,
    by: String,
    at: UtcMillis,
}

impl Lives {
    fn happened(&mut self, number: MeterNumber, what: &'static str, by: String, at: UtcMillis) {
        self.events.entry(number).or_default().push(Event { what, by, at });
    }

    /// Whether no key was ever retired, so that the everyday path looks no further.
    pub(crate) fn none_retired(&self) -> bool {
        self.retired.is_empty()
    }

    /// From when on a meter's telegrams are refused.
    pub(crate) fn retired_from(&self, number: MeterNumber) -> Option<UtcMillis> {
        self.retired.get(&number.plain()).copied()
    }

    /// Whether a new key waits for its meter.
    pub(crate) fn is_pending(&self, number: MeterNumber) -> bool {
        self.pending.contains_key(&number.plain())
    }

    /// When a key was proven first, as far as that was noted.
    pub(crate) fn proven_at(&self, number: MeterNumber) -> Option<UtcMillis> {
        self.proven.get(&number).copied()
    }

    /// What happened, oldest first.
    pub(crate) fn steps(&self, number: MeterNumber) -> Vec<Step> {
        let events = self.events.get(&number.plain()).map(Vec::as_slice).unwrap_or_default();
        let step = |e: &Event| Step { what: e.what.to_owned(), by: e.by.clone(), at_ms: e.at.0 };
        events.iter().map(step).collect()
    }
}

impl Content {
    pub(super) fn apply_life(&mut self, key: &Secret<32>, record: Record) -> Result<(), SealError> {
        let lives = &mut self.lives;
        match record {
            Record::Retired { number, from, at, person } if from.0 == i64::MAX => {
                lives.retired.remove(&number);
                lives.happened(number, "retire-taken-back", person, at);
            }
            Record::Retired { number, from, at, person } => {
                lives.retired.insert(number, from);
                lives.happened(number, "retired", person, at);
            }
            Record::Rekey { number, at, person, sealed } => {
                let place = Place::meter_key(number.as_bytes(), NEXT);
                let next = SecretBytes::new(aead::open(key, &place, &sealed)?);
                self.units.set_pending(number, next);
                lives.pending.insert(number, at);
                lives.happened(number, "rekey-requested", person, at);
            }
            Record::Rekeyed { number, heard, at } => {
                self.units.promote(number, heard);
                lives.pending.remove(&number);
                lives.happened(number, "replaced", String::new(), at);
            }
            Record::Proven { number, at } => {
                lives.proven.entry(number).or_insert(at);
            }
            Record::ExposedBy { number, at, person } => {
                lives.happened(number, "exposed", person, at);
            }
            // all others are applied before it comes here
            _ => {}
        }
        Ok(())
    }

    /// Whether a meter has a key that cannot be changed: no master key is here, or there is no way for its kind.
    pub(crate) fn is_fixed(&self, number: MeterNumber, role: &str) -> bool {
        role != "GUEK" || self.units.master(number.plain()).is_none()
    }
}

impl Table {
    /// Retires a meter's keys for what is heard from then on; `None` takes that back.
    pub(crate) fn retire(
        &self,
        number: MeterNumber,
        from: Option<UtcMillis>,
        (person, now): (&str, UtcMillis),
    ) -> Result<(), TableError> {
        let from = from.unwrap_or(UtcMillis(i64::MAX));
        let record = Record::Retired { number, from, at: now, person: person.to_owned() };
        self.write(&mut self.writing(), vec![record])
    }

    /// Makes a new encryption key for a meter whose master key is here, and gives the parameters of the transfer. While one
    /// waits, it gives that one again: the meter may have taken it. `None` without a master key.
    pub(crate) fn rekey(
        &self,
        number: MeterNumber,
        (person, now): (&str, UtcMillis),
    ) -> Result<Option<Vec<u8>>, TableError> {
        let mut writing = self.writing();
        let len = match self.read().units.master(number) {
            Some((_, len)) => len,
            None => return Ok(None),
        };
        if self.read().units.pending(number).is_none() {
            let halves: [u8; 32] = base::random().map_err(|_| TableError::NoRandomness)?;
            let key = SecretBytes::new(halves.iter().take(len).copied().collect());
            let place = Place::meter_key(number.as_bytes(), NEXT);
            let sealed = writing.seal(&place, key.expose())?;
            let person = person.to_owned();
            self.write(&mut writing, vec![Record::Rekey { number, at: now, person, sealed }])?;
        }
        let content = self.read();
        let wrapped = content.units.master(number).zip(content.units.pending(number));
        let wrapped = wrapped.and_then(|((master, _), key)| wrap(master, key).ok());
        Ok(wrapped.map(|wrapped| transfer_of_encryption_key(&wrapped)))
    }

    /// Notes that meters have taken their new keys.
    pub(crate) fn rekeyed(
        &self,
        meters: &[(MeterNumber, UtcMillis)],
        now: UtcMillis,
    ) -> Result<u64, TableError> {
        let mut writing = self.writing();
        let mut count = 0;
        for (number, heard) in meters {
            // several telegrams of one batch may show it
            if self.read().units.pending(*number).is_some() {
                let record = Record::Rekeyed { number: *number, heard: *heard, at: now };
                self.write(&mut writing, vec![record])?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Notes when keys were proven first.
    pub(crate) fn proven(&self, numbers: Vec<MeterNumber>, now: UtcMillis) -> Result<(), TableError> {
        if numbers.is_empty() {
            return Ok(());
        }
        let mut writing = self.writing();
        let records = numbers.into_iter().map(|number| Record::Proven { number, at: now }).collect();
        self.write(&mut writing, records)
    }
}
