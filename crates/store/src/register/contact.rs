//! Contacts of tenancies, sealed: the register holds what it cannot read.

use base::{TenancyId, UtcMillis};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, SqliteExecutor};

use super::change::tenancy_id;
use super::import::{BadRow, Did, Entry};
use super::{Backend, Change, Register};
use crate::StoreError;
use crate::convert::{id16, unsigned};

/// A contact as it lies in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedContact {
    /// Whose.
    pub tenancy: TenancyId,
    /// The how-manieth it is of this tenancy, from 1; it is sealed to it.
    pub version: u32,
    /// Sealed under the tenancy's own key.
    pub sealed: Vec<u8>,
    /// When it was told.
    pub told: UtcMillis,
}

fn contact_of(row: &SqliteRow) -> Result<SealedContact, StoreError> {
    let tenancy: Vec<u8> = row.try_get("tenancy")?;
    Ok(SealedContact {
        tenancy: TenancyId(id16(&tenancy, "tenancy id")?),
        version: unsigned(row.try_get("version")?, "version of a contact")?,
        sealed: row.try_get("sealed")?,
        told: UtcMillis(row.try_get("told_ms")?),
    })
}

/// Tenancies as the list that `json_each` reads.
fn json(tenancies: &[TenancyId]) -> Result<String, StoreError> {
    let texts: Vec<String> = tenancies.iter().map(ToString::to_string).collect();
    serde_json::to_string(&texts).map_err(|_| StoreError::Damaged("list of tenancies"))
}

async fn contacts_of(
    executor: impl SqliteExecutor<'_>,
    tenancies: &[TenancyId],
) -> Result<Vec<SealedContact>, StoreError> {
    let rows = sqlx::query(
        "SELECT tenancy, version, sealed, told_ms FROM contact
         WHERE tenancy IN (SELECT unhex(value) FROM json_each(?)) ORDER BY tenancy",
    )
    .bind(json(tenancies)?)
    .fetch_all(executor)
    .await?;
    rows.iter().map(contact_of).collect()
}

impl Register {
    /// The contacts of these tenancies, ascending; nothing for those that have none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contacts(&self, tenancies: &[TenancyId]) -> Result<Vec<SealedContact>, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend;
        contacts_of(&mut *readers.acquire().await?, tenancies).await
    }
}

impl Change<'_> {
    /// The contacts of these tenancies, as this change has them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contacts(&mut self, tenancies: &[TenancyId]) -> Result<Vec<SealedContact>, StoreError> {
        contacts_of(&mut *self.guard, tenancies).await
    }

    /// Whether somebody lives, or lived, in a tenancy.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the tenancy is unknown, or the utility's own of an empty place.
    pub async fn somebodys(&mut self, tenancy: TenancyId) -> Result<(), StoreError> {
        let vacant: Option<i64> = sqlx::query_scalar("SELECT vacant FROM tenancy WHERE id = ?")
            .bind(tenancy.0.to_vec())
            .fetch_optional(&mut *self.guard)
            .await?;
        match vacant {
            Some(0) => Ok(()),
            Some(_) => Err(StoreError::Rule(format!(
                "`{tenancy}` is the utility's own tenancy of an empty place; a name belongs to who moved in"
            ))),
            None => Err(StoreError::Rule(format!(
                "the register has no tenancy `{tenancy}`; `meterkeep meters tenancies` lists them"
            ))),
        }
    }

    /// Puts a sealed contact in the place of the one before.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the tenancy is nobody's; the database, also when the version is not a newer one.
    pub async fn set_contact(&mut self, contact: &SealedContact) -> Result<(), StoreError> {
        self.somebodys(contact.tenancy).await?;
        sqlx::query(
            "INSERT INTO contact (tenancy, version, sealed, told_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenancy) DO UPDATE SET version = ?2, sealed = ?3, told_ms = ?4",
        )
        .bind(contact.tenancy.0.to_vec())
        .bind(i64::from(contact.version))
        .bind(&contact.sealed)
        .bind(contact.told.0)
        .execute(&mut *self.guard)
        .await?;
        self.touched = true;
        Ok(())
    }

    /// Deletes the contacts of tenancies that were erased. Gives how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_contacts(&mut self, tenancies: &[TenancyId]) -> Result<u64, StoreError> {
        let done =
            sqlx::query("DELETE FROM contact WHERE tenancy IN (SELECT unhex(value) FROM json_each(?))")
                .bind(json(tenancies)?)
                .execute(&mut *self.guard)
                .await?;
        self.touched |= done.rows_affected() > 0;
        Ok(done.rows_affected())
    }

    /// The tenancies of good rows with a contact: those that are there, and those that begin if the rows are taken next.
    pub(super) async fn tenancies_of_rows(
        &mut self,
        entries: &[Entry],
        judged: &[Result<Did, BadRow>],
    ) -> Result<Vec<Option<TenancyId>>, StoreError> {
        // places are numbered one by one, in the order in which rows name new ones
        let newest: i64 =
            sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM place").fetch_one(&mut *self.guard).await?;
        let (mut next, mut made) = (newest, std::collections::HashMap::<&str, i64>::new());
        let mut tenancies = Vec::with_capacity(entries.len());
        for (entry, judged) in entries.iter().zip(judged) {
            let Ok(did) = judged else {
                tenancies.push(None);
                continue;
            };
            if did.has(Did::PLACE) && !made.contains_key(entry.place.as_str()) {
                next = next.saturating_add(1);
                made.insert(&entry.place, next);
            }
            let Some(from) = entry.from.filter(|_| entry.contact) else {
                tenancies.push(None);
                continue;
            };
            let there = tenancy_at(&mut self.guard, &entry.place, from).await?;
            let tenancy = match (there, made.get(entry.place.as_str())) {
                ((_, Some(there)), _) => there,
                ((Some(place), None), _) | ((None, None), Some(&place)) => {
                    tenancy_id(&self.seed, place, from, false)?
                }
                ((None, None), None) => return Err(StoreError::Damaged("place of a row")),
            };
            tenancies.push(Some(tenancy));
        }
        Ok(tenancies)
    }
}

/// A place's number, and its tenancy since that moment; nothing for what is not there.
async fn tenancy_at(
    connection: &mut SqliteConnection,
    place: &str,
    from: UtcMillis,
) -> Result<(Option<i64>, Option<TenancyId>), StoreError> {
    let found: Option<(i64, Option<Vec<u8>>)> = sqlx::query_as(
        "SELECT p.id, t.id FROM place p LEFT JOIN tenancy t ON t.place = p.id AND t.from_ms = ?2 WHERE p.reference = ?1",
    )
    .bind(place)
    .bind(from.0)
    .fetch_optional(connection)
    .await?;
    let Some((place, tenancy)) = found else { return Ok((None, None)) };
    let tenancy = tenancy.map(|id| id16(&id, "tenancy id").map(TenancyId)).transpose()?;
    Ok((Some(place), tenancy))
}
