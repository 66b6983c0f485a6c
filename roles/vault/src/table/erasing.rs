//! Erasure: the root of a tenancy or a period is dropped, and with it every data key that came of it. What a legal hold
//! covers is first kept under keys of its own, for that hold alone.
//!
//! The record that held the root goes when the next term begins, which an erasure makes due at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use base::{Class, MeterId, Month, Secret, TenancyId, UtcMillis};
use seal::{Place, derive};

use super::record::Record;
use super::{Content, NoKey, Table, TableError};

/// Keys that one hold keeps, at most: ten years of a class for a thousand meters.
const MAX_HELD: usize = 120_000;

/// A series of readings: one data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HeldSeries {
    pub(crate) meter: MeterId,
    pub(crate) tenancy: TenancyId,
    pub(crate) class: Class,
    pub(crate) month: Month,
}

impl HeldSeries {
    pub(super) fn place(&self, hold: u32) -> Place {
        Place::new("meterkeep/held-key/1")
            .field(&hold.to_le_bytes())
            .field(&self.meter.0.to_le_bytes())
            .field(&self.tenancy.0)
            .field(&[self.class.code()])
            .field(&self.month.number().to_le_bytes())
    }
}

/// What a legal hold covers: tenancies, from month to month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) tenancies: Vec<TenancyId>,
    pub(crate) first: Month,
    pub(crate) last: Month,
}

impl Hold {
    fn covers(&self, tenancy: TenancyId, month: Month) -> bool {
        (self.first..=self.last).contains(&month) && self.tenancies.contains(&tenancy)
    }
}

/// What is to be erased.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Erasing {
    /// Whose roots are dropped.
    pub(crate) tenancies: Vec<TenancyId>,
    /// Which roots of a class and month.
    pub(crate) periods: Vec<(Class, Month)>,
    /// Which holds end, with the keys that were kept for them.
    pub(crate) holds: Vec<u32>,
}

/// Why something is not erased.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotErased {
    /// It holds a meter still.
    #[error("the tenancy {0} still holds a meter; report the move first")]
    Lasts(TenancyId),
    /// Nobody knows it.
    #[error("the vault knows no tenancy {0}")]
    NoTenancy(TenancyId),
    /// Readings of that month may come in still.
    #[error("{} of {} is not over: readings of it may come in still, for 15 days after its end", .0.name(), .1)]
    NotOver(Class, Month),
    /// Nothing was ever sealed in it.
    #[error("there are no readings of class {} in {}", .0.name(), .1)]
    NoPeriod(Class, Month),
    /// It was, before.
    #[error("it was erased before")]
    Before,
    /// No such hold.
    #[error("there is no hold {0}")]
    NoHold(u32),
    /// More than a hold can keep.
    #[error("hold {0} would keep more than {MAX_HELD} keys; hold fewer tenancies or months")]
    HoldTooLarge(u32),
}

impl NotErased {
    /// The stable word.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Lasts(_) => "tenancy-lasts",
            Self::NoTenancy(_) => "no-tenancy",
            Self::NotOver(..) => "period-lasts",
            Self::NoPeriod(..) => "no-period",
            Self::Before => "erased-already",
            Self::NoHold(_) => "no-hold",
            Self::HoldTooLarge(_) => "hold-too-large",
        }
    }
}

/// What was erased, and what holds keep of it.
#[derive(Default)]
pub(super) struct Erased {
    tenancies: HashSet<TenancyId>,
    periods: HashSet<(Class, Month)>,
    holds: BTreeMap<u32, Hold>,
    lifted: HashSet<u32>,
    held: HashMap<(u32, HeldSeries), Secret<32>>,
    /// Records of this term that still hold what was erased.
    left: u64,
    /// Decided erasures that were carried out.
    done: BTreeMap<u32, UtcMillis>,
}

impl Erased {
    pub(super) fn has_tenancy(&self, tenancy: TenancyId) -> bool {
        self.tenancies.contains(&tenancy)
    }

    pub(super) fn has_period(&self, class: Class, month: Month) -> bool {
        self.periods.contains(&(class, month))
    }

