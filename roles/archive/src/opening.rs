//! Opening rows with the data keys that the vault releases for exactly this question.

use std::collections::{BTreeMap, BTreeSet};

use base::{Class, MeterId, Month, Secret, TenancyId, UtcMillis};
use prost::Message;
use recorder::gate::Passed;
use seal::aead;
use store::SealedReading;
use wire::Refused;
use wire::archive::{JoinedMeter, MeterReading};
use wire::intake::Reading;
use wire::vault::{self, DataKeys, ReleaseKeys};
use zeroize::{Zeroize, Zeroizing};

use crate::continuing::{Joint, Series};
use crate::question::Question;
use crate::rows::Found;
use crate::subjects::Tags;
use crate::vaults::Vault;

/// Series in one call to the vault.
const SERIES: usize = 4096;

/// A series: the unit of the data keys.
type Key = (MeterId, TenancyId, Class, Month);

/// Data keys of one question; wiped when it is answered.
#[derive(Default)]
struct Keys(BTreeMap<Key, Secret<32>>);

/// The answer's readings and what is to be said about those that are missing.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) readings: Vec<MeterReading>,
    pub(crate) notes: Vec<String>,
    /// Where a place was asked for, the meters that hung there.
    pub(crate) joined: Vec<JoinedMeter>,
    /// Rows that did not open: somebody changed or moved them.
    pub(crate) unreadable: u64,
    /// Rows whose key the vault withheld.
    pub(crate) withheld: u64,
}

/// Asks the vault for the keys of the rows' series and opens them. Takes the proof that the question is in the
/// log: the vault wants to see it too.
pub(crate) async fn open<V: Vault>(
    vault: &V,
    encoded: &[u8],
    (passed, tags): (&Passed, &Tags),
    question: &Question,
    found: Found,
) -> Result<Opened, Refused> {
    let series: BTreeSet<Key> = found.rows.iter().map(key_of).collect();
    let within = series.into_iter().filter(|(meter, tenancy, class, month)| {
        let area = found.meters.get(meter).and_then(|shown| shown.area.as_ref());
        passed.recorded.permits(*tenancy, *class, *month, area).is_ok()
    });
    let (mut keys, mut refused) = (Keys::default(), BTreeMap::<Key, String>::new());
    for (entry, series) in passed.by_entry(within, |key| tags.of(key.1)) {
        for chunk in series.chunks(SERIES) {
            let question = ReleaseKeys {
                request: encoded.to_vec(),
                event: entry.event.clone(),
                receipt: entry.receipt.clone(),
                series: chunk
                    .iter()
                    .map(|(meter, tenancy, class, month)| vault::Series::of(*meter, *tenancy, *class, *month))
                    .collect(),
            };
            take(chunk, vault.release(question).await?, &mut keys, &mut refused)?;
        }
    }
    Ok(open_rows(question, found, &keys, &refused))
}

fn key_of(row: &SealedReading) -> Key {
    (row.facts.meter, row.facts.tenancy, row.facts.class, row.facts.month)
}

/// Pairs the vault's keys with the series that were asked for.
fn take(
    asked: &[Key],
    mut answer: DataKeys,
    keys: &mut Keys,
    refused: &mut BTreeMap<Key, String>,
) -> Result<(), Refused> {
    let garbled = || Refused::new("vault-garbled", "the vault's answer does not fit the question");
    let bytes = Zeroizing::new(std::mem::take(&mut answer.keys));
    let mut given = bytes.chunks_exact(32);
    if !answer.refused.is_empty() && answer.refused.len() != asked.len() {
        return Err(garbled());
    }
    for (index, key) in asked.iter().enumerate() {
        match answer.refused.get(index).filter(|why| !why.is_empty()) {
            Some(why) => _ = refused.insert(*key, why.clone()),
            None => {
                let secret = given.next().and_then(Secret::from_slice).ok_or_else(garbled)?;
                keys.0.insert(*key, secret);
            }
        }
    }
    if given.next().is_some() || !given.remainder().is_empty() { Err(garbled()) } else { Ok(()) }
}

