//! Changes to the register, all or nothing.

use std::collections::BTreeSet;

use base::{Area, MeterId, Resolution, TenancyId, UtcMillis};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use super::query::{area_of, span_of};
use super::{Backend, MAX_PLACE, NewMeter, Register, RegisterAddress, Span};
use crate::StoreError;
use crate::convert::{id16, unsigned};
use crate::sqlite::Guard;

/// A change under way. An item that the rules forbid is refused with [`StoreError::Rule`] and leaves the rest
/// of the change as it is; any other error means that the change must be dropped.
pub struct Change<'a> {
    register: &'a Register,
    pub(super) guard: Guard<'a>,
    next_id: u32,
    ids_end: u32,
    pub(super) touched: bool,
    /// Places whose meters may lie in another area than before.
    pub(super) zoned: BTreeSet<i64>,
    /// What the ids of tenancies are made from.
    pub(super) seed: [u8; 32],
}

/// What adding a meter did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The meter's id.
    pub id: MeterId,
    /// False when it was there already; then nothing was changed.
    pub new: bool,
    /// The tenancies of its place as they hold this meter, for the vault; for a meter that was there already
    /// too, since the vault may not have heard of them.
    pub spans: Vec<Span>,
}

/// What a move did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// For each meter of the place, the span that ended and the one that began.
    pub spans: Vec<Span>,
    pub(super) place: i64,
    pub(super) ended: TenancyId,
    pub(super) begun: TenancyId,
    /// When.
    pub at: UtcMillis,
}

impl<'a> Change<'a> {
    pub(super) async fn begin(register: &'a Register, new_meters: u32) -> Result<Self, StoreError> {
        let Backend::Sqlite { writer, .. } = &register.backend;
        let mut guard = writer.begin().await?;
        let next: i64 = sqlx::query_scalar(
            "UPDATE counter SET value = value + ? WHERE name = 'next_meter' RETURNING value",
        )
        .bind(i64::from(new_meters))
        .fetch_one(&mut *guard)
        .await?;
        let ids_end: u32 =
            u32::try_from(next).map_err(|_| StoreError::Rule("no meter ids are left".into()))?;
        let seed: Vec<u8> = sqlx::query_scalar("SELECT value FROM seed").fetch_one(&mut *guard).await?;
        let seed = seed.try_into().map_err(|_| StoreError::Damaged("seed"))?;
        guard.commit().await?;
        let guard = writer.begin().await?;
        let next_id = ids_end.saturating_sub(new_meters);
        Ok(Self { register, guard, next_id, ids_end, touched: false, zoned: BTreeSet::new(), seed })
    }

    /// Adds a meter at a place. An address that is there already is left as it is, but for the area of its place.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the address is ambiguous (several meters have its number, and it has no
    /// version and type), when the place's reference is empty or longer than 200 characters,
    /// or when more meters are added than were announced to [`Register::begin`].
    pub async fn add_meter(&mut self, meter: &NewMeter, now: UtcMillis) -> Result<Added, StoreError> {
        if let Some((id, place)) = self.known(&meter.address).await? {
            self.set_area(place, meter.area.as_ref()).await?;
            let spans = self.spans_of(id).await?;
            return Ok(Added { id, new: false, spans });
        }
        if meter.place.is_empty() || meter.place.chars().count() > MAX_PLACE {
            return Err(StoreError::Rule(format!(
                "the place `{}` of {} must have 1 to {MAX_PLACE} characters",
                meter.place.chars().take(40).collect::<String>(),
                meter.address
            )));
        }
        self.check_ids(meter)?;
        let place = self.place_made(&meter.place).await?;
        self.set_area(place, meter.area.as_ref()).await?;
        let id = self.insert_meter(meter, place, now).await?;
        let spans = self.spans_of(id).await?;
        Ok(Added { id, new: true, spans })
    }

    fn check_ids(&self, meter: &NewMeter) -> Result<(), StoreError> {
        if self.next_id < self.ids_end {
            return Ok(());
        }
        Err(StoreError::Rule(format!(
            "{} is one meter more than this change announced; begin it with the right number",
            meter.address
        )))
    }

