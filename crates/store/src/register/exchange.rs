//! Exchanges of meters: one is taken down at its place and another one hung there, and both show an index.
//!
//! From that moment on the place's tenancy holds the new meter, and the utility's own vacant tenancy the old one, which
//! hangs nowhere. All that an exchange needs is checked before anything is written, so that one that is refused leaves the
//! rest of a change as it is.

use base::{Decimal, MeterId, TenancyId, Unit, UtcMillis};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::change::place_id;
use super::import::is_unplaced;
use super::{Backend, Change, Moved, Register, RegisterAddress, UNPLACED};
use crate::StoreError;
use crate::convert::{id16, unsigned};

/// An index is read when the work is done: one that is told further ahead is a mistake, or no reading.
const AHEAD_MS: i64 = 3_600_000;

/// An exchange, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExchange {
    /// The meter that is taken down.
    pub old: RegisterAddress,
    /// The meter that is hung in its place.
    pub new: RegisterAddress,
    /// When.
    pub at: UtcMillis,
    /// What the old one showed.
    pub closing: Decimal,
    /// What the new one showed.
    pub opening: Decimal,
    /// The unit of both; [`Unit::None`] where none is said.
    pub unit: Unit,
}

/// An exchange that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its number, from 1.
    pub id: u64,
    /// The place's reference.
    pub place: String,
    /// The meter that was taken down.
    pub removed: MeterId,
    /// The meter that was hung.
    pub hung: MeterId,
    /// What was told, with whole addresses.
    pub told: NewExchange,
    /// What is added to the new meter's index so that the count of the place goes on without a jump, over all exchanges
    /// before; nothing where units differ or the digits do not fit.
    pub carry: Option<Decimal>,
}

/// What is added to the new meter's index: what was added to the old one's, and what the two differ by.
pub(super) fn carried(before: Decimal, closing: Decimal, opening: Decimal) -> Option<Decimal> {
    before.checked_add(closing)?.checked_sub(opening).filter(|sum| (-18..=18).contains(&sum.exponent))
}

/// What a meter measures by its device type, as far as two kinds can be held against each other, and the units it counts in.
pub(super) fn medium(kind: Option<[u8; 2]>) -> Option<(&'static str, &'static [Unit])> {
    const VOLUME: &[Unit] = &[Unit::CubicMetre, Unit::CubicFoot];
    const ENERGY: &[Unit] = &[Unit::KilowattHour, Unit::Megajoule, Unit::Megacalorie];
    const ELECTRICITY: &[Unit] = &[Unit::KilowattHour, Unit::KilovarHour, Unit::KilovoltAmpereHour];
    const GAS: &[Unit] = &[Unit::CubicMetre, Unit::CubicFoot, Unit::KilowattHour, Unit::Megajoule];
    match kind?.last()? {
        0x02 => Some(("electricity", ELECTRICITY)),
        0x03 => Some(("gas", GAS)),
        0x04 | 0x0a..=0x0d => Some(("heat or cooling", ENERGY)),
        0x06 | 0x07 | 0x15..=0x17 => Some(("water", VOLUME)),
        0x08 => Some(("heat cost", &[Unit::HeatCostUnit, Unit::None])),
        _ => None,
    }
}

/// A meter as an exchange finds it.
struct Standing {
    id: MeterId,
    address: RegisterAddress,
    place: i64,
    reference: String,
    since: i64,
}

