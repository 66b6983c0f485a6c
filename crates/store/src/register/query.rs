//! Questions to the register.

use std::collections::HashMap;

use base::{Area, MeterId, Resolution, TenancyId, UtcMillis};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Backend, RegisterAddress, RegisterSize, RegisteredMeter, Span, Stay};
use crate::StoreError;
use crate::convert::{id16, unsigned};

pub(super) async fn version(backend: &Backend) -> Result<u64, StoreError> {
    let Backend::Sqlite { readers, .. } = backend;
    version_of(&mut *readers.acquire().await?).await
}

pub(super) async fn version_of(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let version: i64 =
        sqlx::query_scalar("SELECT value FROM counter WHERE name = 'version'").fetch_one(connection).await?;
    unsigned(version, "version")
}

/// One statement sees one state; the version and both lists come from one transaction, so that they fit.
pub(super) async fn meters(
    backend: &Backend,
    after: MeterId,
    limit: u32,
    since: UtcMillis,
) -> Result<(u64, Vec<RegisteredMeter>), StoreError> {
    let Backend::Sqlite { readers, .. } = backend;
    let mut transaction = readers.begin().await?;
    let version = version_of(&mut transaction).await?;
    let rows = sqlx::query(
        "SELECT m.id, m.number, m.kind, m.resolution, m.clear, p.reference, p.area
         FROM meter m JOIN place p ON p.id = m.place WHERE m.id > ? ORDER BY m.id LIMIT ?",
    )
    .bind(i64::from(after.0))
    .bind(i64::from(limit))
    .fetch_all(&mut *transaction)
    .await?;
    let mut meters = rows.iter().map(meter_of).collect::<Result<Vec<_>, _>>()?;
    let at: HashMap<u32, usize> = meters.iter().enumerate().map(|(index, m)| (m.id.0, index)).collect();
    let (Some(first), Some(last)) = (meters.first().map(|m| m.id), meters.last().map(|m| m.id)) else {
        return Ok((version, meters));
    };
    let spans = sqlx::query(
        "SELECT meter, id, from_ms, until_ms, vacant FROM span
         WHERE meter BETWEEN ? AND ? AND (until_ms IS NULL OR until_ms > ?) ORDER BY meter, from_ms",
    )
    .bind(i64::from(first.0))
    .bind(i64::from(last.0))
    .bind(since.0)
    .fetch_all(&mut *transaction)
    .await?;
    for row in &spans {
        let id = unsigned(row.try_get("meter")?, "meter id")?;
        if let Some(meter) = at.get(&id).and_then(|index| meters.get_mut(*index)) {
            meter.tenancies.push(span_of(row, meter.id)?);
        }
    }
    let stays = sqlx::query(
        "SELECT s.meter, p.reference, s.from_ms, s.until_ms FROM stay s JOIN place p ON p.id = s.place
         WHERE s.meter BETWEEN ?1 AND ?2 AND s.until_ms > ?3
         UNION ALL SELECT m.id, p.reference, m.placed_ms, NULL FROM meter m JOIN place p ON p.id = m.place
         WHERE m.id BETWEEN ?1 AND ?2 ORDER BY 1, 3",
    )
    .bind(i64::from(first.0))
    .bind(i64::from(last.0))
    .bind(since.0)
    .fetch_all(&mut *transaction)
    .await?;
    for row in &stays {
        let id = unsigned(row.try_get("meter")?, "meter id")?;
        if let Some(meter) = at.get(&id).and_then(|index| meters.get_mut(*index)) {
            meter.stays.push(Stay {
                place: row.try_get("reference")?,
                from: UtcMillis(row.try_get("from_ms")?),
                until: row.try_get::<Option<i64>, _>("until_ms")?.map(UtcMillis),
            });
        }
    }
    Ok((version, meters))
}

