//! The vault's table: meter keys, tenancies and period roots, in memory for use and in a sealed journal to last.

mod decoys;
mod erasing;
mod life;
mod record;
mod rewrap;
mod tenancies;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use base::{Area, Class, MeterId, Month, Secret, SecretBytes, TenancyId, UtcMillis};
use journal::{Disk, Journal, JournalError, Options, Position};
use seal::{Place, SealError, aead, derive};

use crate::MeterNumber;
use crate::keyring::{Lasting, Term};
use crate::keys::{KeyRing, UnitKeys, UnitRole, is_weak};
pub(crate) use decoys::Decoys;
use erasing::Erased;
pub(crate) use erasing::{Erasing, HeldSeries, Hold, NotErased};
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
    /// A folder.
    #[error("`{0}` cannot be removed: {1}")]
    Io(PathBuf, std::io::Error),
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
///
/// Who takes several locks of the vault takes them in this order: the desk, the writing of the table, its content, the book of
/// freshness. Who looks at the content asks for nothing that the desk or the writing has to give.
pub(crate) struct Table {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    content: RwLock<Content>,
    writing: Mutex<Writing>,
}

/// The journal, and the term that all of it is sealed in.
struct Writing {
    journal: Journal,
    term: Term,
    record_key: Secret<32>,
}

/// What is in it.
pub(crate) struct Content {
    pub(crate) keys: KeyRing,
    pub(crate) units: UnitKeys,
    tenancies: Tenancies,
    periods: HashMap<(Class, Month), Secret<32>>,
    exposed: HashSet<MeterNumber>,
    deliveries: Vec<Delivery>,
    erased: Erased,
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

/// The journal of a term lies in a folder of its own.
fn folder_of(folder: &Path, term: u32) -> PathBuf {
    folder.join(format!("table-{term}"))
}

fn options() -> Options {
    Options { max_record: 1 << 20, ..Options::new(*b"MKTABLE1") }
}

impl Writing {
    /// Seals a key or a root to its place.
    fn seal(&self, place: &Place, key: &[u8]) -> Result<Vec<u8>, SealError> {
        aead::seal(self.term.key(), self.term.number, place, key)
    }

    /// Appends a record, sealed to its position.
    fn append(&mut self, record: &Record) -> Result<(), TableError> {
        let place = record_place(self.journal.next().0);
        let sealed = aead::seal(&self.record_key, self.term.number, &place, &record.encode())?;
        self.journal.append(&sealed)?;
        Ok(())
    }
}

impl Table {
    /// Opens the table of a term in the vault's folder, or begins one. Tables of other terms, which a change of term left
    /// behind that was cut short, are removed.
    ///
    /// # Errors
    /// When the journal is damaged or of another vault.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        lasting: &Lasting,
        term: Term,
    ) -> Result<Self, TableError> {
        rewrap::drop_others(disk.as_ref(), folder, term.number)?;
        let (journal, recovered) =
            Journal::open(Arc::clone(&disk), &folder_of(folder, term.number), options())?;
        let record_key = term.table_key();
        let (keys, units) = (KeyRing::default(), UnitKeys::new(lasting.hash_key()));
        let mut content = Content {
            keys,
            units,
            tenancies: Tenancies::default(),
            periods: HashMap::new(),
            exposed: HashSet::new(),
            deliveries: Vec::new(),
            erased: Erased::default(),
            decoys: Decoys::default(),
            lives: Lives::default(),
        };
        let mut records = journal.read_from(Position(0));
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = || TableError::Foreign(position.0);
            let bytes = aead::open(&record_key, &record_place(position.0), sealed).map_err(|_| foreign())?;
            let record = Record::decode(&bytes).map_err(|_| foreign())?;
            content.apply(term.key(), record).map_err(|_| foreign())?;
        }
        tracing::info!(
            keys = content.keys.len() + content.units.len(),
            tenancies = content.tenancies.len(),
            term = term.number,
            torn = recovered.torn_bytes,
            "the key table is read"
        );
        let writing = Mutex::new(Writing { journal, term, record_key });
        Ok(Self { disk, folder: folder.to_owned(), content: RwLock::new(content), writing })
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records were ever written.
    pub(crate) fn position(&self) -> u64 {
        self.writing().journal.next().0
    }

