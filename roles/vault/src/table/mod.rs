//! The vault's table: meter keys, tenancies and period roots, in memory for use and in a sealed journal to last.

mod decoys;
mod life;
mod record;
mod tenancies;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use base::{Class, MeterId, Month, Secret, SecretBytes, TenancyId, UtcMillis};
use journal::{Disk, Journal, JournalError, Options, Position};
use seal::{Place, SealError, aead, derive};

use crate::MeterNumber;
use crate::keys::{KeyRing, UnitKeys, UnitRole, is_weak};
use crate::root::Root;
pub(crate) use decoys::Decoys;
pub(crate) use life::Lives;
use record::Record;
use tenancies::Tenancies;
pub(crate) use tenancies::{NoTenancy, Span, SpanError};

/// Imports of one file within this time are one delivery.
const ONE_DELIVERY_MS: i64 = 3_600_000;

/// The role of the key that telegrams are encrypted with.
pub(crate) const DEK: &str = "DEK";

/// Why the table cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record is not of this vault.
    #[error(
        "record {0} of the key table was not written by this vault, or was changed; put back the file that was"
    )]
    Foreign(u64),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

impl From<SealError> for TableError {
    fn from(_: SealError) -> Self {
        Self::NoRandomness
    }
}

/// The table.
pub(crate) struct Table {
    root: Root,
    record_key: Secret<32>,
    content: RwLock<Content>,
    journal: Mutex<Journal>,
}

/// What is in it.
pub(crate) struct Content {
    pub(crate) keys: KeyRing,
    pub(crate) units: UnitKeys,
    tenancies: Tenancies,
    periods: HashMap<(Class, Month), Secret<32>>,
    exposed: HashSet<MeterNumber>,
    deliveries: Vec<Delivery>,
    pub(crate) decoys: Decoys,
    pub(crate) lives: Lives,
}

/// A file that keys came with.
pub(crate) struct Delivery {
    pub(crate) at: UtcMillis,
    pub(crate) source: String,
    /// Who brought it; empty for deliveries of earlier editions.
    pub(crate) person: String,
}

/// A key to be imported.
pub(crate) struct NewKey<'a> {
    pub(crate) number: MeterNumber,
    pub(crate) meter: MeterId,
    pub(crate) role: &'a str,
    pub(crate) key: &'a [u8],
    /// Whether it has been in plain text on its way.
    pub(crate) exposed: bool,
    /// No such meter is there.
    pub(crate) decoy: bool,
}

fn record_place(position: u64) -> Place {
    Place::new("meterkeep/vault-table/1").field(&position.to_le_bytes())
}