    /// Whether a record holds what was erased, so that it is not to be sealed anew.
    pub(super) fn holds_erased(&self, record: &Record) -> bool {
        match record {
            Record::Tenancy { tenancy, .. } => self.has_tenancy(*tenancy),
            Record::Period { class, month, .. } => self.has_period(*class, *month),
            Record::Held { hold, .. } => self.lifted.contains(hold),
            _ => false,
        }
    }
}

impl Content {
    /// Erasures that were carried out.
    pub(crate) fn erasures(&self) -> u64 {
        self.erased.done.len() as u64
    }

    /// When an erasure was carried out.
    pub(crate) fn erased_at(&self, erasure: u32) -> Option<UtcMillis> {
        self.erased.done.get(&erasure).copied()
    }

    /// Whether the table's files still hold, under the key of this term, what was erased.
    pub(crate) const fn holds_erased(&self) -> bool {
        self.erased.left > 0
    }

    /// Whether there is or was such a tenancy.
    pub(crate) fn knows(&self, tenancy: TenancyId) -> bool {
        self.tenancies.has_root(tenancy) || self.erased.has_tenancy(tenancy)
    }

    /// The live holds.
    pub(crate) fn holds(&self) -> &BTreeMap<u32, Hold> {
        &self.erased.holds
    }

    /// The data key of a series that a hold covers, erased or not.
    pub(crate) fn held_key(&self, series: HeldSeries) -> Result<Secret<32>, NoKey> {
        let HeldSeries { meter, tenancy, class, month } = series;
        let mut holds = self.erased.holds.iter().filter(|(_, scope)| scope.covers(tenancy, month)).peekable();
        if holds.peek().is_none() {
            return Err(NoKey::NotHeld);
        }
        match holds.find_map(|(hold, _)| self.erased.held.get(&(*hold, series))) {
            Some(key) => Ok(Secret::new(*key.expose())),
            None => self.data_key(meter, tenancy, class, month),
        }
    }

    /// How many keys are held.
    pub(crate) fn held_count(&self) -> usize {
        self.erased.held.len()
    }

    /// Makes an erasure's or a hold's record count.
    pub(super) fn apply_erasing(&mut self, record: Record, key: &Secret<32>) -> Result<(), seal::SealError> {
        match record {
            Record::ErasedTenancy { tenancy } => {
                if self.tenancies.drop_root(tenancy) {
                    self.erased.left += 1;
                }
                self.erased.tenancies.insert(tenancy);
            }
            Record::ErasedPeriod { class, month } => {
                if self.periods.remove(&(class, month)).is_some() {
                    self.erased.left += 1;
                }
                self.erased.periods.insert((class, month));
            }
            Record::Hold { hold, scope } => {
                self.erased.holds.insert(hold, scope);
            }
            Record::Held { hold, series, sealed } => {
                let opened = seal::aead::open_secret(key, &series.place(hold), &sealed)?;
                self.erased.held.insert((hold, series), opened);
            }
            Record::Lifted { hold } => {
                let before = self.erased.held.len();
                self.erased.held.retain(|(of, _), _| *of != hold);
                self.erased.left += (before - self.erased.held.len()) as u64;
                self.erased.holds.remove(&hold);
                self.erased.lifted.insert(hold);
            }
            Record::Erasure { erasure, at } => {
                self.erased.done.insert(erasure, at);
            }
            _ => {}
        }
        Ok(())
    }

    /// From a new term on, nothing of what was erased before is left in the files.
    pub(super) const fn erased_is_gone(&mut self, left: u64) {
        self.erased.left = left;
    }

    pub(super) const fn left(&self) -> u64 {
        self.erased.left
    }