impl Change<'_> {
    /// One meter takes another one's place. Gives the two halves as moves: of the meter that was taken down, and of the one
    /// that was hung.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when a meter is unknown, the old one hangs nowhere or the new one somewhere, they measure
    /// different things, an index is below zero, or the moment is to come, or not after what the register has of the place
    /// and the two meters.
    pub async fn exchange(&mut self, asked: &NewExchange, now: UtcMillis) -> Result<[Moved; 2], StoreError> {
        let rule = |why: String| Err(StoreError::Rule(why));
        let at = asked.at;
        for (what, index, of) in
            [("closing", asked.closing, asked.old), ("opening", asked.opening, asked.new)]
        {
            if index.mantissa < 0 || !(-18..=18).contains(&index.exponent) {
                return rule(format!(
                    "the {what} index {index} of {of} is below zero or too long; write what the meter showed, such as `2850.427`"
                ));
            }
        }
        if at > now.plus(AHEAD_MS) {
            return rule(format!(
                "the exchange of {} on {at} is still to come; tell it when it is done and both meters were read",
                asked.old
            ));
        }
        let Some(old) = self.standing(&asked.old).await? else {
            return rule(format!(
                "{} is not in the register; `meterkeep meters list` shows the meters that are",
                asked.old
            ));
        };
        let Some(new) = self.standing(&asked.new).await? else {
            return rule(format!(
                "{0} is not in the register; import its key, or add it with `meterkeep meters add {0}`, and tell the exchange then",
                asked.new
            ));
        };
        fits(asked, &old, &new)?;
        let (tenancy, from, _) = self.open_tenancy(old.place).await?;
        if at.0 <= from {
            return rule(format!(
                "an exchange at `{}` on {at} is not after {}, when its present tenancy began; tell it with a moment after that",
                old.reference,
                UtcMillis(from)
            ));
        }
        let before = self.utilitys_own(new.place, &new.reference, at).await?;
        self.not_being_sealed(&new, before).await?;
        let nowhere = format!("{UNPLACED} {}", old.address);
        if let Some(place) = place_id(&mut self.guard, &nowhere).await? {
            self.utilitys_own(place, &nowhere, at).await?;
        }
        let carry = self.carry_at(&old, asked).await?;
        // nothing is refused from here on
        let nowhere = self.place_made(&nowhere).await?;
        let (after, ..) = self.open_tenancy(nowhere).await?;
        self.hang(old.id, nowhere, at).await?;
        self.hang(new.id, old.place, at).await?;
        self.insert_exchange(asked, &old, &new, carry, now).await?;
        self.touched = true;
        let mut halves = Vec::with_capacity(2);
        for (meter, ended, begun) in [(old.id, tenancy, after), (new.id, before, tenancy)] {
            let spans = self.spans_of(meter).await?.into_iter().rev().take(2).rev().collect();
            // both wait in the old meter's line: what was told of its place before comes first
            halves.push(Moved { spans, place: old.place, ended, begun, at });
        }
        halves.try_into().map_err(|_| StoreError::Damaged("exchange"))
    }

    /// A meter leaves the place where it is and hangs at another one from then on.
    pub(super) async fn hang(&mut self, meter: MeterId, place: i64, at: UtcMillis) -> Result<(), StoreError> {
        self.zoned.insert(place);
        sqlx::query(
            "INSERT INTO stay (meter, place, from_ms, until_ms) SELECT id, place, placed_ms, ?1 FROM meter WHERE id = ?2",
        )
        .bind(at.0)
        .bind(i64::from(meter.0))
        .execute(&mut *self.guard)
        .await?;
        sqlx::query("UPDATE meter SET place = ?, placed_ms = ? WHERE id = ?")
            .bind(place)
            .bind(at.0)
            .bind(i64::from(meter.0))
            .execute(&mut *self.guard)
            .await?;
        Ok(())
    }

    /// A tenancy cannot begin before a meter was exchanged: what both meters counted in it could not be told apart any more.
    pub(super) async fn not_before_an_exchange(
        &mut self,
        reference: &str,
        place: i64,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(at_ms) FROM exchange WHERE place = ?")
            .bind(place)
            .fetch_one(&mut *self.guard)
            .await?;
        match last {
            Some(last) if at.0 <= last => Err(StoreError::Rule(format!(
                "a move at `{reference}` on {at} is not after {}, when a meter was exchanged there; tell it with a moment after that",
                UtcMillis(last)
            ))),
            _ => Ok(()),
        }
    }

    async fn standing(&mut self, address: &RegisterAddress) -> Result<Option<Standing>, StoreError> {
        let Some((id, place)) = self.known(address).await? else { return Ok(None) };
        let row = sqlx::query(
            "SELECT m.number, m.kind, m.placed_ms, p.reference FROM meter m JOIN place p ON p.id = m.place WHERE m.id = ?",
        )
        .bind(i64::from(id.0))
        .fetch_one(&mut *self.guard)
        .await?;
        let (address, since) = (address_of(&row, "number", "kind")?, row.try_get("placed_ms")?);
        Ok(Some(Standing { id, address, place, reference: row.try_get("reference")?, since }))
    }

    /// The tenancy that holds a place now, since when, and whether it is the utility's own.
    async fn open_tenancy(&mut self, place: i64) -> Result<(TenancyId, i64, bool), StoreError> {
        let (id, from, vacant): (Vec<u8>, i64, bool) =
            sqlx::query_as("SELECT id, from_ms, vacant FROM tenancy WHERE place = ? AND until_ms IS NULL")
                .bind(place)
                .fetch_one(&mut *self.guard)
                .await?;
        Ok((TenancyId(id16(&id, "tenancy id")?), from, vacant))
    }

    /// The utility's own tenancy that holds a meter without a place.
    async fn utilitys_own(
        &mut self,
        place: i64,
        reference: &str,
        at: UtcMillis,
    ) -> Result<TenancyId, StoreError> {
        let (id, from, vacant) = self.open_tenancy(place).await?;
        if vacant && from < at.0 {
            return Ok(id);
        }
        Err(StoreError::Rule(format!(
            "`{reference}` was not vacant on {at}, and an exchange takes a meter that hangs nowhere; end the tenancy there with \
             `meterkeep meters move \"{reference}\" --vacant` and tell an exchange after that"
        )))
    }

    /// Jobs of two places have no order: a meter that is hung again waits until what it left is sealed.
    async fn not_being_sealed(&mut self, new: &Standing, tenancy: TenancyId) -> Result<(), StoreError> {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM late_move WHERE done_ms IS NULL AND (begun = ?1 OR ended = ?1)",
        )
        .bind(tenancy.0.to_vec())
        .fetch_one(&mut *self.guard)
        .await?;
        if open == 0 {
            return Ok(());
        }
        Err(StoreError::Rule(format!(
            "readings of {} are still being sealed anew after what was told of it before; tell the exchange when \
             `meterkeep status` shows no such job any more",
            new.address
        )))
    }

    /// What is added to the new meter's index, with what was added to the old one's.
    async fn carry_at(&mut self, old: &Standing, asked: &NewExchange) -> Result<Option<Decimal>, StoreError> {
        let before = sqlx::query(
            "SELECT carry_mantissa, carry_exponent, unit FROM exchange WHERE place = ? AND hung = ? ORDER BY at_ms DESC LIMIT 1",
        )
        .bind(old.place)
        .bind(i64::from(old.id.0))
        .fetch_optional(&mut *self.guard)
        .await?;
        let Some(row) = before else {
            return Ok(carried(Decimal::new(0, 0), asked.closing, asked.opening));
        };
        let unit = unit_of(row.try_get("unit")?)?;
        let same = unit == asked.unit || unit == Unit::None || asked.unit == Unit::None;
        let carry = carry_of(&row)?;
        Ok(carry.filter(|_| same).and_then(|carry| carried(carry, asked.closing, asked.opening)))
    }

    async fn insert_exchange(
        &mut self,
        asked: &NewExchange,
        old: &Standing,
        new: &Standing,
        carry: Option<Decimal>,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO exchange (place, removed, hung, at_ms, closing_mantissa, closing_exponent, opening_mantissa,
             opening_exponent, unit, carry_mantissa, carry_exponent, told_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(old.place)
        .bind(i64::from(old.id.0))
        .bind(i64::from(new.id.0))
        .bind(asked.at.0)
        .bind(asked.closing.mantissa)
        .bind(i64::from(asked.closing.exponent))
        .bind(asked.opening.mantissa)
        .bind(i64::from(asked.opening.exponent))
        .bind(i64::from(asked.unit.code()))
        .bind(carry.map(|carry| carry.mantissa))
        .bind(carry.map(|carry| i64::from(carry.exponent)))
        .bind(now.0)
        .execute(&mut *self.guard)
        .await?;
        Ok(())
    }
}

