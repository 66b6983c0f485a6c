//! Writes what follows from the good rows of a list.

use std::collections::{BTreeSet, HashMap, HashSet};

use base::{MeterId, UtcMillis};

use super::Entry;
use super::judge::Act;
use crate::StoreError;
use crate::convert::unsigned;
use crate::register::change::{begin_tenancy, place_id};
use crate::register::query::span_of;
use crate::register::{Change, Moved, NewMeter, Span};

/// What was written so far.
#[derive(Default)]
struct Written {
    /// The ids of places by their references.
    places: HashMap<String, i64>,
    /// Places that this change has made: no meter elsewhere in the house has heard of their tenancies.
    made: HashSet<i64>,
    /// Meters whose tenancies are not as before.
    meters: BTreeSet<i64>,
    /// Moves at places that were there: readings may have been sealed without them.
    moves: Vec<Moved>,
}

impl Change<'_> {
    /// Writes; gives the tenancies of all meters for which something changed, and the moves at places that were there.
    pub(super) async fn write(
        &mut self,
        entries: &[Entry],
        acts: Vec<Act>,
        now: UtcMillis,
    ) -> Result<(Vec<Span>, Vec<Moved>), StoreError> {
        let mut written = Written::default();
        self.touched |= !acts.is_empty();
        for act in acts {
            self.act(entries, act, &mut written, now).await?;
        }
        Ok((self.spans_of_meters(&written.meters).await?, written.moves))
    }

    async fn act(
        &mut self,
        entries: &[Entry],
        act: Act,
        written: &mut Written,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        let (Act::Place(index)
        | Act::Area(index)
        | Act::Meter(index)
        | Act::Settle(index, _)
        | Act::Resolution(index, _)
        | Act::Begin(index)
        | Act::End(index)
        | Act::Customer(index)) = act;
        let entry = entries.get(index).ok_or(StoreError::Damaged("row of a list"))?;
        let place = match written.places.get(&entry.place) {
            Some(place) => *place,
            None => {
                let known = place_id(&mut self.guard, &entry.place).await?;
                let place = match known {
                    Some(place) => place,
                    None => self.place_made(&entry.place).await?,
                };
                if known.is_none() {
                    written.made.insert(place);
                }
                written.places.insert(entry.place.clone(), place);
                place
            }
        };
        let (from, until) = (entry.from.unwrap_or(UtcMillis(0)), entry.until.unwrap_or(UtcMillis(0)));
        match act {
            Act::Place(_) => Ok(()),
            Act::Area(_) => self.set_area(place, entry.area.as_ref()).await,
            Act::Meter(_) => {
                let meter = NewMeter {
                    address: entry.address,
                    place: entry.place.clone(),
                    area: None,
                    resolution: entry.resolution,
                    clear: entry.clear.unwrap_or_default(),
                };
                let id = self.insert_meter(&meter, place, now).await?;
                written.meters.insert(i64::from(id.0));
                Ok(())
            }
            Act::Settle(_, id) => {
                written.meters.insert(i64::from(id.0));
                self.settle(id, place, now).await
            }
            Act::Resolution(_, id) => self.set_resolution_of(id, entry.resolution).await,
            Act::Begin(_) => {
                self.step(entry, place, from, false, written).await?;
                self.name_customer(place, from, entry.customer.as_deref()).await
            }
            Act::End(_) => self.step(entry, place, until, true, written).await,
            Act::Customer(_) => self.name_customer(place, from, entry.customer.as_deref()).await,
        }
    }

    /// The next tenancy of a place's chain begins.
    async fn step(
        &mut self,
        entry: &Entry,
        place: i64,
        at: UtcMillis,
        vacant: bool,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        if !written.made.contains(&place) {
            // a place that was there moves as all places do
            let moved = self.move_at(&entry.place, at, vacant).await?;
            written.meters.extend(moved.spans.iter().map(|span| i64::from(span.meter.0)));
            written.moves.push(moved);
            return Ok(());
        }
        sqlx::query("UPDATE tenancy SET until_ms = ? WHERE place = ? AND until_ms IS NULL")
            .bind(at.0)
            .bind(place)
            .execute(&mut *self.guard)
            .await?;
        begin_tenancy(&mut self.guard, &self.seed, place, at, vacant).await.map(drop)
    }

    /// A meter leaves the place where it was and hangs at this one from now on: what was heard before stays where it is.
    async fn settle(&mut self, meter: MeterId, place: i64, now: UtcMillis) -> Result<(), StoreError> {
        let since: i64 = sqlx::query_scalar("SELECT placed_ms FROM meter WHERE id = ?")
            .bind(i64::from(meter.0))
            .fetch_one(&mut *self.guard)
            .await?;
        let at = now.0.max(since.saturating_add(1));
        self.hang(meter, place, UtcMillis(at)).await
    }

    /// Notes whose the tenancy is that began then.
    async fn name_customer(
        &mut self,
        place: i64,
        from: UtcMillis,
        customer: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(customer) = customer else { return Ok(()) };
        sqlx::query("INSERT INTO customer (reference) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(customer)
            .execute(&mut *self.guard)
            .await?;
        let done = sqlx::query(
            "INSERT INTO tenant (tenancy, customer)
             SELECT t.id, c.id FROM tenancy t, customer c WHERE t.place = ? AND t.from_ms = ? AND c.reference = ?",
        )
        .bind(place)
        .bind(from.0)
        .bind(customer)
        .execute(&mut *self.guard)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Damaged("tenancy of a customer")) }
    }

    async fn spans_of_meters(&mut self, meters: &BTreeSet<i64>) -> Result<Vec<Span>, StoreError> {
        if meters.is_empty() {
            return Ok(Vec::new());
        }
        let meters = serde_json::to_string(meters).map_err(|_| StoreError::Damaged("list of meters"))?;
        let rows = sqlx::query(
            "SELECT meter, id, from_ms, until_ms, vacant FROM span
             WHERE meter IN (SELECT value FROM json_each(?)) ORDER BY meter, from_ms",
        )
        .bind(meters)
        .fetch_all(&mut *self.guard)
        .await?;
        let span = |row: &sqlx::sqlite::SqliteRow| {
            span_of(row, MeterId(unsigned(sqlx::Row::try_get(row, "meter")?, "meter id")?))
        };
        rows.iter().map(span).collect()
    }
}