    /// The content, to look things up in.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes records durably, then makes them count.
    fn write(&self, writing: &mut Writing, records: Vec<Record>) -> Result<(), TableError> {
        if records.is_empty() {
            return Ok(());
        }
        for record in &records {
            writing.append(record)?;
        }
        writing.journal.sync()?;
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            content.apply(writing.term.key(), record)?;
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
        let mut writing = self.writing();
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
                    self.stage(&mut writing, delivery)?;
                    known = true;
                }
                let sealed = writing.seal(&Place::meter_key(new.number.as_bytes(), new.role), new.key)?;
                let (number, meter, role) = (new.number, new.meter, new.role.to_owned());
                self.stage(&mut writing, Record::Key { number, meter, role, sealed, decoy: new.decoy })?;
            }
            // also a key that was here already: now somebody may have it
            let known = matches!(verdict, "imported" | "unchanged");
            if new.exposed && known && !self.read().exposed.contains(&new.number) {
                let (number, person) = (new.number, person.to_owned());
                self.stage(&mut writing, Record::ExposedBy { number, at: now, person })?;
                self.stage(&mut writing, Record::Exposed { number })?;
            }
            outcomes.push(verdict);
        }
        writing.journal.sync()?;
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
    fn stage(&self, writing: &mut Writing, record: Record) -> Result<(), TableError> {
        writing.append(&record)?;
        self.content.write().unwrap_or_else(PoisonError::into_inner).apply(writing.term.key(), record)?;
        Ok(())
    }

    /// Takes tenancies' spans: all of them or none. Ends come before beginnings, so that a move is one call.
    pub(crate) fn take_spans(
        &self,
        spans: &[(TenancyId, MeterId, Span)],
    ) -> Result<Result<usize, SpanError>, TableError> {
        let mut writing = self.writing();
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
                    if content.erased.has_tenancy(tenancy) && !span.is_empty() {
                        return Ok(Err(SpanError::Erased(*meter)));
                    }
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
            all.push(Self::root(&writing, tenancy)?);
        }
        all.append(&mut records);
        self.write(&mut writing, all)?;
        Ok(Ok(changes))
    }

    /// Makes the roots of tenancies that are about to begin, where there are none.
    pub(crate) fn begin(&self, tenancies: &[TenancyId]) -> Result<(), TableError> {
        let mut writing = self.writing();
        let new: HashSet<TenancyId> = {
            let content = self.read();
            tenancies.iter().copied().filter(|tenancy| !content.knows(*tenancy)).collect()
        };
        let mut records = Vec::with_capacity(new.len());
        for tenancy in new {
            records.push(Self::root(&writing, tenancy)?);
        }
        self.write(&mut writing, records)
    }

    /// The record of a new tenancy's root.
    fn root(writing: &Writing, tenancy: TenancyId) -> Result<Record, TableError> {
        let root = Secret::<32>::random().map_err(|_| TableError::NoRandomness)?;
        let sealed = writing.seal(&Place::tenancy_root(tenancy), root.expose())?;
        Ok(Record::Tenancy { tenancy, sealed })
    }

    /// Takes where meters lie. Gives for how many that is news.
    pub(crate) fn take_areas(&self, areas: Vec<(MeterId, Option<Area>)>) -> Result<usize, TableError> {
        let mut writing = self.writing();
        let news: Vec<Record> = {
            let content = self.read();
            let is_news =
                |(meter, area): &(MeterId, Option<Area>)| content.tenancies.area(*meter) != area.as_ref();
            let news = areas.into_iter().filter(is_news);
            news.map(|(meter, area)| Record::Area { meter, area }).collect()
        };
        let count = news.len();
        if count > 0 {
            self.write(&mut writing, news)?;
        }
        Ok(count)
    }

    /// Makes the root of a period, if there is none.
    pub(crate) fn open_period(&self, class: Class, month: Month) -> Result<(), TableError> {
        if self.read().periods.contains_key(&(class, month)) {
            return Ok(());
        }
        let mut writing = self.writing();
        if self.read().periods.contains_key(&(class, month)) {
            return Ok(()); // somebody else was quicker
        }
        if self.read().erased.has_period(class, month) {
            return Ok(()); // what was erased does not come back
        }
        let root = Secret::<32>::random().map_err(|_| TableError::NoRandomness)?;
        let sealed = writing.seal(&Place::period_root(class, month), root.expose())?;
        self.write(&mut writing, vec![Record::Period { class, month, sealed }])
    }
}