    /// Adds a meter that is not there yet at a place that is.
    pub(super) async fn insert_meter(
        &mut self,
        meter: &NewMeter,
        place: i64,
        now: UtcMillis,
    ) -> Result<MeterId, StoreError> {
        self.check_ids(meter)?;
        self.zoned.insert(place);
        let id = MeterId(self.next_id);
        sqlx::query(
            "INSERT INTO meter (id, number, kind, resolution, clear, place, added_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::from(id.0))
        .bind(meter.address.number().to_vec())
        .bind(meter.address.kind().map(Vec::from))
        .bind(meter.resolution.map(|r| i64::from(r.code())))
        .bind(i64::from(meter.clear))
        .bind(place)
        .bind(now.0)
        .execute(&mut *self.guard)
        .await?;
        self.next_id = self.next_id.saturating_add(1);
        self.touched = true;
        Ok(id)
    }

    /// A new tenancy begins at a place: someone moves in, or out (`vacant`).
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the place is unknown or has no meter, or `at` is not after the beginning of
    /// the tenancy that holds it now.
    pub async fn move_at(&mut self, place: &str, at: UtcMillis, vacant: bool) -> Result<Moved, StoreError> {
        let Some(id) = place_id(&mut self.guard, place).await? else {
            return Err(StoreError::Rule(format!(
                "the place `{place}` is not in the register; add a meter there first"
            )));
        };
        let (open, from): (Vec<u8>, i64) =
            sqlx::query_as("SELECT id, from_ms FROM tenancy WHERE place = ? AND until_ms IS NULL")
                .bind(id)
                .fetch_one(&mut *self.guard)
                .await?;
        if at.0 <= from {
            return Err(StoreError::Rule(format!(
                "a move at `{place}` on {at} is not after {}, when its present tenancy began",
                UtcMillis(from)
            )));
        }
        self.not_before_an_exchange(place, id, at).await?;
        sqlx::query("UPDATE tenancy SET until_ms = ? WHERE id = ?")
            .bind(at.0)
            .bind(&open)
            .execute(&mut *self.guard)
            .await?;
        let begun = begin_tenancy(&mut self.guard, &self.seed, id, at, vacant).await?;
        self.touched = true;
        let meters: Vec<i64> = sqlx::query_scalar("SELECT id FROM meter WHERE place = ? ORDER BY id")
            .bind(id)
            .fetch_all(&mut *self.guard)
            .await?;
        let mut spans = Vec::new();
        for meter in meters {
            let all = self.spans_of(MeterId(unsigned(meter, "meter id")?)).await?;
            spans.extend(all.into_iter().rev().take(2).rev());
        }
        let ended = TenancyId(id16(&open, "tenancy id")?);
        Ok(Moved { spans, place: id, ended, begun, at })
    }

    /// Sets a meter's policy; `None` for the house's default.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the address is unknown or ambiguous.
    pub async fn set_resolution(
        &mut self,
        address: &RegisterAddress,
        resolution: Option<Resolution>,
    ) -> Result<MeterId, StoreError> {
        let Some((id, _)) = self.known(address).await? else {
            return Err(StoreError::Rule(format!("{address} is not in the register; add it first")));
        };
        self.set_resolution_of(id, resolution).await?;
        Ok(id)
    }

    pub(super) async fn set_resolution_of(
        &mut self,
        id: MeterId,
        resolution: Option<Resolution>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE meter SET resolution = ? WHERE id = ?")
            .bind(resolution.map(|r| i64::from(r.code())))
            .bind(i64::from(id.0))
            .execute(&mut *self.guard)
            .await?;
        self.touched = true;
        Ok(())
    }

    /// Completes a meter that was registered without version and type.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the meter is unknown or complete with another kind.
    pub async fn complete(&mut self, id: MeterId, kind: [u8; 2]) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE meter SET kind = ?1 WHERE id = ?2 AND (kind IS NULL OR kind = ?1)")
            .bind(kind.to_vec())
            .bind(i64::from(id.0))
            .execute(&mut *self.guard)
            .await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Rule(format!("{id} is unknown or has another version and type")));
        }
        self.touched = true;
        Ok(())
    }

    /// Makes the change durable and tells those who wait. Returns the version; a change that changed nothing
    /// makes no new one.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn commit(mut self) -> Result<u64, StoreError> {
        if !self.touched {
            self.guard.roll_back().await?;
            return Ok(self.register.version());
        }
        let version: i64 =
            sqlx::query_scalar("UPDATE counter SET value = value + 1 WHERE name = 'version' RETURNING value")
                .fetch_one(&mut *self.guard)
                .await?;
        let version = unsigned(version, "version")?;
        self.guard.commit().await?;
        self.register.version.send_replace(version);
        Ok(version)
    }

    /// Sets a place's area; `None` leaves it as it is.
    pub(super) async fn set_area(&mut self, place: i64, area: Option<&Area>) -> Result<(), StoreError> {
        let Some(area) = area else { return Ok(()) };
        self.zoned.insert(place);
        let done = sqlx::query("UPDATE place SET area = ?1 WHERE id = ?2 AND area IS NOT ?1")
            .bind(area.as_str())
            .bind(place)
            .execute(&mut *self.guard)
            .await?;
        self.touched |= done.rows_affected() > 0;
        Ok(())
    }

    /// Places of which a list says where they lie, also where that is known: whoever hears of it may not have.
    pub(super) async fn zone(&mut self, references: impl Iterator<Item = &str>) -> Result<(), StoreError> {
        let references: BTreeSet<&str> = references.collect();
        if references.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_string(&references).map_err(|_| StoreError::Damaged("list of places"))?;
        let found: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM place WHERE reference IN (SELECT value FROM json_each(?))")
                .bind(text)
                .fetch_all(&mut *self.guard)
                .await?;
        self.zoned.extend(found);
        Ok(())
    }

    /// Where the meters lie that this change may have set somewhere else, for the vault: roles are given for areas.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn areas(&mut self) -> Result<Vec<(MeterId, Option<Area>)>, StoreError> {
        if self.zoned.is_empty() {
            return Ok(Vec::new());
        }
        let places = serde_json::to_string(&self.zoned).map_err(|_| StoreError::Damaged("list of places"))?;
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as(
            "SELECT m.id, p.area FROM meter m JOIN place p ON p.id = m.place
             WHERE p.id IN (SELECT value FROM json_each(?)) ORDER BY m.id",
        )
        .bind(places)
        .fetch_all(&mut *self.guard)
        .await?;
        rows.into_iter().map(|(id, area)| Ok((MeterId(unsigned(id, "meter id")?), area_of(area)?))).collect()
    }

    /// The meter that an address names, and its place.
    pub(super) async fn known(
        &mut self,
        address: &RegisterAddress,
    ) -> Result<Option<(MeterId, i64)>, StoreError> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT id, place FROM meter WHERE number = ?1 AND (?2 IS NULL OR kind IS NULL OR kind = ?2) LIMIT 2",
        )
        .bind(address.number().to_vec())
        .bind(address.kind().map(Vec::from))
        .fetch_all(&mut *self.guard)
        .await?;
        match rows.as_slice() {
            [] => Ok(None),
            [(id, place)] => Ok(Some((MeterId(unsigned(*id, "meter id")?), *place))),
            _ => Err(StoreError::Rule(format!(
                "several meters have the number {address}; give version and type, such as `{address}-1B-16`"
            ))),
        }
    }

    /// The place of a reference, made with a vacant tenancy when it is not there.
    pub(super) async fn place_made(&mut self, reference: &str) -> Result<i64, StoreError> {
        if let Some(id) = place_id(&mut self.guard, reference).await? {
            return Ok(id);
        }
        let id: i64 = sqlx::query_scalar("INSERT INTO place (reference) VALUES (?) RETURNING id")
            .bind(reference)
            .fetch_one(&mut *self.guard)
            .await?;
        begin_tenancy(&mut self.guard, &self.seed, id, UtcMillis(0), true).await?;
        Ok(id)
    }

    /// The tenancies that hold a meter.
    pub(super) async fn spans_of(&mut self, meter: MeterId) -> Result<Vec<Span>, StoreError> {
        sqlx::query("SELECT id, from_ms, until_ms, vacant FROM span WHERE meter = ? ORDER BY from_ms")
            .bind(i64::from(meter.0))
            .fetch_all(&mut *self.guard)
            .await?
            .iter()
            .map(|row| span_of(row, meter))
            .collect()
    }
}

