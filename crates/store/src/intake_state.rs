//! What intake must remember across restarts: meter states, learnt formats, events not yet delivered, batches
//! wanted again, and the count of unknown meters' telegrams. All of it opaque bytes or plain numbers here.

use std::collections::BTreeMap;

use base::{BatchPosition, BatchSeq, CollectorId, Day, Epoch, MeterId, UtcMillis};
use sqlx::sqlite::SqliteConnection;

use crate::StoreError;
use crate::account::position;
use crate::convert::{bits_in, unsigned};

/// Batches of a spool that are wanted once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Who has them.
    pub collector: CollectorId,
    /// In which spool.
    pub epoch: Epoch,
    /// First number.
    pub first: BatchSeq,
    /// Last number.
    pub last: BatchSeq,
    /// Since when.
    pub since: UtcMillis,
}

/// How many telegrams of unknown meters of one manufacturer were heard on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCount {
    /// `2026-11-23`.
    pub day: String,
    /// Three letters.
    pub manufacturer: String,
    /// Telegrams.
    pub count: u64,
}

/// An event that waits for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number, growing.
    pub id: i64,
    /// The encoded event.
    pub event: Vec<u8>,
}

pub(crate) async fn put_meter_states(
    connection: &mut SqliteConnection,
    states: &[(MeterId, Vec<u8>)],
) -> Result<(), StoreError> {
    let mut builder = Upsert::new(
        "INSERT INTO meter_state (meter, state) VALUES ",
        " ON CONFLICT (meter) DO UPDATE SET state = excluded.state",
    );
    for chunk in states.chunks(256) {
        let sql = builder.of(chunk.len());
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for (meter, state) in chunk {
            query = query.bind(i64::from(meter.0)).bind(state.clone());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// A two-column upsert of a number of rows; the text is made anew only when that number changes.
struct Upsert {
    head: &'static str,
    tail: &'static str,
    text: (usize, String),
}

impl Upsert {
    const fn new(head: &'static str, tail: &'static str) -> Self {
        Self { head, tail, text: (0, String::new()) }
    }

    fn of(&mut self, rows: usize) -> String {
        if self.text.0 != rows {
            self.text = (rows, format!("{}{}{}", self.head, vec!["(?,?)"; rows].join(","), self.tail));
        }
        self.text.1.clone()
    }
}

pub(crate) async fn meter_states(
    connection: &mut SqliteConnection,
) -> Result<Vec<(MeterId, Vec<u8>)>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT meter, state FROM meter_state ORDER BY meter").fetch_all(connection).await?;
    rows.into_iter().map(|(meter, state)| Ok((MeterId(unsigned(meter, "meter")?), state))).collect()
}

/// Opaque to the store; the caller sees to it that no layout is replaced silently.
pub(crate) async fn put_format(
    connection: &mut SqliteConnection,
    key: &[u8],
    layout: &[u8],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO format (key, layout) VALUES (?, ?)
         ON CONFLICT (key) DO UPDATE SET layout = excluded.layout",
    )
    .bind(key.to_vec())
    .bind(layout.to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn formats(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    Ok(sqlx::query_as("SELECT key, layout FROM format ORDER BY key").fetch_all(connection).await?)
}

pub(crate) async fn add_unknown(
    connection: &mut SqliteConnection,
    counts: &BTreeMap<(Day, String), u64>,
) -> Result<(), StoreError> {
    for ((day, manufacturer), count) in counts {
        sqlx::query(
            "INSERT INTO unknown_count (day, manufacturer, count) VALUES (?, ?, ?)
             ON CONFLICT (day, manufacturer) DO UPDATE SET count = count + excluded.count",
        )
        .bind(day.to_string())
        .bind(manufacturer.as_str())
        .bind(i64::try_from(*count).map_err(|_| StoreError::Damaged("count"))?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(crate) async fn unknown(connection: &mut SqliteConnection) -> Result<Vec<UnknownCount>, StoreError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT day, manufacturer, count FROM unknown_count ORDER BY day, manufacturer")
            .fetch_all(connection)
            .await?;
    rows.into_iter()
        .map(|(day, manufacturer, count)| {
            Ok(UnknownCount { day, manufacturer, count: unsigned(count, "count")? })
        })
        .collect()
}

pub(crate) async fn put_events(
    connection: &mut SqliteConnection,
    events: &[Vec<u8>],
) -> Result<(), StoreError> {
    for event in events {
        sqlx::query("INSERT INTO outbox (event) VALUES (?)")
            .bind(event.clone())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn outbox(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<Outgoing>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT id, event FROM outbox ORDER BY id LIMIT ?")
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, event)| Outgoing { id, event }).collect())
}

pub(crate) async fn replace_wanted(
    connection: &mut SqliteConnection,
    wanted: &[Wanted],
) -> Result<(), StoreError> {
    let clamp = |n: BatchSeq| i64::try_from(n.0).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM wanted").execute(&mut *connection).await?;
    for want in wanted {
        sqlx::query(
            "INSERT INTO wanted (collector, epoch, first_seq, last_seq, since_ms) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(i64::from(want.collector.0))
        .bind(bits_in(want.epoch.0))
        .bind(clamp(want.first))
        .bind(clamp(want.last))
        .bind(want.since.0)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(crate) async fn wanted(connection: &mut SqliteConnection) -> Result<Vec<Wanted>, StoreError> {
    let rows: Vec<(i64, i64, i64, i64, i64)> =
        sqlx::query_as("SELECT collector, epoch, first_seq, last_seq, since_ms FROM wanted ORDER BY 1, 2, 3")
            .fetch_all(connection)
            .await?;
    rows.into_iter()
        .map(|(c, e, first, last, since)| {
            let BatchPosition { collector, epoch, seq } = position(c, e, first)?;
            let last = BatchSeq(unsigned(last, "seq")?);
            Ok(Wanted { collector, epoch, first: seq, last, since: UtcMillis(since) })
        })
        .collect()
}