/// Whether two meters can be exchanged for each other then, by what they are and where they hang.
fn fits(asked: &NewExchange, old: &Standing, new: &Standing) -> Result<(), StoreError> {
    let rule = |why: String| Err(StoreError::Rule(why));
    if old.id == new.id {
        return rule(format!(
            "{} cannot be exchanged for itself; name the meter that hangs there now",
            old.address
        ));
    }
    if is_unplaced(&old.reference) {
        return rule(format!(
            "{} hangs nowhere, so that nothing takes its place; give it a place with `meterkeep register import` first",
            old.address
        ));
    }
    if !is_unplaced(&new.reference) {
        return rule(format!(
            "{} hangs at `{}` already; name a meter that hangs nowhere yet",
            new.address, new.reference
        ));
    }
    if let (Some((was, _)), Some((is, _))) = (medium(old.address.kind()), medium(new.address.kind()))
        && was != is
    {
        return rule(format!(
            "{} measures {was} and {} measures {is}; name the meter that hangs in its place",
            old.address, new.address
        ));
    }
    let measured = medium(old.address.kind()).or_else(|| medium(new.address.kind()));
    if let Some((what, units)) = measured
        && asked.unit != Unit::None
        && !units.contains(&asked.unit)
    {
        let units: Vec<String> = units.iter().map(|unit| format!("`{}`", unit.name())).collect();
        return rule(format!(
            "`{}` is no unit of {what}, which {} measures; write {}",
            asked.unit.name(),
            old.address,
            units.join(" or ")
        ));
    }
    for (meter, place) in [(old, old.reference.as_str()), (new, "no place")] {
        if asked.at.0 <= meter.since {
            return rule(format!(
                "an exchange of {} on {} is not after {}, since when it hangs at {place}; tell it with a moment after that",
                meter.address,
                asked.at,
                UtcMillis(meter.since)
            ));
        }
    }
    Ok(())
}

