//! The job: what was heard since a move that was reported late is sealed anew for whom it belongs to.
//!
//! First the store is told which version of the register it takes readings by, so that from here on no reading is added
//! under the tenancy that ended. Then everything since is looked at, meter by meter. Each reading that is sealed anew takes
//! the place of the old one in the same transaction, so that the job can stop anywhere: what is left shows how far it came.

use std::collections::BTreeSet;

use base::{Class, MeterId, Month, TenancyId, UtcMillis};
use store::{Ask, Facts, Resealed, Resealing, SealedReading, Source};
use wire::stewardship::Jobs;

use crate::daily::Days;
use crate::errand::{Errand, Failed, Sum};
use crate::keys::{Key, Keys, Opened};
use crate::peers::House;

/// Readings in one transaction: few, because intake writes beside.
const ROWS: usize = 256;
/// Readings are dated a little ahead of the clock at most.
const AHEAD_MS: i64 = 24 * 3_600_000;

/// One meter of a job.
pub(crate) struct OneMeter<'a> {
    pub(crate) store: &'a Resealing,
    pub(crate) errand: &'a Errand,
    pub(crate) meter: MeterId,
    pub(crate) now: UtcMillis,
}

/// Does a job. It does nothing that is done already.
pub(crate) async fn reseal<H: House>(
    house: &H,
    store: &Resealing,
    jobs: &Jobs,
    errand: &Errand,
    now: UtcMillis,
) -> Result<Sum, Failed> {
    store.require_register(errand.version).await?;
    let mut session = None;
    let mut sum = Sum::default();
    for meter in &errand.meters {
        let one = OneMeter { store, errand, meter: *meter, now };
        let classes = one.classes().await?;
        if classes.is_empty() {
            continue;
        }
        // a job that finds nothing asks for no grant
        if session.is_none() {
            session = Some(house.session(jobs).await?);
        }
        let Some(session) = &session else { continue };
        let mut keys = Keys::default();
        for (class, series) in classes {
            let answer = house.keys(session, class, &series).await?;
            keys.take(&series, answer)?;
        }
        one.work(&keys, &mut sum).await?;
    }
    Ok(sum)
}

impl OneMeter<'_> {
    /// The months that the job may concern.
    pub(crate) fn months(&self) -> impl Iterator<Item = Month> + use<> {
        let (first, last) = (self.errand.at.month(), self.now.plus(AHEAD_MS).month());
        (first.number()..=last.number()).map(Month::from_number)
    }

    /// Readings of a tenancy in a month, from the day of the move on.
    pub(crate) async fn rows(
        &self,
        class: Class,
        month: Month,
        tenancy: TenancyId,
        superseded: bool,
    ) -> Result<Vec<SealedReading>, Failed> {
        Ok(self.store.readings(&self.ask(class, month, tenancy, superseded)).await?)
    }

    fn ask(&self, class: Class, month: Month, tenancy: TenancyId, superseded: bool) -> Ask {
        let at = self.errand.at;
        let first = if month == at.month() { at.day().of_month() } else { 1 };
        Ask {
            meter: self.meter,
            class,
            month,
            days: first..=31,
            tenancy: Some(tenancy),
            superseded,
            limit: u32::MAX,
        }
    }

    /// The readings of a tenancy on the day of the move itself.
    pub(crate) async fn on_the_day(
        &self,
        class: Class,
        tenancy: TenancyId,
    ) -> Result<Vec<SealedReading>, Failed> {
        let (month, day) = (self.errand.at.month(), self.errand.at.day().of_month());
        let mut rows = self.rows(class, month, tenancy, false).await?;
        rows.retain(|row| row.facts.day == day);
        Ok(rows)
    }

    /// The series whose keys the job needs, by class; none when there is nothing to do.
    async fn classes(&self) -> Result<Vec<(Class, BTreeSet<Key>)>, Failed> {
        let Errand { ended, begun, .. } = *self.errand;
        let series = |class, month| [ended, begun].map(|tenancy| (self.meter, tenancy, class, month));
        let mut classes = Vec::new();
        for class in Class::ALL {
            let mut wanted: BTreeSet<Key> = BTreeSet::new();
            for month in self.months() {
                if self.store.count(&self.ask(class, month, ended, false)).await? > 0 {
                    wanted.extend(series(class, month));
                }
            }
            classes.push((class, wanted));
        }
        // the day of the move may still lack the daily reading that fine ones have for it
        let month = self.errand.at.month();
        let lacks = self.on_the_day(Class::Daily, begun).await?.is_empty()
            && !self.on_the_day(Class::Fine, begun).await?.is_empty();
        let any = lacks || classes.iter().any(|(_, wanted)| !wanted.is_empty());
        if any {
            for (class, wanted) in &mut classes {
                let fine = *class == Class::Fine
                    && !(self.on_the_day(Class::Fine, ended).await?.is_empty()
                        && self.on_the_day(Class::Fine, begun).await?.is_empty());
                if fine || *class == Class::Daily {
                    wanted.extend(series(*class, month));
                }
            }
        }
        classes.retain(|(_, wanted)| !wanted.is_empty());
        Ok(classes)
    }

    /// Seals anew what was heard since the move: first what stands for itself, then the readings of days.
    async fn work(&self, keys: &Keys, sum: &mut Sum) -> Result<(), Failed> {
        for class in [Class::Fine, Class::Billing] {
            for month in self.months() {
                self.single(keys, class, month, sum).await?;
            }
        }
        Days { one: self, keys }.work(sum).await
    }

    async fn single(&self, keys: &Keys, class: Class, month: Month, sum: &mut Sum) -> Result<(), Failed> {
        let rows = self.rows(class, month, self.errand.ended, false).await?;
        let mut moved = Vec::new();
        for row in &rows {
            let Some(opened) = keys.open(row)? else {
                sum.unreadable = sum.unreadable.saturating_add(1);
                continue;
            };
            if opened.heard < self.errand.at {
                continue;
            }
            let version = opened.facts.version.saturating_add(1);
            moved.push(self.moved(keys, &opened, version)?);
            if moved.len() >= ROWS {
                self.add(&mut moved, sum).await?;
            }
        }
        self.add(&mut moved, sum).await
    }

    /// The newer version of a reading, for whom it belongs to since the move.
    fn moved(&self, keys: &Keys, opened: &Opened, version: u32) -> Result<Resealed, Failed> {
        let facts = Facts {
            tenancy: self.errand.begun,
            version,
            source: Source::Resealed,
            superseded_by: None,
            ..opened.facts
        };
        let (facts, envelope) = keys.seal(facts, &opened.content)?;
        Ok(Resealed { facts, envelope, replaces: vec![(self.errand.ended, opened.facts.version)] })
    }

    /// Writes what has gathered.
    pub(crate) async fn add(&self, versions: &mut Vec<Resealed>, sum: &mut Sum) -> Result<(), Failed> {
        if !versions.is_empty() {
            self.store.add(versions).await?;
            sum.readings = sum.readings.saturating_add(versions.len() as u64);
            versions.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "reseal_tests.rs"]
mod tests;
