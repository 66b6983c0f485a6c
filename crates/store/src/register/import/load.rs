//! Loads what a list touches: its meters, its places, the places where its meters are now, and their tenancies.

use std::collections::HashMap;

use base::MeterId;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Entry;
use super::judge::{Meter, Model, PlaceState, Segment};
use crate::StoreError;
use crate::convert::unsigned;
use crate::register::query::area_of;

pub(super) async fn load(connection: &mut SqliteConnection, entries: &[Entry]) -> Result<Model, StoreError> {
    let mut model = Model::default();
    let numbers = json(entries.iter().map(|e| hex::encode(e.address.number())))?;
    let rows = sqlx::query(
        "SELECT m.id, m.number, m.kind, m.resolution, m.clear, p.reference FROM meter m JOIN place p ON p.id = m.place
         WHERE m.number IN (SELECT unhex(value) FROM json_each(?)) ORDER BY m.id",
    )
    .bind(numbers)
    .fetch_all(&mut *connection)
    .await?;
    let references = json(entries.iter().map(|e| e.place.clone()))?;
    let exchanged: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT x.removed, p.reference, x.at_ms FROM exchange x JOIN place p ON p.id = x.place
         WHERE p.reference IN (SELECT value FROM json_each(?)) ORDER BY x.at_ms",
    )
    .bind(&references)
    .fetch_all(&mut *connection)
    .await?;
    let mut left: HashMap<i64, Vec<(String, i64)>> = HashMap::new();
    // ascending by time, so that the last one of a place stays
    let last: HashMap<String, i64> = exchanged.iter().map(|(_, place, at)| (place.clone(), *at)).collect();
    for (meter, place, at) in exchanged {
        left.entry(meter).or_default().push((place, at));
    }
    let damaged = || StoreError::Damaged("meter address");
    for row in &rows {
        let number: Vec<u8> = row.try_get("number")?;
        let kind: Option<Vec<u8>> = row.try_get("kind")?;
        let id: i64 = row.try_get("id")?;
        let meter = Meter {
            id: Some(MeterId(unsigned(id, "meter id")?)),
            kind: kind.map(|k| k.try_into().map_err(|_| damaged())).transpose()?,
            place: row.try_get("reference")?,
            resolution: row.try_get("resolution")?,
            clear: row.try_get::<i64, _>("clear")? != 0,
            left: left.remove(&id).unwrap_or_default(),
        };
        model.meters.entry(number.try_into().map_err(|_| damaged())?).or_default().push(meter);
    }
    let rows = sqlx::query(
        "SELECT p.reference, p.area, t.from_ms, t.until_ms, t.vacant, c.reference AS customer
         FROM place p JOIN tenancy t ON t.place = p.id
         LEFT JOIN tenant w ON w.tenancy = t.id LEFT JOIN customer c ON c.id = w.customer
         WHERE p.reference IN (SELECT value FROM json_each(?)) ORDER BY p.id, t.from_ms",
    )
    .bind(references)
    .fetch_all(&mut *connection)
    .await?;
    let mut places: HashMap<String, PlaceState> = HashMap::new();
    for row in &rows {
        let reference: String = row.try_get("reference")?;
        let exchanged = last.get(&reference).copied();
        let place = places.entry(reference).or_default();
        place.exchanged = exchanged;
        place.area = area_of(row.try_get("area")?)?;
        place.chain.push(Segment {
            from: row.try_get("from_ms")?,
            until: row.try_get("until_ms")?,
            vacant: row.try_get::<i64, _>("vacant")? != 0,
            customer: row.try_get("customer")?,
        });
    }
    model.places = places;
    Ok(model)
}

/// Texts as the list that `json_each` reads, each once.
fn json(texts: impl Iterator<Item = String>) -> Result<String, StoreError> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    serde_json::to_string(&texts).map_err(|_| StoreError::Damaged("list of references"))
}