impl Table {
    /// Opens the table, or begins one.
    ///
    /// # Errors
    /// When the journal is damaged or of another vault.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path, root: Root) -> Result<Self, TableError> {
        let options = Options { max_record: 1 << 20, ..Options::new(*b"MKTABLE1") };
        let (journal, recovered) = Journal::open(disk, folder, options)?;
        let record_key = root.table_key();
        let (keys, units) = (KeyRing::new(root.hash_key()), UnitKeys::new(root.hash_key()));
        let mut content = Content {
            keys,
            units,
            tenancies: Tenancies::default(),
            periods: HashMap::new(),
            exposed: HashSet::new(),
            deliveries: Vec::new(),
            decoys: Decoys::default(),
            lives: Lives::default(),
        };
        let mut records = journal.read_from(Position(0));
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = || TableError::Foreign(position.0);
            let bytes = aead::open(&record_key, &record_place(position.0), sealed).map_err(|_| foreign())?;
            let record = Record::decode(&bytes).map_err(|_| foreign())?;
            content.apply(&root, record).map_err(|_| foreign())?;
        }
        tracing::info!(
            keys = content.keys.len() + content.units.len(),
            tenancies = content.tenancies.len(),
            torn = recovered.torn_bytes,
            "the key table is read"
        );
        Ok(Self { root, record_key, content: RwLock::new(content), journal: Mutex::new(journal) })
    }

    /// How many records were ever written.
    pub(crate) fn position(&self) -> u64 {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).next().0
    }

    /// The content, to look things up in.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes records durably, then makes them count.
    fn write(&self, journal: &mut Journal, records: Vec<Record>) -> Result<(), TableError> {
        if records.is_empty() {
            return Ok(());
        }
        for record in &records {
            let place = record_place(journal.next().0);
            journal.append(&aead::seal(&self.record_key, 1, &place, &record.encode())?)?;
        }
        journal.sync()?;
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            content.apply(&self.root, record)?;
        }
        Ok(())
    }

    /// Imports keys one by one and says what became of each: `imported`, `unchanged`, `conflict` (the meter has
    /// another key), `weak`, `duplicate` (another meter has this key), `wrong-length`, `unknown-role`.
    pub(crate) fn import(
        &self,
        keys: &[NewKey<'_>],
        (source, person, now): (&str, &str, UtcMillis),
    ) -> Result<Vec<&'static str>, TableError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        // a long file comes in several calls, and is one delivery
        let mut known = self.read().is_of_last_delivery(source, now);
        let mut outcomes = Vec::with_capacity(keys.len());
        for new in keys {
            // each is written before the next is looked at: a list may hold one meter or one key twice
            let verdict = self.read().judge(new);
            if verdict == "imported" {
                if !known {
                    let (person, source) = (person.to_owned(), source.to_owned());
                    let delivery = Record::Brought { at: now, person, source };
                    self.stage(&mut journal, delivery)?;
                    known = true;
                }
                let sealed = aead::seal(
                    self.root.key(),
                    1,
                    &Place::meter_key(new.number.as_bytes(), new.role),
                    new.key,
                )?;
                let (number, meter, role) = (new.number, new.meter, new.role.to_owned());
                self.stage(&mut journal, Record::Key { number, meter, role, sealed, decoy: new.decoy })?;
            }
            // also a key that was here already: now somebody may have it
            let known = matches!(verdict, "imported" | "unchanged");
            if new.exposed && known && !self.read().exposed.contains(&new.number) {
                let (number, person) = (new.number, person.to_owned());
                self.stage(&mut journal, Record::ExposedBy { number, at: now, person })?;
                self.stage(&mut journal, Record::Exposed { number })?;
            }
            outcomes.push(verdict);
        }
        journal.sync()?;
        Ok(outcomes)
    }

    /// Says what would become of each key if the list were imported, and takes none.
    pub(crate) fn try_import(&self, keys: &[NewKey<'_>]) -> Vec<&'static str> {
        let content = self.read();
        let mut listed: HashMap<(MeterNumber, &str), &[u8]> = HashMap::new();
        let mut owners: HashMap<&[u8], MeterNumber> = HashMap::new();
        let verdicts = keys.iter().map(|new| {
            let verdict = content.judge(new);
            if verdict != "imported" {
                return verdict;
            }
            // a meter or a key that stands in the list twice, as one import after the other would find it
            if let Some(before) = listed.get(&(new.number, new.role)) {
                return if *before == new.key { "unchanged" } else { "conflict" };
            }
            let owner = owners.get(new.key).filter(|owner| **owner != new.number);
            if owner.is_some() && new.role != "GAK" {
                return "duplicate";
            }
            listed.insert((new.number, new.role), new.key);
            owners.insert(new.key, new.number);
            verdict
        });
        verdicts.collect()
    }

    /// Appends and applies a record whose durability the caller waits for before anybody is told.
    fn stage(&self, journal: &mut Journal, record: Record) -> Result<(), TableError> {
        let place = record_place(journal.next().0);
        journal.append(&aead::seal(&self.record_key, 1, &place, &record.encode())?)?;
        self.content.write().unwrap_or_else(PoisonError::into_inner).apply(&self.root, record)?;
        Ok(())
    }

    /// Takes tenancies' spans: all of them or none. Ends come before beginnings, so that a move is one call.
    pub(crate) fn take_spans(
        &self,
        spans: &[(TenancyId, MeterId, Span)],
    ) -> Result<Result<usize, SpanError>, TableError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ordered: Vec<_> = spans.iter().collect();
        ordered.sort_by_key(|(_, meter, span)| (*meter, span.from));
        let mut records = Vec::new();
        let (mut new_roots, mut roots) = (HashSet::new(), Vec::new());
        {
            let content = self.read();
            let mut trial = Tenancies::default();
            for (_, meter, _) in &ordered {
                content.tenancies.copy_spans(*meter, &mut trial);
            }
            for (tenancy, meter, span) in ordered {
                let changes = match trial.check(*tenancy, *meter, span) {
                    Ok(changes) => changes,
                    Err(error) => return Ok(Err(error)),
                };
                for (tenancy, span) in changes {
                    trial.apply(tenancy, *meter, span);
                    if !content.tenancies.has_root(tenancy) && new_roots.insert(tenancy) {
                        roots.push(tenancy);
                    }
                    records.push(Record::Span { tenancy, meter: *meter, span });
                }
            }
        }
        let changes = records.len();
        let mut all = Vec::with_capacity(records.len() + roots.len());
        for tenancy in roots {
            let root = Secret::<32>::random().map_err(|_| TableError::NoRandomness)?;
            let sealed = aead::seal(self.root.key(), 1, &Place::tenancy_root(tenancy), root.expose())?;
            all.push(Record::Tenancy { tenancy, sealed });
        }
        all.append(&mut records);
        self.write(&mut journal, all)?;
        Ok(Ok(changes))
    }

    /// Makes the root of a period, if there is none.
    pub(crate) fn open_period(&self, class: Class, month: Month) -> Result<(), TableError> {
        if self.read().periods.contains_key(&(class, month)) {
            return Ok(());
        }
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if self.read().periods.contains_key(&(class, month)) {
            return Ok(()); // somebody else was quicker
        }
        let root = Secret::<32>::random().map_err(|_| TableError::NoRandomness)?;
        let sealed = aead::seal(self.root.key(), 1, &Place::period_root(class, month), root.expose())?;
        self.write(&mut journal, vec![Record::Period { class, month, sealed }])
    }
}

