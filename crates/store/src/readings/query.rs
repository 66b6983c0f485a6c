//! Finding readings again.

use std::ops::RangeInclusive;

use base::{Class, MeterId, Month, TenancyId};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Facts, Quality, SealedReading, Source};
use crate::StoreError;
use crate::convert::{id16, unsigned};

/// A question for one meter's readings of a month.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The meter.
    pub meter: MeterId,
    /// Data class.
    pub class: Class,
    /// Month, UTC.
    pub month: Month,
    /// Days of the month, UTC.
    pub days: RangeInclusive<u8>,
    /// Only this tenancy's.
    pub tenancy: Option<TenancyId>,
    /// Superseded versions too.
    pub superseded: bool,
    /// At most so many rows.
    pub limit: u32,
}

/// A day that has its daily reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyKept {
    /// The meter.
    pub meter: MeterId,
    /// The tenancy it was kept for.
    pub tenancy: TenancyId,
    /// Day of the month.
    pub day: u8,
}

const COLUMNS: &str = "r.class, r.month, r.sequence, r.meter, t.id AS tenancy_id, r.version, r.day, r.source,
    r.quality, r.superseded_by, r.term, r.envelope";

/// Numbers go down from the newest and each is one look into the index, so that a month of a lively meter
/// costs what is read and not what is stored.
pub(crate) async fn newest_first(
    connection: &mut SqliteConnection,
    ask: &Ask,
) -> Result<Vec<SealedReading>, StoreError> {
    let (top, bottom) = numbers(connection, ask).await?;
    if top < bottom {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH RECURSIVE s (n) AS (VALUES (?1) UNION ALL SELECT n - 1 FROM s WHERE n > ?2)
         SELECT {COLUMNS} FROM s CROSS JOIN reading r CROSS JOIN tenancy t ON t.ref = r.tenancy
         WHERE r.class = ?3 AND r.month = ?4 AND r.sequence = s.n AND r.meter = ?5
           AND r.day BETWEEN ?6 AND ?7 AND (?8 OR r.superseded_by IS NULL) AND (?9 IS NULL OR t.id = ?9)
         LIMIT ?10"
    );
    // CROSS JOIN walks the numbers in the order in which `s` makes them, so that the limit ends the walk; an
    // ORDER BY would read the whole month first.
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(top)
        .bind(bottom)
        .bind(i64::from(ask.class.code()))
        .bind(i64::from(ask.month.number()))
        .bind(i64::from(ask.meter.0))
        .bind(i64::from(*ask.days.start()))
        .bind(i64::from(*ask.days.end()))
        .bind(ask.superseded)
        .bind(ask.tenancy.map(|t| t.0.to_vec()))
        .bind(i64::from(ask.limit))
        .fetch_all(connection)
        .await?;
    let mut readings: Vec<SealedReading> = rows.iter().map(reading_of).collect::<Result<_, _>>()?;
    readings.sort_by_key(|r| std::cmp::Reverse((r.facts.sequence, r.facts.version)));
    Ok(readings)
}

/// The highest and the lowest number that a reading of a month can have.
async fn numbers(connection: &mut SqliteConnection, ask: &Ask) -> Result<(i64, i64), StoreError> {
    Ok(match ask.class {
        Class::Daily => (i64::from(*ask.days.end()), i64::from(*ask.days.start())),
        Class::Billing => (31, 0),
        Class::Fine => {
            let next: Option<i64> =
                sqlx::query_scalar("SELECT next FROM fine_head WHERE month = ? AND meter = ?")
                    .bind(i64::from(ask.month.number()))
                    .bind(i64::from(ask.meter.0))
                    .fetch_optional(connection)
                    .await?;
            (next.unwrap_or(0) - 1, 0)
        }
    })
}

/// How many readings a question finds, without reading them.
pub(crate) async fn count(connection: &mut SqliteConnection, ask: &Ask) -> Result<u64, StoreError> {
    let (top, bottom) = numbers(connection, ask).await?;
    if top < bottom {
        return Ok(0);
    }
    let count: i64 = sqlx::query_scalar(
        "WITH RECURSIVE s (n) AS (VALUES (?1) UNION ALL SELECT n - 1 FROM s WHERE n > ?2)
         SELECT count(*) FROM s CROSS JOIN reading r CROSS JOIN tenancy t ON t.ref = r.tenancy
         WHERE r.class = ?3 AND r.month = ?4 AND r.sequence = s.n AND r.meter = ?5
           AND r.day BETWEEN ?6 AND ?7 AND (?8 OR r.superseded_by IS NULL) AND (?9 IS NULL OR t.id = ?9)",
    )
    .bind(top)
    .bind(bottom)
    .bind(i64::from(ask.class.code()))
    .bind(i64::from(ask.month.number()))
    .bind(i64::from(ask.meter.0))
    .bind(i64::from(*ask.days.start()))
    .bind(i64::from(*ask.days.end()))
    .bind(ask.superseded)
    .bind(ask.tenancy.map(|t| t.0.to_vec()))
    .fetch_one(connection)
    .await?;
    unsigned(count, "count")
}