pub(super) async fn place_id(
    connection: &mut SqliteConnection,
    reference: &str,
) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar("SELECT id FROM place WHERE reference = ?")
        .bind(reference)
        .fetch_optional(connection)
        .await?)
}

/// The next tenancy of a place. Its id says nothing about the person, and is the same when a change that was cut off is
/// made again: the vault, which hears first, then knows it.
pub(super) async fn begin_tenancy(
    connection: &mut SqliteConnection,
    seed: &[u8; 32],
    place: i64,
    from: UtcMillis,
    vacant: bool,
) -> Result<TenancyId, StoreError> {
    let id = tenancy_id(seed, place, from, vacant)?;
    sqlx::query("INSERT INTO tenancy (id, place, from_ms, until_ms, vacant) VALUES (?, ?, ?, NULL, ?)")
        .bind(id.0.to_vec())
        .bind(place)
        .bind(from.0)
        .bind(i64::from(vacant))
        .execute(connection)
        .await?;
    Ok(id)
}

/// The id that a tenancy gets.
pub(super) fn tenancy_id(
    seed: &[u8; 32],
    place: i64,
    from: UtcMillis,
    vacant: bool,
) -> Result<TenancyId, StoreError> {
    let mut digest = Sha256::new_with_prefix(seed);
    digest.update(place.to_be_bytes());
    digest.update(from.0.to_be_bytes());
    digest.update([u8::from(vacant)]);
    let digest: [u8; 32] = digest.finalize().into();
    let (id, _) = digest.split_first_chunk::<16>().ok_or(StoreError::Damaged("tenancy id"))?;
    Ok(TenancyId(*id))
}