    /// Whether all of it can be erased now.
    pub(crate) fn may_erase(&self, wish: &Erasing, last_open: Month) -> Result<(), NotErased> {
        for tenancy in &wish.tenancies {
            if self.erased.has_tenancy(*tenancy) {
                return Err(NotErased::Before);
            }
            if !self.tenancies.has_root(*tenancy) {
                return Err(NotErased::NoTenancy(*tenancy));
            }
            if self.tenancies.spans_of(*tenancy).any(|(_, span)| span.until.is_none()) {
                return Err(NotErased::Lasts(*tenancy));
            }
        }
        for (class, month) in &wish.periods {
            if self.erased.has_period(*class, *month) {
                return Err(NotErased::Before);
            }
            if *month >= last_open {
                return Err(NotErased::NotOver(*class, *month));
            }
            if !self.periods.contains_key(&(*class, *month)) {
                return Err(NotErased::NoPeriod(*class, *month));
            }
        }
        match wish.holds.iter().find(|hold| !self.erased.holds.contains_key(hold)) {
            Some(hold) => Err(NotErased::NoHold(*hold)),
            None => self.to_hold(wish).map(drop),
        }
    }

    /// The series that the erasure would take and a hold keeps.
    fn to_hold(&self, wish: &Erasing) -> Result<Vec<(u32, HeldSeries)>, NotErased> {
        let mut kept = Vec::new();
        for (hold, scope) in self.erased.holds.iter().filter(|(hold, _)| !wish.holds.contains(hold)) {
            let before = kept.len();
            for tenancy in &scope.tenancies {
                let whole = wish.tenancies.contains(tenancy);
                for (meter, span) in self.tenancies.spans_of(*tenancy) {
                    let periods = self.periods.keys().filter(|period| whole || wish.periods.contains(period));
                    for (class, month) in
                        periods.filter(|(_, m)| scope.covers(*tenancy, *m) && span.touches(*m))
                    {
                        let series = HeldSeries { meter, tenancy: *tenancy, class: *class, month: *month };
                        if !self.erased.held.contains_key(&(*hold, series)) {
                            kept.push((*hold, series));
                        }
                    }
                }
            }
            if kept.len() - before > MAX_HELD {
                return Err(NotErased::HoldTooLarge(*hold));
            }
        }
        // a tenancy that held a meter twice in one month has one series there
        let mut seen = HashSet::new();
        kept.retain(|one| seen.insert(*one));
        Ok(kept)
    }
}

impl Table {
    /// Sets a legal hold. It counts durably, or not at all.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn hold(&self, hold: u32, scope: Hold) -> Result<(), TableError> {
        let mut writing = self.writing();
        let known = {
            let content = self.read();
            content.erased.holds.contains_key(&hold) || content.erased.lifted.contains(&hold)
        };
        if known {
            return Ok(());
        }
        self.write(&mut writing, vec![Record::Hold { hold, scope }])
    }

    /// Erases, once: what holds keep is sealed for them first. Gives how many keys that were. Where a hold cannot keep what it
    /// covers, nothing is erased.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn erase(
        &self,
        erasure: u32,
        wish: &Erasing,
        at: UtcMillis,
    ) -> Result<Result<usize, NotErased>, TableError> {
        let mut writing = self.writing();
        let mut records = Vec::new();
        {
            let content = self.read();
            if content.erased.done.contains_key(&erasure) {
                return Ok(Ok(0));
            }
            let to_hold = match content.to_hold(wish) {
                Ok(to_hold) => to_hold,
                Err(too_large) => return Ok(Err(too_large)),
            };
            for (hold, series) in to_hold {
                let HeldSeries { meter, tenancy, class, month } = series;
                let roots = (content.tenancies.root(tenancy), content.periods.get(&(class, month)));
                let (Some(root), Some(period)) = roots else { continue };
                let key = derive::data_key(root, period, meter, tenancy, class, month);
                let sealed = writing.seal(&series.place(hold), key.expose())?;
                records.push(Record::Held { hold, series, sealed });
            }
        }
        let held = records.len();
        records.extend(wish.tenancies.iter().map(|tenancy| Record::ErasedTenancy { tenancy: *tenancy }));
        records.extend(
            wish.periods.iter().map(|(class, month)| Record::ErasedPeriod { class: *class, month: *month }),
        );
        records.extend(wish.holds.iter().map(|hold| Record::Lifted { hold: *hold }));
        records.push(Record::Erasure { erasure, at });
        self.write(&mut writing, records)?;
        Ok(Ok(held))
    }
}