impl Content {
    fn apply(&mut self, key: &Secret<32>, record: Record) -> Result<(), SealError> {
        match record {
            Record::Key { number, meter, role, sealed, decoy } if role == DEK => {
                if decoy {
                    self.decoys.insert(number);
                }
                let place = Place::meter_key(number.as_bytes(), &role);
                let opened: Secret<16> = aead::open_secret(key, &place, &sealed)?;
                self.keys.insert(number, meter, opened.expose(), self.delivery());
            }
            Record::Key { number, meter, role, sealed, .. } => {
                // a role that this edition does not know stays in the journal
                if let Some(known) = UnitRole::from_name(&role) {
                    let place = Place::meter_key(number.as_bytes(), &role);
                    let opened = SecretBytes::new(aead::open(key, &place, &sealed)?);
                    self.units.insert(number, meter, (known, opened), self.delivery());
                }
            }
            Record::Tenancy { tenancy, sealed } => {
                let opened = aead::open_secret(key, &Place::tenancy_root(tenancy), &sealed)?;
                self.tenancies.insert_root(tenancy, opened);
            }
            Record::Span { tenancy, meter, span } => self.tenancies.apply(tenancy, meter, span),
            Record::Area { meter, area } => self.tenancies.set_area(meter, area),
            Record::Period { class, month, sealed } => {
                let opened = aead::open_secret(key, &Place::period_root(class, month), &sealed)?;
                self.periods.insert((class, month), opened);
            }
            Record::Exposed { number } => {
                self.exposed.insert(number);
            }
            Record::Delivery { at, source } => {
                self.deliveries.push(Delivery { at, source, person: String::new() });
            }
            Record::Brought { at, person, source } => self.deliveries.push(Delivery { at, source, person }),
            Record::Gone => {}
            record if record.is_of_life() => self.apply_life(key, record)?,
            erasing => self.apply_erasing(erasing, key)?,
        }
        Ok(())
    }

    /// Where a meter lies.
    pub(crate) fn area(&self, meter: MeterId) -> Option<&Area> {
        self.tenancies.area(meter)
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
        if self.erased.has_tenancy(tenancy) || self.erased.has_period(class, month) {
            return Err(NoKey::Erased);
        }
        let tenancy_root = self.tenancies.root_of(tenancy, meter, month).map_err(NoKey::Tenancy)?;
        let period_root = self.periods.get(&(class, month)).ok_or(NoKey::NoPeriod)?;
        Ok(derive::data_key(tenancy_root, period_root, meter, tenancy, class, month))
    }

    /// The data key of a series, also of a month that the tenancy does not touch: for readings that were sealed before a move
    /// was known. Who asks for it is held against the move first.
    pub(crate) fn key_of_any_month(
        &self,
        meter: MeterId,
        tenancy: TenancyId,
        class: Class,
        month: Month,
    ) -> Result<Secret<32>, NoKey> {
        if self.erased.has_tenancy(tenancy) || self.erased.has_period(class, month) {
            return Err(NoKey::Erased);
        }
        let tenancy_root = self.tenancies.root(tenancy).ok_or(NoKey::Tenancy(NoTenancy::Unknown))?;
        let period_root = self.periods.get(&(class, month)).ok_or(NoKey::NoPeriod)?;
        Ok(derive::data_key(tenancy_root, period_root, meter, tenancy, class, month))
    }

    /// The key of a tenancy's contact, wherever and whenever it lived.
    pub(crate) fn contact_key(&self, tenancy: TenancyId) -> Result<Secret<32>, NoKey> {
        if self.erased.has_tenancy(tenancy) {
            return Err(NoKey::Erased);
        }
        let root = self.tenancies.root(tenancy).ok_or(NoKey::Tenancy(NoTenancy::Unknown))?;
        Ok(seal::contact::key(root, tenancy))
    }

    /// The tag by which the log knows a tenancy's data subject; none without its root.
    pub(crate) fn subject_tag(&self, tenancy: TenancyId) -> Option<[u8; 16]> {
        self.tenancies.root(tenancy).map(|root| seal::subject::tag(root, tenancy))
    }

    /// The key of what the log says of a tenancy's data subject alone, by its number.
    pub(crate) fn body_key(&self, tenancy: TenancyId, id: &[u8; 16]) -> Result<Secret<32>, NoKey> {
        if self.erased.has_tenancy(tenancy) {
            return Err(NoKey::Erased);
        }
        let root = self.tenancies.root(tenancy).ok_or(NoKey::Tenancy(NoTenancy::Unknown))?;
        Ok(seal::subject::body_key(root, tenancy, id))
    }

    /// Whether one tenancy followed another at a meter at this moment.
    pub(crate) fn follows(&self, meter: MeterId, ended: TenancyId, begun: TenancyId, at: UtcMillis) -> bool {
        self.tenancies.follows(meter, ended, begun, at)
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
    /// It was erased.
    Erased,
    /// No hold covers it.
    NotHeld,
}

impl NoKey {
    /// The stable word.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Tenancy(NoTenancy::Unknown) => "unknown-tenancy",
            Self::Tenancy(NoTenancy::Outside) => "outside-tenancy",
            Self::NoPeriod => "past-period",
            Self::Erased => "erased",
            Self::NotHeld => "not-held",
        }
    }
}