fn open_rows(question: &Question, found: Found, keys: &Keys, refused: &BTreeMap<Key, String>) -> Opened {
    let (mut readings, mut unreadable, mut displaced) = (Vec::new(), 0u64, 0u64);
    let mut series = found.joined.as_deref().map(Series::new);
    let mut withheld: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &found.rows {
        let Some(key) = keys.0.get(&key_of(row)) else {
            let why = refused.get(&key_of(row)).map_or("not-in-scope", String::as_str);
            *withheld.entry(why).or_default() += 1;
            continue;
        };
        let Some((id, reading)) = open_row(key, row) else {
            unreadable += 1;
            continue;
        };
        let Some(shown) = found.meters.get(&id) else { continue };
        let heard = UtcMillis(reading.heard_ms);
        if !question.reaches(heard) {
            continue;
        }
        let joined = series.as_ref().and_then(|series| series.of(id, heard));
        if series.is_some() && joined.is_none() {
            continue; // it hung somewhere else on that day, too
        }
        // a move was reported late, and the steward has not come to this one yet: it is another's by now
        if !shown.held(row.facts.tenancy, heard) {
            displaced += 1;
            continue;
        }
        let address = whole_address(&shown.address, &reading.address);
        let continued =
            joined.zip(series.as_mut()).and_then(|(at, series)| series.continued(at, &address, &reading));
        let meter_reading = MeterReading {
            address,
            place: shown.place_at(heard).to_owned(),
            joined: joined.map_or(0, Joint::number),
            continued,
            version: row.facts.version,
            class: u32::from(row.facts.class.code()),
            quality: row.facts.quality.name().to_owned(),
            reading: Some(reading),
        };
        // one line a meter, or a series of a place
        readings.push((joined.map_or(id.0, Joint::series), meter_reading));
    }
    let heard = |r: &MeterReading| r.reading.as_ref().map_or(0, |r| r.heard_ms);
    readings.sort_by_key(|(line, r)| (*line, std::cmp::Reverse(heard(r))));
    if question.latest {
        readings.dedup_by_key(|(line, _)| *line);
    }
    let mut notes = found.notes;
    notes.extend(series.as_ref().and_then(Series::note));
    notes.extend(withheld.iter().map(|(why, n)| format!("{n} readings are withheld by the vault: {why}")));
    if unreadable > 0 {
        notes.push(format!("{unreadable} readings do not open: they were changed or moved in the store"));
    }
    if displaced > 0 {
        notes.push(format!(
            "{displaced} readings belong to another tenancy since a move that was reported late, and are being sealed anew; ask again"
        ));
    }
    let withheld = withheld.values().sum();
    let joined = series.map(|series| series.told(question)).unwrap_or_default();
    let readings = readings.into_iter().map(|(_, r)| r).collect();
    Opened { readings, notes, joined, unreadable, withheld }
}

/// The register's address; where that lacks version and type, the one that the telegram named.
fn whole_address(registered: &[u8], told: &[u8]) -> Vec<u8> {
    let known = if told.len() == 8 && told.starts_with(registered) { told } else { registered };
    known.to_vec()
}

fn open_row(key: &Secret<32>, row: &SealedReading) -> Option<(MeterId, Reading)> {
    let facts = &row.facts;
    let mut plain = aead::open(key, &facts.place(), &row.envelope).ok()?;
    let reading = Reading::decode(plain.as_slice());
    plain.zeroize();
    Some((facts.meter, reading.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: u32) -> Key {
        (MeterId(n), TenancyId([1; 16]), Class::Daily, Month::from_number(24_000))
    }

    #[test]
    fn an_address_is_completed_by_a_telegram_of_the_same_meter_only() {
        let (short, whole) = ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(whole_address(&short, &whole), whole);
        assert_eq!(whole_address(&whole, &[9; 8]), whole);
        for told in [&[][..], &[9; 8], &short, &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
            assert_eq!(whole_address(&short, told), short);
        }
    }

    #[test]
    fn keys_are_paired_with_their_series_and_a_misfit_is_refused() {
        let asked = [series(1), series(2), series(3)];
        let take = |keys: Vec<u8>, refused: &[&str]| {
            let refused = refused.iter().map(|r| (*r).to_owned()).collect();
            let (mut held, mut no) = (Keys::default(), BTreeMap::new());
            super::take(&asked, DataKeys { keys, refused, term: 1 }, &mut held, &mut no).map(|()| (held, no))
        };
        let (held, no) = take([[1; 32], [3; 32]].concat(), &["", "unknown-tenancy", ""]).ok().unwrap();
        assert_eq!(held.0[&series(1)].expose(), &[1; 32]);
        assert_eq!(held.0[&series(3)].expose(), &[3; 32]);
        assert_eq!(no[&series(2)], "unknown-tenancy");
        assert_eq!(take(vec![7; 96], &[]).ok().unwrap().0.0.len(), 3);
        for (bytes, refused) in [
            (64, vec![]),
            (97, vec![]),
            (128, vec![]),
            (64, vec!["", ""]),
            (96, vec!["", "x", ""]),
            (0, vec!["", "", ""]),
        ] {
            assert!(take(vec![7; bytes], &refused).is_err(), "{bytes} {refused:?}");
        }
    }
}
