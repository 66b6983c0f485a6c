//! Data keys of one job, and opening and sealing with them. They are wiped when the job is over.

use std::collections::{BTreeMap, BTreeSet};

use base::{Class, MeterId, Month, Secret, TenancyId, UtcMillis};
use prost::Message;
use seal::{SealError, aead};
use store::{Facts, SealedReading};
use wire::intake::Reading;
use wire::vault::DataKeys;
use zeroize::{Zeroize, Zeroizing};

use crate::errand::Failed;

/// A series: the unit of the data keys.
pub(crate) type Key = (MeterId, TenancyId, Class, Month);

/// The keys of a job.
#[derive(Default)]
pub(crate) struct Keys {
    keys: BTreeMap<Key, (Secret<32>, u32)>,
    refused: BTreeMap<Key, String>,
}

/// An opened reading: what it says, byte for byte, and when it was heard.
pub(crate) struct Opened {
    pub(crate) facts: Facts,
    pub(crate) heard: UtcMillis,
    pub(crate) content: Zeroizing<Vec<u8>>,
}

/// The series of a row.
pub(crate) const fn series_of(facts: &Facts) -> Key {
    (facts.meter, facts.tenancy, facts.class, facts.month)
}

impl Keys {
    /// Pairs the vault's keys with the series that were asked for.
    pub(crate) fn take(&mut self, asked: &BTreeSet<Key>, mut answer: DataKeys) -> Result<(), Failed> {
        let garbled = || Failed::Garbled("vault");
        let bytes = Zeroizing::new(std::mem::take(&mut answer.keys));
        if answer.refused.len() != asked.len() {
            return Err(garbled());
        }
        let mut given = bytes.chunks_exact(32);
        for (key, refused) in asked.iter().zip(&answer.refused) {
            if refused.is_empty() {
                let secret = given.next().and_then(Secret::from_slice).ok_or_else(garbled)?;
                self.keys.insert(*key, (secret, answer.term));
            } else {
                self.refused.insert(*key, refused.clone());
            }
        }
        if given.next().is_some() || !given.remainder().is_empty() { Err(garbled()) } else { Ok(()) }
    }

    /// Opens a reading; nothing when it does not open because somebody changed or moved it, or when what it lies under was
    /// erased: nobody reads it again, and there is nothing left to seal.
    pub(crate) fn open(&self, row: &SealedReading) -> Result<Option<Opened>, Failed> {
        let series = series_of(&row.facts);
        let Some((key, _)) = self.keys.get(&series) else {
            return match self.refused.get(&series).map(String::as_str) {
                Some("erased") => Ok(None),
                Some(why) => Err(Failed::Withheld(why.to_owned())),
                None => Err(Failed::Withheld("not-asked".to_owned())),
            };
        };
        let Ok(content) = aead::open(key, &row.facts.place(), &row.envelope).map(Zeroizing::new) else {
            return Ok(None);
        };
        let Ok(mut reading) = Reading::decode(content.as_slice()) else { return Ok(None) };
        let heard = UtcMillis(reading.heard_ms);
        reading.telegram_hash.zeroize();
        Ok(Some(Opened { facts: row.facts, heard, content }))
    }

    /// Seals a reading to its new place. The facts get the term of the key.
    pub(crate) fn seal(&self, mut facts: Facts, content: &[u8]) -> Result<(Facts, Vec<u8>), Failed> {
        let series = series_of(&facts);
        let Some((key, term)) = self.keys.get(&series) else {
            let why = self.refused.get(&series).map_or("not-asked", String::as_str);
            return Err(Failed::Withheld(why.to_owned()));
        };
        facts.term = *term;
        let sealed: Result<_, SealError> = aead::seal(key, *term, &facts.place(), content);
        Ok((facts, sealed?))
    }
}