const NOTED: &str = "SELECT x.*, p.reference, o.number AS old_number, o.kind AS old_kind, n.number AS new_number, n.kind AS new_kind
     FROM exchange x JOIN place p ON p.id = x.place JOIN meter o ON o.id = x.removed JOIN meter n ON n.id = x.hung";

/// The exchanges at a place, by number.
pub(super) async fn exchanges_at(backend: &Backend, place: i64) -> Result<Vec<Exchange>, StoreError> {
    let Backend::Sqlite { readers, .. } = backend;
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{NOTED} WHERE x.place = ? ORDER BY x.id")))
        .bind(place)
        .fetch_all(readers)
        .await?;
    rows.iter().map(exchange_of).collect()
}

impl Register {
    /// Exchanges ascending by number after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn exchanges(&self, after: u64, limit: u32) -> Result<Vec<Exchange>, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend;
        sqlx::query(sqlx::AssertSqlSafe(format!("{NOTED} WHERE x.id > ? ORDER BY x.id LIMIT ?")))
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(readers)
            .await?
            .iter()
            .map(exchange_of)
            .collect()
    }
}

fn exchange_of(row: &SqliteRow) -> Result<Exchange, StoreError> {
    Ok(Exchange {
        id: unsigned(row.try_get("id")?, "exchange")?,
        place: row.try_get("reference")?,
        removed: MeterId(unsigned(row.try_get("removed")?, "meter id")?),
        hung: MeterId(unsigned(row.try_get("hung")?, "meter id")?),
        told: NewExchange {
            old: address_of(row, "old_number", "old_kind")?,
            new: address_of(row, "new_number", "new_kind")?,
            at: UtcMillis(row.try_get("at_ms")?),
            closing: decimal(row.try_get("closing_mantissa")?, row.try_get("closing_exponent")?)?,
            opening: decimal(row.try_get("opening_mantissa")?, row.try_get("opening_exponent")?)?,
            unit: unit_of(row.try_get("unit")?)?,
        },
        carry: carry_of(row)?,
    })
}

fn carry_of(row: &SqliteRow) -> Result<Option<Decimal>, StoreError> {
    let carry: (Option<i64>, Option<i64>) = (row.try_get("carry_mantissa")?, row.try_get("carry_exponent")?);
    carry.0.zip(carry.1).map(|(mantissa, exponent)| decimal(mantissa, exponent)).transpose()
}

fn decimal(mantissa: i64, exponent: i64) -> Result<Decimal, StoreError> {
    i8::try_from(exponent)
        .map(|exponent| Decimal::new(mantissa, exponent))
        .map_err(|_| StoreError::Damaged("index of an exchange"))
}

fn unit_of(code: i64) -> Result<Unit, StoreError> {
    u16::try_from(code).ok().and_then(Unit::from_code).ok_or(StoreError::Damaged("unit of an exchange"))
}

fn address_of(row: &SqliteRow, number: &str, kind: &str) -> Result<RegisterAddress, StoreError> {
    let mut bytes: Vec<u8> = row.try_get(number)?;
    bytes.extend(row.try_get::<Option<Vec<u8>>, _>(kind)?.unwrap_or_default());
    RegisterAddress::from_bytes(&bytes).ok_or(StoreError::Damaged("meter address"))
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