/// The newest reading of each meter in a month (the highest number; of that, the newest version), for meters
/// from `first` to `last`.
pub(crate) async fn latest(
    connection: &mut SqliteConnection,
    class: Class,
    month: Month,
    meters: RangeInclusive<MeterId>,
) -> Result<Vec<SealedReading>, StoreError> {
    // Fine has its heads; of daily, one look a day and meter at most, newest day first.
    let heads = match class {
        Class::Fine => {
            "SELECT meter, next - 1 AS n FROM fine_head WHERE month = ?2 AND meter BETWEEN ?3 AND ?4"
        }
        Class::Daily | Class::Billing => {
            "SELECT meter, max(sequence) AS n FROM reading
             WHERE class = ?1 AND month = ?2 AND meter BETWEEN ?3 AND ?4 GROUP BY meter"
        }
    };
    let sql = format!(
        "WITH h AS ({heads})
         SELECT {COLUMNS} FROM h CROSS JOIN reading r CROSS JOIN tenancy t ON t.ref = r.tenancy
         WHERE r.class = ?1 AND r.month = ?2 AND r.sequence = h.n AND r.meter = h.meter
           AND r.superseded_by IS NULL
         ORDER BY r.meter"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(class.code()))
        .bind(i64::from(month.number()))
        .bind(i64::from(meters.start().0))
        .bind(i64::from(meters.end().0))
        .fetch_all(connection)
        .await?
        .iter()
        .map(reading_of)
        .collect()
}

/// The days of a month whose daily reading is taken: also those whose reading belongs to another tenancy by now, because
/// their place is taken, and those that the steward gave one.
pub(crate) async fn daily_kept(
    connection: &mut SqliteConnection,
    month: Month,
) -> Result<Vec<DailyKept>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as(
        "SELECT DISTINCT r.meter, t.id, r.sequence FROM reading r JOIN tenancy t ON t.ref = r.tenancy
         WHERE r.class = 2 AND r.month = ?",
    )
    .bind(i64::from(month.number()))
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(meter, tenancy, day)| {
            Ok(DailyKept {
                meter: MeterId(unsigned(meter, "meter")?),
                tenancy: TenancyId(id16(&tenancy, "tenancy")?),
                day: unsigned(day, "day")?,
            })
        })
        .collect()
}

/// The next number of class fine for each meter of a month that has any.
pub(crate) async fn heads(
    connection: &mut SqliteConnection,
    month: Month,
) -> Result<Vec<(MeterId, u32)>, StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT meter, next FROM fine_head WHERE month = ?")
        .bind(i64::from(month.number()))
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|(meter, next)| Ok((MeterId(unsigned(meter, "meter")?), unsigned(next, "sequence")?)))
        .collect()
}

fn reading_of(row: &SqliteRow) -> Result<SealedReading, StoreError> {
    let number = |name: &'static str| row.try_get::<i64, _>(name).map_err(StoreError::from);
    let byte = |name: &'static str| number(name).and_then(|v| unsigned::<u8>(v, name));
    let superseded: Option<i64> = row.try_get("superseded_by")?;
    Ok(SealedReading {
        facts: Facts {
            meter: MeterId(unsigned(number("meter")?, "meter")?),
            tenancy: TenancyId(id16(row.try_get("tenancy_id")?, "tenancy")?),
            class: Class::from_code(byte("class")?).ok_or(StoreError::Damaged("class"))?,
            month: Month::from_number(unsigned(number("month")?, "month")?),
            sequence: unsigned(number("sequence")?, "sequence")?,
            version: unsigned(number("version")?, "version")?,
            day: byte("day")?,
            source: Source::from_code(byte("source")?).ok_or(StoreError::Damaged("source"))?,
            quality: Quality::from_code(byte("quality")?).ok_or(StoreError::Damaged("quality"))?,
            superseded_by: superseded.map(|v| unsigned(v, "version")).transpose()?,
            term: unsigned(number("term")?, "term")?,
        },
        envelope: row.try_get("envelope")?,
    })
}
