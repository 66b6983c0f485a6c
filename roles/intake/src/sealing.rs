//! Sealing readings under their series' data keys, which the vault derives and intake keeps for a while.

use std::collections::{HashMap, HashSet};

use base::{Class, MeterId, Month, Secret, TenancyId};
use seal::aead;
use store::NewReadings;
use wire::vault::{DataKeys, Series};
use zeroize::Zeroize;

use crate::decide::{Decided, Row};
use crate::policy::Kept;
use crate::reason;

/// Series a call to the vault.
pub const MAX_SERIES: usize = 4096;
/// Keys kept at most: of 100,000 meters two classes and two months.
const MAX_KEYS: usize = 400_000;

/// What names a data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    meter: MeterId,
    tenancy: TenancyId,
    class: Class,
    month: Month,
}

impl From<&Row> for SeriesKey {
    fn from(row: &Row) -> Self {
        let f = &row.facts;
        Self { meter: f.meter, tenancy: f.tenancy, class: f.class, month: f.month }
    }
}

impl From<&SeriesKey> for Series {
    fn from(key: &SeriesKey) -> Self {
        Self::of(key.meter, key.tenancy, key.class, key.month)
    }
}

/// A data key, or why the vault gave none.
enum Held {
    Key(Secret<32>, u32),
    Refused(String),
}

/// Data keys of the current periods.
#[derive(Default)]
pub struct Sealer {
    keys: HashMap<SeriesKey, Held>,
}

/// An answer of the vault that does not fit its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the vault's data keys do not fit the question")]
pub struct BadKeys;

impl Sealer {
    /// Series whose keys are missing, each once.
    #[must_use]
    pub fn missing(&self, rows: &[Row]) -> Vec<SeriesKey> {
        let mut seen = HashSet::new();
        let wanted = rows.iter().map(SeriesKey::from);
        wanted.filter(|key| !self.keys.contains_key(key) && seen.insert(*key)).collect()
    }

    /// Takes over the vault's answer for these series. The answer's keys are wiped.
    ///
    /// # Errors
    /// [`BadKeys`].
    pub fn take(&mut self, series: &[SeriesKey], mut answer: DataKeys) -> Result<(), BadKeys> {
        let taken = self.take_all(series, &answer);
        answer.keys.zeroize();
        taken
    }

    fn take_all(&mut self, series: &[SeriesKey], answer: &DataKeys) -> Result<(), BadKeys> {
        if answer.refused.len() != series.len() {
            return Err(BadKeys);
        }
        if self.keys.len().saturating_add(series.len()) > MAX_KEYS {
            self.make_room();
        }
        let mut keys = answer.keys.chunks_exact(32);
        for (series, refused) in series.iter().zip(&answer.refused) {
            let held = if refused.is_empty() {
                let key = keys.next().and_then(Secret::from_slice).ok_or(BadKeys)?;
                Held::Key(key, answer.term)
            } else {
                Held::Refused(refused.clone())
            };
            self.keys.insert(*series, held);
        }
        let rest = keys.next().is_some() || !keys.remainder().is_empty();
        if rest { Err(BadKeys) } else { Ok(()) }
    }

    /// Months before the newest go first; if that is not enough, all.
    fn make_room(&mut self) {
        let newest = self.keys.keys().map(|k| k.month).max();
        self.keys.retain(|key, _| Some(key.month) == newest);
        if self.keys.len() > MAX_KEYS / 2 {
            self.keys.clear();
        }
    }

    /// Whether the vault asked to come back later for one of these rows.
    #[must_use]
    pub fn must_wait(&self, rows: &[Row]) -> bool {
        rows.iter().any(
            |row| matches!(self.keys.get(&row.into()), Some(Held::Refused(word)) if word == "rate-limited"),
        )
    }

    /// Forgets refusals, so that they are asked for anew.
    pub fn forget_refusals(&mut self) {
        self.keys.retain(|_, held| matches!(held, Held::Key(..)));
    }

    /// Seals a batch's readings into `out`, and gives back how many. A reading without a key is taken back: its
    /// telegram is refused, and its day is free again.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn seal(
        &self,
        decided: &mut Decided,
        kept: &mut Kept,
        out: &mut NewReadings,
    ) -> Result<u64, seal::SealError> {
        let rows = std::mem::take(&mut decided.rows);
        let mut sealed = 0;
        // The rows of a telegram stand together: it is kept when one of them is.
        let mut last: Option<(u32, bool, bool)> = None;
        for row in &rows {
            if let Some((telegram, late, false)) = last
                && telegram != row.telegram
            {
                decided.take_back(telegram, late, reason::NO_DATA_KEY);
            }
            let before = last.is_some_and(|(telegram, _, done)| telegram == row.telegram && done);
            let done = match self.keys.get(&row.into()) {
                Some(Held::Key(key, term)) => {
                    let content = decided.plain.get(row.content.clone()).unwrap_or_default();
                    let facts = store::Facts { term: *term, ..row.facts };
                    out.push(facts, &aead::seal(key, *term, &facts.place(), content)?);
                    sealed += 1;
                    true
                }
                Some(Held::Refused(_)) | None => {
                    let f = &row.facts;
                    if f.class == Class::Daily {
                        kept.take_day(f.month, row.slot, f.tenancy, f.day);
                    }
                    false
                }
            };
            last = Some((row.telegram, row.late, before || done));
        }
        if let Some((telegram, late, false)) = last {
            decided.take_back(telegram, late, reason::NO_DATA_KEY);
        }
        Ok(sealed)
    }
}