fn meter_of(row: &SqliteRow) -> Result<RegisteredMeter, StoreError> {
    let mut bytes: Vec<u8> = row.try_get("number")?;
    bytes.extend(row.try_get::<Option<Vec<u8>>, _>("kind")?.unwrap_or_default());
    let resolution: Option<i64> = row.try_get("resolution")?;
    Ok(RegisteredMeter {
        id: MeterId(unsigned(row.try_get("id")?, "meter id")?),
        address: RegisterAddress::from_bytes(&bytes).ok_or(StoreError::Damaged("meter address"))?,
        place: row.try_get("reference")?,
        area: area_of(row.try_get("area")?)?,
        resolution: match resolution {
            None => None,
            Some(code) => Some(
                u8::try_from(code)
                    .ok()
                    .and_then(Resolution::from_code)
                    .ok_or(StoreError::Damaged("resolution"))?,
            ),
        },
        clear: row.try_get::<i64, _>("clear")? != 0,
        tenancies: Vec::new(),
        stays: Vec::new(),
    })
}

pub(super) fn span_of(row: &SqliteRow, meter: MeterId) -> Result<Span, StoreError> {
    Ok(Span {
        tenancy: TenancyId(id16(row.try_get("id")?, "tenancy id")?),
        meter,
        from: UtcMillis(row.try_get("from_ms")?),
        until: row.try_get::<Option<i64>, _>("until_ms")?.map(UtcMillis),
        vacant: row.try_get::<i64, _>("vacant")? != 0,
    })
}

/// Ids of the meters that a text names.
pub(super) async fn find(backend: &Backend, text: &str) -> Result<Vec<MeterId>, StoreError> {
    let Backend::Sqlite { readers, .. } = backend;
    let mut serial = [0; 4];
    let ids: Vec<i64> = if let Ok(address) = text.parse::<RegisterAddress>() {
        sqlx::query_scalar(
            "SELECT id FROM meter WHERE number = ?1 AND (?2 IS NULL OR kind IS NULL OR kind = ?2) ORDER BY id",
        )
        .bind(address.number().to_vec())
        .bind(address.kind().map(Vec::from))
        .fetch_all(readers)
        .await?
    } else if text.len() == 8 && hex::decode_to_slice(text, &mut serial).is_ok() {
        serial.reverse();
        sqlx::query_scalar("SELECT id FROM meter WHERE substr(number, 3, 4) = ? ORDER BY id LIMIT 64")
            .bind(serial.to_vec())
            .fetch_all(readers)
            .await?
    } else {
        return Ok(Vec::new());
    };
    ids.into_iter().map(|id| unsigned(id, "meter id").map(MeterId)).collect()
}

/// The tenancies of a customer.
pub(super) async fn tenancies_of(backend: &Backend, customer: &str) -> Result<Vec<TenancyId>, StoreError> {
    let Backend::Sqlite { readers, .. } = backend;
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT t.tenancy FROM tenant t JOIN customer c ON c.id = t.customer WHERE c.reference = ? ORDER BY 1",
    )
    .bind(customer)
    .fetch_all(readers)
    .await?;
    ids.iter().map(|id| id16(id, "tenancy id").map(TenancyId)).collect()
}

pub(super) async fn size(backend: &Backend) -> Result<RegisterSize, StoreError> {
    let Backend::Sqlite { readers, .. } = backend;
    let (meters, places, tenancies, customers, contacts): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM meter), (SELECT count(*) FROM place), (SELECT count(*) FROM tenancy),
                (SELECT count(*) FROM customer), (SELECT count(*) FROM contact)",
    )
    .fetch_one(readers)
    .await?;
    Ok(RegisterSize {
        meters: unsigned(meters, "count")?,
        places: unsigned(places, "count")?,
        tenancies: unsigned(tenancies, "count")?,
        customers: unsigned(customers, "count")?,
        contacts: unsigned(contacts, "count")?,
    })
}

/// An area as a column holds it.
pub(super) fn area_of(column: Option<String>) -> Result<Option<Area>, StoreError> {
    column.map(|text| text.parse().map_err(|_| StoreError::Damaged("area"))).transpose()
}