impl Content {
    fn apply(&mut self, root: &Root, record: Record) -> Result<(), SealError> {
        match record {
            Record::Key { number, meter, role, sealed, decoy } if role == DEK => {
                if decoy {
                    self.decoys.insert(number);
                }
                let key: Secret<16> =
                    aead::open_secret(root.key(), &Place::meter_key(number.as_bytes(), &role), &sealed)?;
                self.keys.insert(number, meter, key.expose(), self.delivery());
            }
            Record::Key { number, meter, role, sealed, .. } => {
                // a role that this edition does not know stays in the journal
                if let Some(known) = UnitRole::from_name(&role) {
                    let place = Place::meter_key(number.as_bytes(), &role);
                    let key = SecretBytes::new(aead::open(root.key(), &place, &sealed)?);
                    self.units.insert(number, meter, (known, key), self.delivery());
                }
            }
            Record::Tenancy { tenancy, sealed } => {
                let key = aead::open_secret(root.key(), &Place::tenancy_root(tenancy), &sealed)?;
                self.tenancies.insert_root(tenancy, key);
            }
            Record::Span { tenancy, meter, span } => self.tenancies.apply(tenancy, meter, span),
            Record::Period { class, month, sealed } => {
                let key = aead::open_secret(root.key(), &Place::period_root(class, month), &sealed)?;
                self.periods.insert((class, month), key);
            }
            Record::Exposed { number } => {
                self.exposed.insert(number);
            }
            Record::Delivery { at, source } => {
                self.deliveries.push(Delivery { at, source, person: String::new() });
            }
            Record::Brought { at, person, source } => self.deliveries.push(Delivery { at, source, person }),
            record => self.apply_life(root, record)?,
        }
        Ok(())
    }

    /// The number of the newest delivery; 0 before the first, as for keys of earlier editions.
    fn delivery(&self) -> u32 {
        u32::try_from(self.deliveries.len()).unwrap_or(u32::MAX)
    }

    fn is_of_last_delivery(&self, source: &str, now: UtcMillis) -> bool {
        let last = self.deliveries.last();
        last.is_some_and(|last| last.source == source && (0..ONE_DELIVERY_MS).contains(&now.since(last.at)))
    }

    /// The deliveries, oldest first; the first has the number 1.
    pub(crate) fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Whether a meter's keys have been in plain text on their way.
    pub(crate) fn is_exposed(&self, number: MeterNumber) -> bool {
        self.exposed.contains(&number.plain())
    }

    /// How many meters' keys have been in plain text on their way.
    pub(crate) fn exposed_count(&self) -> usize {
        self.exposed.len()
    }

    fn judge(&self, new: &NewKey<'_>) -> &'static str {
        if let Some(role) = UnitRole::from_name(new.role) {
            return self.units.judge(new.number, role, new.key);
        }
        if new.role != DEK {
            return "unknown-role";
        }
        let Ok(key) = <&[u8; 16]>::try_from(new.key) else { return "wrong-length" };
        if let Some(stored) = self.keys.get(new.number) {
            return if stored == key { "unchanged" } else { "conflict" };
        }
        if is_weak(key) {
            "weak"
        } else if self.keys.owner_of(key, new.number).is_some() {
            "duplicate"
        } else {
            "imported"
        }
    }

    /// The data key of a series.
    pub(crate) fn data_key(
        &self,
        meter: MeterId,
        tenancy: TenancyId,
        class: Class,
        month: Month,
    ) -> Result<Secret<32>, NoKey> {
        let tenancy_root = self.tenancies.root_of(tenancy, meter, month).map_err(NoKey::Tenancy)?;
        let period_root = self.periods.get(&(class, month)).ok_or(NoKey::NoPeriod)?;
        Ok(derive::data_key(tenancy_root, period_root, meter, tenancy, class, month))
    }

    pub(crate) fn tenancy_count(&self) -> usize {
        self.tenancies.len()
    }
}

/// Why there is no data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The tenancy.
    Tenancy(NoTenancy),
    /// Nothing was ever sealed in that class and month.
    NoPeriod,
}

impl NoKey {
    /// The stable word.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Tenancy(NoTenancy::Unknown) => "unknown-tenancy",
            Self::Tenancy(NoTenancy::Outside) => "outside-tenancy",
            Self::NoPeriod => "past-period",
        }
    }
}
