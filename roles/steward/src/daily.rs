//! The readings of days. A day's reading is the first good one that was heard on it: a real telegram at its own time. After a
//! move the day that was cut in two has one of each part, where there is one; nothing is made up.

use std::collections::{BTreeMap, BTreeSet};

use base::{Class, Month, TenancyId};
use store::{Facts, Resealed, Source};

use crate::errand::{Failed, Sum};
use crate::keys::{Keys, Opened};
use crate::reseal::OneMeter;

/// The days of one meter.
pub(crate) struct Days<'a> {
    pub(crate) one: &'a OneMeter<'a>,
    pub(crate) keys: &'a Keys,
}

/// What stands at one day of one tenancy.
#[derive(Default)]
struct Place {
    /// The reading that counts, when it opens.
    live: Option<Opened>,
    /// The highest version that was ever written there.
    highest: u32,
}

impl Days<'_> {
    /// Gives each day since the move its reading.
    pub(crate) async fn work(&self, sum: &mut Sum) -> Result<(), Failed> {
        let mut versions = Vec::new();
        for month in self.one.months() {
            let mut ended = self.places(month, self.one.errand.ended, sum).await?;
            // without one that may move there is nothing to do, and the keys of the month were not asked for
            if ended.values().all(|place| place.live.is_none()) {
                continue;
            }
            let mut begun = self.places(month, self.one.errand.begun, sum).await?;
            let days: BTreeSet<u8> = ended.keys().chain(begun.keys()).copied().collect();
            for day in days {
                let old = ended.remove(&day).unwrap_or_default();
                let new = begun.remove(&day).unwrap_or_default();
                versions.extend(self.moved(old, &new)?);
            }
            self.one.add(&mut versions, sum).await?;
        }
        self.of_the_move(sum).await
    }

    async fn places(
        &self,
        month: Month,
        tenancy: TenancyId,
        sum: &mut Sum,
    ) -> Result<BTreeMap<u8, Place>, Failed> {
        let mut places: BTreeMap<u8, Place> = BTreeMap::new();
        for row in self.one.rows(Class::Daily, month, tenancy, true).await? {
            let place = places.entry(row.facts.day).or_default();
            place.highest = place.highest.max(row.facts.version);
            if row.facts.superseded_by.is_some() {
                continue;
            }
            match self.keys.open(&row)? {
                Some(opened) => place.live = Some(opened),
                None => sum.unreadable = sum.unreadable.saturating_add(1),
            }
        }
        Ok(places)
    }

    /// A day's reading that belongs to who moved in: the earlier of it and the one that they have of that day already.
    fn moved(&self, old: Place, new: &Place) -> Result<Option<Resealed>, Failed> {
        let Some(old) = old.live.filter(|opened| opened.heard >= self.one.errand.at) else { return Ok(None) };
        let first = new.live.as_ref().filter(|own| own.heard < old.heard).unwrap_or(&old);
        let version = old.facts.version.max(new.highest).saturating_add(1);
        let (facts, envelope) = self.sealed(first, self.one.errand.begun, version)?;
        let mut replaces = vec![(self.one.errand.ended, old.facts.version)];
        replaces.extend(new.live.as_ref().map(|own| (self.one.errand.begun, own.facts.version)));
        Ok(Some(Resealed { facts, envelope, replaces }))
    }

    /// On the day of the move each has the first that was heard in their part of it, where fine readings have one.
    async fn of_the_move(&self, sum: &mut Sum) -> Result<(), Failed> {
        let at = self.one.errand.at;
        let mut versions = Vec::new();
        for (tenancy, after) in [(self.one.errand.ended, false), (self.one.errand.begun, true)] {
            let mut first: Option<Opened> = None;
            for row in self.one.on_the_day(Class::Fine, tenancy).await? {
                let Some(opened) = self.keys.open(&row)? else { continue };
                let its_own = (opened.heard >= at) == after;
                if its_own && first.as_ref().is_none_or(|first| opened.heard < first.heard) {
                    first = Some(opened);
                }
            }
            let Some(first) = first else { continue };
            let place = self.places(at.month(), tenancy, &mut Sum::default()).await?;
            let place = place.into_iter().find(|(day, _)| *day == at.day().of_month());
            let place = place.map(|(_, place)| place).unwrap_or_default();
            // who moved out keeps the reading that they had; who moved in gets the first one
            if place.live.as_ref().is_some_and(|live| !after || live.heard <= first.heard) {
                continue;
            }
            let (facts, envelope) = self.sealed(&first, tenancy, place.highest.saturating_add(1))?;
            let replaces = place.live.iter().map(|live| (tenancy, live.facts.version)).collect();
            versions.push(Resealed { facts, envelope, replaces });
        }
        self.one.add(&mut versions, sum).await
    }

    fn sealed(&self, of: &Opened, tenancy: TenancyId, version: u32) -> Result<(Facts, Vec<u8>), Failed> {
        let facts = Facts {
            tenancy,
            class: Class::Daily,
            sequence: u32::from(of.facts.day),
            version,
            source: Source::Resealed,
            superseded_by: None,
            ..of.facts
        };
        self.keys.seal(facts, &of.content)
    }
}
