//! Writing readings: hundreds of rows a statement.
//!
//! Each statement is a trip to SQLite's thread (some 50 microseconds), so rows go in groups.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use base::TenancyId;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Facts, NewReadings};
use crate::StoreError;

/// Rows a statement. The last group is filled up with smaller statements, each prepared once.
const GROUPS: [usize; 4] = [512, 64, 8, 1];

static INSERTS: LazyLock<[String; 4]> = LazyLock::new(|| GROUPS.map(insert_of));
static HEADS: LazyLock<[String; 4]> = LazyLock::new(|| GROUPS.map(heads_of));

/// Plain `?` throughout: SQLite looks a numbered parameter up in a list, and thousands of those cost more than
/// the rows.
fn insert_of(rows: usize) -> String {
    let values = vec!["(?,?,?,?,?,?,?,?,?,?,?,?)"; rows].join(",");
    format!(
        "INSERT INTO reading (class, month, sequence, meter, tenancy, version, day, source, quality,
         superseded_by, term, envelope) VALUES {values}"
    )
}

fn heads_of(rows: usize) -> String {
    let values = vec!["(?,?,?)"; rows].join(",");
    format!(
        "INSERT INTO fine_head (month, meter, next) VALUES {values}
         ON CONFLICT (month, meter) DO UPDATE SET next = max(next, excluded.next)"
    )
}

/// Cuts a list into groups of the statements' sizes.
fn groups<'a, T, S>(mut list: &'a [T], statements: &'a [S; 4]) -> impl Iterator<Item = (&'a [T], &'a S)> {
    std::iter::from_fn(move || {
        let (size, statement) = GROUPS.iter().zip(statements).find(|(size, _)| **size <= list.len())?;
        let (group, rest) = list.split_at_checked(*size)?;
        list = rest;
        Some((group, statement))
    })
}

/// Writes all rows. `known` maps tenancies to their numbers; ones that are missing are made and returned, for
/// the caller to keep after the commit.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    readings: &NewReadings,
    known: &HashMap<TenancyId, i64>,
) -> Result<HashMap<TenancyId, i64>, StoreError> {
    let mut made = HashMap::new();
    for (facts, _) in readings.iter() {
        if !known.contains_key(&facts.tenancy) && !made.contains_key(&facts.tenancy) {
            made.insert(facts.tenancy, tenancy_ref(connection, facts.tenancy).await?);
        }
    }
    let mut rows: Vec<(&Facts, i64, &[u8])> = Vec::with_capacity(readings.len());
    for (facts, envelope) in readings.iter() {
        let tenancy = known.get(&facts.tenancy).or_else(|| made.get(&facts.tenancy));
        rows.push((facts, *tenancy.ok_or(StoreError::Damaged("tenancy"))?, envelope));
    }
    // In the order of the index: neighbours share pages.
    rows.sort_unstable_by_key(|(f, ..)| (f.class.code(), f.month, f.sequence, f.meter));
    for (group, sql) in groups(&rows, &INSERTS) {
        let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
        for (facts, tenancy, envelope) in group {
            query = query
                .bind(i32::from(facts.class.code()))
                .bind(i64::from(facts.month.number()))
                .bind(i64::from(facts.sequence))
                .bind(i64::from(facts.meter.0))
                .bind(*tenancy)
                .bind(i64::from(facts.version))
                .bind(i32::from(facts.day))
                .bind(i32::from(facts.source.code()))
                .bind(i32::from(facts.quality.code()))
                .bind(facts.superseded_by.map(i64::from))
                .bind(i64::from(facts.term))
                .bind(*envelope);
        }
        query.execute(&mut *connection).await?;
    }
    raise_heads(connection, readings).await?;
    Ok(made)
}

async fn raise_heads(connection: &mut SqliteConnection, readings: &NewReadings) -> Result<(), StoreError> {
    let mut heads: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    for (facts, _) in readings.iter().filter(|(f, _)| f.class == base::Class::Fine) {
        let head = heads.entry((facts.month.number(), facts.meter.0)).or_default();
        *head = (*head).max(facts.sequence.saturating_add(1));
    }
    let heads: Vec<_> = heads.into_iter().collect();
    for (group, sql) in groups(&heads, &HEADS) {
        let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
        for ((month, meter), next) in group {
            query = query.bind(i64::from(*month)).bind(i64::from(*meter)).bind(i64::from(*next));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn tenancy_ref(connection: &mut SqliteConnection, id: TenancyId) -> Result<i64, StoreError> {
    sqlx::query("INSERT INTO tenancy (id) VALUES (?) ON CONFLICT DO NOTHING")
        .bind(id.0.to_vec())
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_scalar("SELECT ref FROM tenancy WHERE id = ?")
        .bind(id.0.to_vec())
        .fetch_one(connection)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_a_list_with_few_statements() {
        for length in [0, 1, 7, 8, 63, 512, 1000, 4096] {
            let list: Vec<usize> = (0..length).collect();
            let cut: Vec<&[usize]> = groups(&list, &GROUPS)
                .map(|(g, size)| {
                    assert_eq!(g.len(), *size);
                    g
                })
                .collect();
            assert_eq!(cut.concat(), list);
            assert!(cut.len() <= length / 512 + 7 + 7 + 7);
        }
    }
}
