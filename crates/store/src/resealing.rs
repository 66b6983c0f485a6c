//! The readings database as the steward has it: it reads, adds newer versions, and marks what they replace. It removes
//! nothing and changes no reading; the database itself refuses that, too.
//!
//! It writes beside intake: each change is one short transaction, and SQLite lets one at a time through.

use std::path::Path;

use base::TenancyId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use crate::StoreError;
use crate::convert::unsigned;
use crate::readings::{self, Ask, Facts, SealedReading, tenancy_ref};
use crate::sqlite::{self, Writer};
use crate::store::LAYOUT;

/// A newer version of a reading, and what it replaces at its place: the same class, month, number and meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Place and origin of the new one.
    pub facts: Facts,
    /// Its sealed content.
    pub envelope: Vec<u8>,
    /// Live versions that it replaces, by tenancy and version. Older ones of its own tenancy are replaced in any case.
    pub replaces: Vec<(TenancyId, u32)>,
}

/// The readings database, to add newer versions to.
pub struct Resealing {
    writer: Writer,
    readers: SqlitePool,
}

impl Resealing {
    /// Opens the database that intake has made.
    ///
    /// # Errors
    /// [`StoreError::Absent`] before intake has made it, [`StoreError::Older`] before it has brought it up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let readers = sqlite::open_readers(path, &LAYOUT, 1).await?;
        let writer = sqlite::join_writer(path, &LAYOUT).await?;
        Ok(Self { writer, readers })
    }

    /// From now on no reading is committed that was sealed by an older version of the register. An older version than the
    /// last one is taken, too: the register was put back, and intake would wait for ever.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn require_register(&self, version: u64) -> Result<(), StoreError> {
        let version = i64::try_from(version).map_err(|_| StoreError::Damaged("version"))?;
        let mut guard = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO register_floor (id, version) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET version = excluded.version",
        )
        .bind(version)
        .execute(&mut *guard)
        .await?;
        guard.commit().await
    }

    /// The oldest version of the register that readings may be sealed by; 0 when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn required_register(&self) -> Result<u64, StoreError> {
        floor(&mut *self.readers.acquire().await?).await
    }

    /// One meter's readings of a month, newest number first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readings(&self, ask: &Ask) -> Result<Vec<SealedReading>, StoreError> {
        readings::newest_first(&mut *self.readers.acquire().await?, ask).await
    }

    /// How many there are of one meter and month; the question's limit does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self, ask: &Ask) -> Result<u64, StoreError> {
        readings::count(&mut *self.readers.acquire().await?, ask).await
    }

    /// Adds newer versions and marks what they replace, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::PlaceTaken`], or [`StoreError::Rule`] when something that is to be replaced is not there any more: look
    /// again, somebody was quicker. Nothing was written then.
    pub async fn add(&self, versions: &[Resealed]) -> Result<(), StoreError> {
        let mut guard = self.writer.begin().await?;
        for version in versions {
            if let Err(error) = add(&mut guard, version).await {
                // at once: intake waits for its turn
                guard.roll_back().await?;
                return Err(error);
            }
        }
        guard.commit().await
    }
}

/// The oldest version of the register that a commit's readings may be sealed by.
pub(crate) async fn floor(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let floor: Option<i64> =
        sqlx::query_scalar("SELECT version FROM register_floor").fetch_optional(connection).await?;
    unsigned(floor.unwrap_or(0), "version")
}

async fn add(connection: &mut SqliteConnection, new: &Resealed) -> Result<(), StoreError> {
    let facts = &new.facts;
    let tenancy = tenancy_ref(connection, facts.tenancy).await?;
    sqlx::query(
        "INSERT INTO reading (class, month, sequence, meter, tenancy, version, day, source, quality,
         superseded_by, term, envelope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)",
    )
    .bind(i32::from(facts.class.code()))
    .bind(i64::from(facts.month.number()))
    .bind(i64::from(facts.sequence))
    .bind(i64::from(facts.meter.0))
    .bind(tenancy)
    .bind(i64::from(facts.version))
    .bind(i32::from(facts.day))
    .bind(i32::from(facts.source.code()))
    .bind(i32::from(facts.quality.code()))
    .bind(i64::from(facts.term))
    .bind(new.envelope.as_slice())
    .execute(&mut *connection)
    .await?;
    for (whose, version) in &new.replaces {
        let whose = tenancy_ref(connection, *whose).await?;
        let marked = supersede(connection, facts, whose, (*version, *version)).await?;
        if marked != 1 {
            return Err(StoreError::Rule(format!(
                "{} has no live version {version} of {} {} number {} any more",
                facts.meter,
                facts.class.name(),
                facts.month,
                facts.sequence
            )));
        }
    }
    if let Some(older) = facts.version.checked_sub(1) {
        supersede(connection, facts, tenancy, (0, older)).await?;
    }
    Ok(())
}

/// Marks the live versions between two, both included, as replaced, and gives back how many.
async fn supersede(
    connection: &mut SqliteConnection,
    by: &Facts,
    tenancy: i64,
    (first, last): (u32, u32),
) -> Result<u64, StoreError> {
    let marked = sqlx::query(
        "UPDATE reading SET superseded_by = ? WHERE class = ? AND month = ? AND sequence = ? AND meter = ?
         AND tenancy = ? AND version BETWEEN ? AND ? AND superseded_by IS NULL",
    )
    .bind(i64::from(by.version))
    .bind(i32::from(by.class.code()))
    .bind(i64::from(by.month.number()))
    .bind(i64::from(by.sequence))
    .bind(i64::from(by.meter.0))
    .bind(tenancy)
    .bind(i64::from(first))
    .bind(i64::from(last))
    .execute(connection)
    .await?;
    Ok(marked.rows_affected())
}

#[cfg(test)]
#[path = "resealing_tests.rs"]
mod tests;
